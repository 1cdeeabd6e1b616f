-- title: Average charging and occupied time
-- about: sum of seconds over number of sessions, never an average of averages
-- period: month hour day week quarter year
-- dimension: none area city country station connector driver tariff tenant
-- basis: completion start accrual
-- narrow: charging_s open set_aside avg_idle_s occupied_s
-- column period: period on the clock of --tz
-- column dimension: the station, area, … chosen with --by
-- column sessions: sessions in the standard totals
-- column avg_charging_s: energy was flowing, seconds a session
-- column avg_idle_s: connected without asking for energy, seconds a session
-- column avg_occupied_s: from start to end, seconds a session
-- column charging_s: sum of charging time, seconds
-- column occupied_s: sum of occupied time, seconds
-- column open: sessions not ended yet, beside the totals
-- column set_aside: sessions left out of the totals, see report set-aside
SELECT
    formatDateTime(at, multiIf({period:String} = 'hour', '%F %H:00 %z', {period:String} = 'day', '%F',
        {period:String} = 'week', '%G-W%V', {period:String} = 'month', '%Y-%m', {period:String} = 'quarter', '%Y-Q%Q',
        {period:String} = 'year', '%Y', ''), {tz:String}) AS period,
    multiIf({dimension:String} = 'station', f.station_id,
        {dimension:String} = 'connector', concat(f.station_id, '/', ifNull(toString(f.connector_id), '?')),
        {dimension:String} = 'area', f.area, {dimension:String} = 'city', f.city, {dimension:String} = 'country', f.country,
        {dimension:String} = 'driver', f.driver_key, {dimension:String} = 'tariff', f.tariff_id,
        {dimension:String} = 'tenant', f.tenant, '') AS dimension,
    uniqExactIf(session_id, state = 'counted') AS sessions,
    round(toDecimal128(sumIf(f.charging_s, state = 'counted'), 6) / nullIf(uniqExactIf(session_id, state = 'counted'), 0), 3) AS avg_charging_s,
    round(toDecimal128(sumIf(f.idle_s, state = 'counted'), 6) / nullIf(uniqExactIf(session_id, state = 'counted'), 0), 3) AS avg_idle_s,
    round(toDecimal128(sumIf(f.occupied_s, state = 'counted'), 6) / nullIf(uniqExactIf(session_id, state = 'counted'), 0), 3) AS avg_occupied_s,
    sumIf(f.charging_s, state = 'counted') AS charging_s,
    sumIf(f.occupied_s, state = 'counted') AS occupied_s,
    uniqExactIf(session_id, state = 'open') AS open,
    uniqExactIf(session_id, state = 'set_aside') AS set_aside
FROM mart.facts AS f
WHERE basis = {basis:String} AND at >= {from:DateTime64(3, 'UTC')} AND at < {to:DateTime64(3, 'UTC')}
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
GROUP BY period, dimension WITH TOTALS
ORDER BY if({period:String} = 'hour', toString(toStartOfHour(min(at), {tz:String}), 'UTC'), period), sessions DESC, dimension
LIMIT {limit:UInt64}
