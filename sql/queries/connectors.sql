-- title: Sessions and energy per connector
-- about: every station and connector with its sessions and energy
-- period: none hour day week month quarter year
-- basis: completion start accrual
-- narrow: open set_aside
-- column period: period on the clock of --tz
-- column station: charging station
-- column connector: connector number; null: the source never said
-- column sessions: sessions in the standard totals
-- column energy_kwh: their energy, exact
-- column open: sessions not ended yet, beside the totals
-- column set_aside: sessions left out of the totals, see report set-aside
SELECT
    formatDateTime(at, multiIf({period:String} = 'hour', '%F %H:00 %z', {period:String} = 'day', '%F',
        {period:String} = 'week', '%G-W%V', {period:String} = 'month', '%Y-%m', {period:String} = 'quarter', '%Y-Q%Q',
        {period:String} = 'year', '%Y', ''), {tz:String}) AS period,
    f.station_id AS station,
    f.connector_id AS connector,
    uniqExactIf(session_id, state = 'counted') AS sessions,
    ifNull(sumIf(f.energy_wh, state = 'counted'), 0) * toDecimal128('0.001', 3) AS energy_kwh,
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
GROUP BY period, f.tenant, station, connector WITH TOTALS
ORDER BY if({period:String} = 'hour', toString(toStartOfHour(min(at), {tz:String}), 'UTC'), period), station, connector
LIMIT {limit:UInt64}
