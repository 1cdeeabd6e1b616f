-- title: Sessions without a price
-- about: in the totals or still open, by reason; each gets its price as soon as its tariff is there
-- period: none day week month quarter year
-- dimension: none tariff station area driver company session
-- narrow: last_at stations first_at drivers sessions station
-- column period: start, on the clock of --tz
-- column dimension: the tariff, station, … chosen with --by
-- column reason: no_tariff (none is assigned), tariff_missing (not in the catalogue) …
-- column tariff: tariff they should have; empty: none is assigned
-- column station: charging station; empty where there are several
-- column sessions: how many, ended and in the totals
-- column open: how many more that are still open
-- column energy_kwh: energy that has no price, exact
-- column stations: different stations
-- column drivers: different drivers
-- column first_at: earliest start, UTC
-- column last_at: latest start, UTC
SELECT
    formatDateTime(coalesce(f.started_at, f.first_event_at), multiIf({period:String} = 'day', '%F',
        {period:String} = 'week', '%G-W%V', {period:String} = 'month', '%Y-%m', {period:String} = 'quarter', '%Y-Q%Q',
        {period:String} = 'year', '%Y', ''), {tz:String}) AS period,
    multiIf({dimension:String} = 'session', toString(f.session_id), {dimension:String} = 'area', f.area,
        {dimension:String} = 'station', f.station_id, {dimension:String} = 'driver', if(f.driver_id = '', f.driver_key, f.driver_id),
        {dimension:String} = 'company', f.company_id, {dimension:String} = 'tariff', f.tariff_id, '') AS dimension,
    f.reason AS reason,
    f.tariff_id AS tariff,
    if(uniqExact(f.tenant, f.station_id) = 1, any(f.station_id), '') AS station,
    countIf(NOT f.open) AS sessions,
    countIf(f.open) AS open,
    ifNull(sumIf(f.energy_wh, NOT f.open), 0) * toDecimal128('0.001', 3) AS energy_kwh,
    uniqExact(f.tenant, f.station_id) AS stations,
    uniqExact(f.tenant, if(f.driver_id = '', f.driver_key, f.driver_id)) AS drivers,
    min(coalesce(f.started_at, f.first_event_at)) AS first_at,
    max(coalesce(f.started_at, f.first_event_at)) AS last_at
FROM mart.unpriced_sessions AS f
WHERE coalesce(f.started_at, f.first_event_at) >= {from:DateTime64(3, 'UTC')} AND coalesce(f.started_at, f.first_event_at) < {to:DateTime64(3, 'UTC')}
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
    AND (empty({reason:Array(String)}) OR has({reason:Array(String)}, f.reason))
GROUP BY period, dimension, f.reason, f.tariff_id WITH TOTALS
ORDER BY period, sessions DESC, open DESC, reason, tariff, dimension
LIMIT {limit:UInt64}
