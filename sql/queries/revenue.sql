-- title: Revenue per period, dimension and currency
-- about: money first, one row a currency: currencies are never added
-- period: month hour day week quarter year
-- dimension: none area city country station connector driver tariff tenant
-- basis: accrual completion start
-- narrow: set_aside_incl_vat open_incl_vat amount_excl_vat
-- column period: period on the clock of --tz
-- column dimension: the area, station, … chosen with --by
-- column currency: ISO 4217 code
-- column amount_incl_vat: revenue with VAT, exact
-- column amount_excl_vat: revenue without VAT, exact
-- column sessions: priced sessions with a part in the row
-- column energy_kwh: energy of those sessions, exact
-- column open_incl_vat: so far in open sessions, with VAT, beside the totals
-- column set_aside_incl_vat: in sessions left out of the totals, with VAT
SELECT
    formatDateTime(at, multiIf({period:String} = 'hour', '%F %H:00 %z', {period:String} = 'day', '%F',
        {period:String} = 'week', '%G-W%V', {period:String} = 'month', '%Y-%m', {period:String} = 'quarter', '%Y-Q%Q',
        {period:String} = 'year', '%Y', ''), {tz:String}) AS period,
    multiIf({dimension:String} = 'station', f.station_id,
        {dimension:String} = 'connector', concat(f.station_id, '/', ifNull(toString(f.connector_id), '?')),
        {dimension:String} = 'area', f.area, {dimension:String} = 'city', f.city, {dimension:String} = 'country', f.country,
        {dimension:String} = 'driver', f.driver_key, {dimension:String} = 'tariff', f.tariff_id,
        {dimension:String} = 'tenant', f.tenant, '') AS dimension,
    if(uniqExactIf(f.currency, f.currency != '') <= 1, max(f.currency), 'several') AS currency,
    if(uniqExactIf(f.currency, f.currency != '') <= 1, sumIf(f.amount_incl_vat, state = 'counted'), NULL) AS amount_incl_vat,
    if(uniqExactIf(f.currency, f.currency != '') <= 1, sumIf(f.amount_excl_vat, state = 'counted'), NULL) AS amount_excl_vat,
    uniqExactIf(session_id, state = 'counted') AS sessions,
    ifNull(sumIf(f.energy_wh, state = 'counted'), 0) * toDecimal128('0.001', 3) AS energy_kwh,
    if(uniqExactIf(f.currency, f.currency != '') <= 1, sumIf(f.amount_incl_vat, state = 'open'), NULL) AS open_incl_vat,
    if(uniqExactIf(f.currency, f.currency != '') <= 1, sumIf(f.amount_incl_vat, state = 'set_aside'), NULL) AS set_aside_incl_vat
FROM mart.facts AS f
WHERE basis = {basis:String} AND at >= {from:DateTime64(3, 'UTC')} AND at < {to:DateTime64(3, 'UTC')} AND f.currency != ''
    AND (empty({tenant:Array(String)}) OR has({tenant:Array(String)}, f.tenant))
    AND (empty({station:Array(String)}) OR has({station:Array(String)}, f.station_id))
    AND (empty({connector:Array(String)}) OR has({connector:Array(String)}, ifNull(toString(f.connector_id), '')))
    AND (empty({area:Array(String)}) OR has({area:Array(String)}, f.area))
    AND (empty({city:Array(String)}) OR has({city:Array(String)}, f.city))
    AND (empty({country:Array(String)}) OR has({country:Array(String)}, f.country))
    AND (empty({driver:Array(String)}) OR has({driver:Array(String)}, f.driver_key))
    AND (empty({tariff:Array(String)}) OR has({tariff:Array(String)}, f.tariff_id))
    AND (empty({currency:Array(String)}) OR has({currency:Array(String)}, f.currency))
GROUP BY period, dimension, f.currency WITH TOTALS
ORDER BY if({period:String} = 'hour', toString(toStartOfHour(min(at), {tz:String}), 'UTC'), period), f.currency, amount_incl_vat DESC, dimension
LIMIT {limit:UInt64}
