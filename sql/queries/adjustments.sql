-- title: Adjustments
-- about: prices that changed after the session ended, and why; --by session lists each
-- period: month day week quarter year none
-- dimension: none session area station driver company tariff plan
-- narrow: detail before_excl_vat after_excl_vat difference_excl_vat before_kwh after_kwh changed_at station sessions count before_incl_vat after_incl_vat
-- column period: when it changed, on the clock of --tz
-- column dimension: the session, station, … chosen with --by
-- column reason: late_event, catalogue, or both joined by +
-- column currency: ISO 4217 code, one row each
-- column difference_incl_vat: after less before, with VAT, exact
-- column difference_excl_vat: after less before, without VAT, exact
-- column before_incl_vat: price before, with VAT, exact
-- column after_incl_vat: price after, with VAT, exact
-- column before_excl_vat: price before, without VAT, exact
-- column after_excl_vat: price after, without VAT, exact
-- column before_kwh: energy before, exact
-- column after_kwh: energy after, exact
-- column count: changes
-- column sessions: different sessions
-- column station: --by session: charging station
-- column changed_at: --by session: when it changed last, UTC
-- column detail: --by session: what came or changed
SELECT
    formatDateTime(f.at, multiIf({period:String} = 'day', '%F',
        {period:String} = 'week', '%G-W%V', {period:String} = 'month', '%Y-%m', {period:String} = 'quarter', '%Y-Q%Q',
        {period:String} = 'year', '%Y', ''), {tz:String}) AS period,
    multiIf({dimension:String} = 'session', toString(f.session_id), {dimension:String} = 'area', f.area,
        {dimension:String} = 'station', f.station_id, {dimension:String} = 'driver', if(f.driver_id = '', f.driver_key, f.driver_id),
        {dimension:String} = 'company', f.company_id, {dimension:String} = 'tariff', f.tariff_id,
        {dimension:String} = 'plan', f.plan_id, '') AS dimension,
    f.reason AS reason,
    if(uniqExactIf(f.currency, f.currency != '') <= 1, max(f.currency), 'several') AS currency,
    if(uniqExactIf(f.currency, f.currency != '') <= 1, sum(f.difference_incl_vat), NULL) AS difference_incl_vat,
    if(uniqExactIf(f.currency, f.currency != '') <= 1, sum(f.difference_excl_vat), NULL) AS difference_excl_vat,
    if(uniqExactIf(f.currency, f.currency != '') <= 1, sum(f.before_incl_vat), NULL) AS before_incl_vat,
    if(uniqExactIf(f.currency, f.currency != '') <= 1, sum(f.after_incl_vat), NULL) AS after_incl_vat,
    if(uniqExactIf(f.currency, f.currency != '') <= 1, sum(f.before_excl_vat), NULL) AS before_excl_vat,
    if(uniqExactIf(f.currency, f.currency != '') <= 1, sum(f.after_excl_vat), NULL) AS after_excl_vat,
    ifNull(sum(f.before_energy_wh), 0) * toDecimal128('0.001', 3) AS before_kwh,
    ifNull(sum(f.after_energy_wh), 0) * toDecimal128('0.001', 3) AS after_kwh,
    count() AS count,
    uniqExact(f.session_id) AS sessions,
    if({dimension:String} = 'session', any(f.station_id), '') AS station,
    if({dimension:String} = 'session', max(f.at), NULL) AS changed_at,
    if({dimension:String} = 'session', argMax(f.detail, f.version), '') AS detail
FROM mart.adjustments AS f
WHERE f.at >= {from:DateTime64(3, 'UTC')} AND f.at < {to:DateTime64(3, 'UTC')}
    AND (empty({tenant:Array(String)}) OR has({tenant:Array(String)}, f.tenant))
    AND (empty({station:Array(String)}) OR has({station:Array(String)}, f.station_id))
    AND (empty({connector:Array(String)}) OR has({connector:Array(String)}, ifNull(toString(f.connector_id), '')))
    AND (empty({area:Array(String)}) OR has({area:Array(String)}, f.area))
    AND (empty({region:Array(String)}) OR has({region:Array(String)}, f.region))
    AND (empty({city:Array(String)}) OR has({city:Array(String)}, f.city))
    AND (empty({country:Array(String)}) OR has({country:Array(String)}, f.country))
    AND (empty({driver:Array(String)}) OR has({driver:Array(String)}, f.driver_key) OR (f.driver_id != '' AND has({driver:Array(String)}, f.driver_id)))
    AND (empty({company:Array(String)}) OR has({company:Array(String)}, f.company_id))
    AND (empty({tariff:Array(String)}) OR has({tariff:Array(String)}, f.tariff_id))
    AND (empty({plan:Array(String)}) OR has({plan:Array(String)}, f.plan_id))
    AND (empty({payer:Array(String)}) OR has({payer:Array(String)}, f.payer))
    AND (empty({currency:Array(String)}) OR has({currency:Array(String)}, f.currency))
    AND (empty({reason:Array(String)}) OR has({reason:Array(String)}, f.reason))
GROUP BY period, dimension, f.reason, f.currency WITH TOTALS
ORDER BY period, f.currency, count DESC, reason, dimension
LIMIT {limit:UInt64}
