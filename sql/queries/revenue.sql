-- title: Revenue per period, dimension and currency
-- about: money first, one row a currency: currencies are never added; several dimensions at once
-- period: month hour day week quarter year
-- dimension: none area region city country station connector driver company tariff plan payer method tenant
-- basis: accrual completion start
-- narrow: set_aside_incl_vat open_incl_vat amount_excl_vat revenue_excl_vat covered_incl_vat revenue_incl_vat
-- column period: period on the clock of --tz
-- column dimension: the area, station, … chosen with --by
-- column dimension2: the second one chosen
-- column dimension3: the third one chosen
-- column dimension4: the fourth one chosen
-- column dimension5: the fifth one chosen
-- column dimension6: the sixth one chosen
-- column dimension7: the seventh one chosen
-- column currency: ISO 4217 code
-- column amount_incl_vat: price of the sessions with VAT, exact
-- column amount_excl_vat: price of the sessions without VAT, exact
-- column sessions: priced sessions with a part in the row
-- column energy_kwh: energy of those sessions, exact
-- column open_incl_vat: so far in open sessions, with VAT, beside the totals
-- column set_aside_incl_vat: in sessions left out of the totals, with VAT
-- column covered_incl_vat: part of it that plans cover (included, above a cap), with VAT: paid by fees, see report subscriptions
-- column revenue_incl_vat: session revenue with VAT, exact: amount less covered
-- column revenue_excl_vat: session revenue without VAT, exact
SELECT
    formatDateTime(at, multiIf({period:String} = 'hour', '%F %H:00 %z', {period:String} = 'day', '%F',
        {period:String} = 'week', '%G-W%V', {period:String} = 'month', '%Y-%m', {period:String} = 'quarter', '%Y-Q%Q',
        {period:String} = 'year', '%Y', ''), {tz:String}) AS period,
    keys[1] AS dimension, keys[2] AS dimension2, keys[3] AS dimension3, keys[4] AS dimension4,
    keys[5] AS dimension5, keys[6] AS dimension6, keys[7] AS dimension7,
    if(uniqExactIf(f.currency, f.currency != '') <= 1, max(f.currency), 'several') AS currency,
    if(uniqExactIf(f.currency, f.currency != '') <= 1, sumIf(f.amount_incl_vat, state = 'counted'), NULL) AS amount_incl_vat,
    if(uniqExactIf(f.currency, f.currency != '') <= 1, sumIf(f.amount_excl_vat, state = 'counted'), NULL) AS amount_excl_vat,
    uniqExactIf(session_id, state = 'counted') AS sessions,
    ifNull(sumIf(f.energy_wh, state = 'counted'), 0) * toDecimal128('0.001', 3) AS energy_kwh,
    if(uniqExactIf(f.currency, f.currency != '') <= 1, sumIf(f.amount_incl_vat, state = 'open'), NULL) AS open_incl_vat,
    if(uniqExactIf(f.currency, f.currency != '') <= 1, sumIf(f.amount_incl_vat, state = 'set_aside'), NULL) AS set_aside_incl_vat,
    if(uniqExactIf(f.currency, f.currency != '') <= 1, sumIf(f.covered_incl_vat, state = 'counted'), NULL) AS covered_incl_vat,
    if(uniqExactIf(f.currency, f.currency != '') <= 1, sumIf(f.amount_incl_vat - f.covered_incl_vat, state = 'counted'), NULL) AS revenue_incl_vat,
    if(uniqExactIf(f.currency, f.currency != '') <= 1, sumIf(f.amount_excl_vat - f.covered_excl_vat, state = 'counted'), NULL) AS revenue_excl_vat
FROM mart.facts AS f
WHERE basis = {basis:String} AND at >= {from:DateTime64(3, 'UTC')} AND at < {to:DateTime64(3, 'UTC')} AND f.currency != ''
    AND (empty({tenant:Array(String)}) OR has({tenant:Array(String)}, f.tenant))
    AND (empty({station:Array(String)}) OR has({station:Array(String)}, f.station_id))
    AND (empty({connector:Array(String)}) OR has({connector:Array(String)}, ifNull(toString(f.connector_id), '')))
    AND (empty({area:Array(String)}) OR has({area:Array(String)}, f.area))
    AND (empty({city:Array(String)}) OR has({city:Array(String)}, f.city))
    AND (empty({region:Array(String)}) OR has({region:Array(String)}, f.region))
    AND (empty({country:Array(String)}) OR has({country:Array(String)}, f.country))
    AND (empty({driver:Array(String)}) OR has({driver:Array(String)}, f.driver_key) OR (f.driver_id != '' AND has({driver:Array(String)}, f.driver_id)))
    AND (empty({company:Array(String)}) OR has({company:Array(String)}, f.company_id))
    AND (empty({plan:Array(String)}) OR has({plan:Array(String)}, f.plan_id))
    AND (empty({payer:Array(String)}) OR has({payer:Array(String)}, f.payer))
    AND (empty({method:Array(String)}) OR has({method:Array(String)}, f.payment_method))
    AND (empty({tariff:Array(String)}) OR has({tariff:Array(String)}, f.tariff_id))
    AND (empty({currency:Array(String)}) OR has({currency:Array(String)}, f.currency))
GROUP BY period, f.currency, arrayMap(d -> multiIf(d = 'station', f.station_id,
    d = 'connector', concat(f.station_id, '/', ifNull(toString(f.connector_id), '?')),
    d = 'area', f.area, d = 'region', f.region, d = 'city', f.city, d = 'country', f.country,
    d = 'driver', if(f.driver_id = '', f.driver_key, f.driver_id), d = 'company', f.company_id,
    d = 'tariff', f.tariff_id, d = 'plan', f.plan_id, d = 'payer', f.payer, d = 'method', f.payment_method,
    d = 'tenant', f.tenant, ''), {dimensions:Array(String)}) AS keys WITH TOTALS
ORDER BY if({period:String} = 'hour', toString(toStartOfHour(min(at), {tz:String}), 'UTC'), period), f.currency, amount_incl_vat DESC, keys
LIMIT {limit:UInt64}
