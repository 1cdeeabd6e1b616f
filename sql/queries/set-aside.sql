-- title: What was set aside and why
-- about: sessions not in the standard totals and dead letters, by reason; --by item lists each
-- dimension: reason item
-- narrow: last_at stations first_at item
-- column kind: session (left out of the totals), open (not ended yet) or dead letter (never understood)
-- column reason: why
-- column station: charging station; --by reason: empty
-- column stations: how many different stations
-- column item: session id or dead letter, for `laddstream session` and `laddstream dlq show`; --by reason: one example
-- column count: sessions or dead letters
-- column energy_kwh: energy that is in no total, as far as known, exact
-- column first_at: start (else first event), or when the letter was set aside; UTC
-- column last_at: the same, of the newest
SELECT
    kind,
    f.reason AS reason,
    if({dimension:String} = 'item', any(station_id), '') AS station,
    uniqExact(f.tenant, station_id) AS stations,
    any(id) AS item,
    count() AS count,
    ifNull(sum(energy_wh), 0) * toDecimal128('0.001', 3) AS energy_kwh,
    min(at) AS first_at,
    max(at) AS last_at
FROM
(
    SELECT
        if(open, 'open', 'session') AS kind, toString(reason) AS reason, toString(session_id) AS id,
        coalesce(started_at, first_event_at) AS at, tenant, station_id, connector_id, area, city, country,
        driver_key, tariff_id, currency, energy_wh, region, driver_id, company_id, plan_id, payer
    FROM mart.set_aside_sessions
    UNION ALL
    SELECT
        'dead letter' AS kind, toString(reason) AS reason, dead_letter_id AS id,
        at, tenant, station_id, NULL, '', '', '', '', '', '', NULL, '', '', '', '', ''
    FROM mart.dead_letters
) AS f
WHERE at >= {from:DateTime64(3, 'UTC')} AND at < {to:DateTime64(3, 'UTC')}
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
    AND (empty({tariff:Array(String)}) OR has({tariff:Array(String)}, f.tariff_id))
    AND (empty({currency:Array(String)}) OR has({currency:Array(String)}, f.currency))
GROUP BY kind, reason, if({dimension:String} = 'item', id, '') WITH TOTALS
ORDER BY kind DESC, count DESC, reason, min(at), item
LIMIT {limit:UInt64}
