-- title: History of one driver
-- about: every session of a driver: place, time, energy, price; needs --driver
-- basis: start completion
-- narrow: session_id area amount_excl_vat tariff not_counted_kwh ended_at
-- column started_at: start, UTC (in a table: on the clock of --tz); null: never seen
-- column ended_at: end, UTC; null: open
-- column station: charging station
-- column area: its area or site
-- column energy_kwh: energy, exact, where it counts
-- column occupied_s: from start to end, seconds, where it counts
-- column amount_incl_vat: price with VAT, exact; null: not priced
-- column amount_excl_vat: price without VAT, exact; null: not priced
-- column currency: ISO 4217 code; `several`: amounts cannot be added
-- column tariff: tariff it was priced with
-- column note: empty: in the standard totals; else why the session is not
-- column not_counted_kwh: energy, exact, where it does not count (open or set aside)
-- column session_id: for `laddstream session`
SELECT
    any(s.started_at) AS started_at,
    any(s.ended_at) AS ended_at,
    any(f.station_id) AS station,
    any(f.area) AS area,
    ifNull(sumIf(f.energy_wh, state = 'counted'), 0) * toDecimal128('0.001', 3) AS energy_kwh,
    sumIf(f.occupied_s, state = 'counted') AS occupied_s,
    if(uniqExactIf(f.currency, f.currency != '') <= 1, sumIf(f.amount_incl_vat, state = 'counted'), NULL) AS amount_incl_vat,
    if(uniqExactIf(f.currency, f.currency != '') <= 1, sumIf(f.amount_excl_vat, state = 'counted'), NULL) AS amount_excl_vat,
    if(uniqExactIf(f.currency, f.currency != '') <= 1, max(f.currency), 'several') AS currency,
    any(f.tariff_id) AS tariff,
    any(s.quarantine_reason) AS note,
    ifNull(sumIf(f.energy_wh, state != 'counted'), 0) * toDecimal128('0.001', 3) AS not_counted_kwh,
    session_id
FROM mart.facts AS f
LEFT ANY JOIN (SELECT session_id, started_at, ended_at, quarantine_reason FROM mart.sessions) AS s ON s.session_id = f.session_id
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
GROUP BY session_id WITH TOTALS
ORDER BY min(at), session_id
LIMIT {limit:UInt64}
