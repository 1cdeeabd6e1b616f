-- title: Unpaid sessions
-- about: what drivers owe and have not (fully) paid; what companies and partners owe with --by payer or --where payer=…
-- dimension: none payer driver company area station reason tenant
-- narrow: session_id because captured_incl_vat driver ended_at reason station payer
-- column dimension: the payer, driver, … chosen with --by; none: one row a session
-- column currency: ISO 4217 code, one row each
-- column missing_incl_vat: owed less what was paid, with VAT, exact
-- column owed_incl_vat: owed, with VAT, exact
-- column captured_incl_vat: captured less given back, with VAT, exact
-- column count: sessions
-- column payer: who owes it: driver, company or partner; `several`: more than one
-- column ended_at: end of the session, or of the oldest, UTC
-- column age_days: whole days since then
-- column station: charging station; several sessions: empty
-- column driver: who charged; several sessions: empty
-- column reason: unpaid, underpaid, refunded, wrong_currency, or invoiced: a company or partner is billed; several: empty
-- column because: more about it; several sessions: empty
-- column session_id: for `laddstream session`; several sessions: empty
SELECT
    multiIf({dimension:String} = 'payer', f.payer, {dimension:String} = 'driver', if(f.driver_id = '', f.driver_key, f.driver_id),
        {dimension:String} = 'company', f.company_id, {dimension:String} = 'area', f.area, {dimension:String} = 'station', f.station_id,
        {dimension:String} = 'reason', f.reason, {dimension:String} = 'tenant', f.tenant, '') AS dimension,
    if(uniqExact(f.currency) <= 1, max(f.currency), 'several') AS currency,
    if(uniqExact(f.currency) <= 1, -sum(f.difference_incl_vat), NULL) AS missing_incl_vat,
    if(uniqExact(f.currency) <= 1, sum(f.owed_incl_vat), NULL) AS owed_incl_vat,
    if(uniqExact(f.currency) <= 1, sum(f.captured_incl_vat) - sum(f.refunded_incl_vat), NULL) AS captured_incl_vat,
    count() AS count,
    if(uniqExact(f.payer) <= 1, max(f.payer), 'several') AS payer,
    min(f.at) AS ended_at,
    dateDiff('day', min(f.at), now64(3, 'UTC')) AS age_days,
    if(count() = 1, any(f.station_id), '') AS station,
    if(count() = 1, any(if(f.driver_id = '', f.driver_key, f.driver_id)), '') AS driver,
    if(uniqExact(f.reason) <= 1, max(f.reason), '') AS reason,
    if(count() = 1, any(f.because), '') AS because,
    if(count() = 1, toString(any(f.session_id)), '') AS session_id
FROM mart.reconciliation AS f
WHERE f.owed_incl_vat > 0 AND f.difference_incl_vat < 0 AND f.at >= {from:DateTime64(3, 'UTC')} AND f.at < {to:DateTime64(3, 'UTC')}
    AND (f.payer = 'driver' OR {dimension:String} = 'payer' OR has({payer:Array(String)}, f.payer))
    AND (empty({tenant:Array(String)}) OR has({tenant:Array(String)}, f.tenant))
    AND (empty({station:Array(String)}) OR has({station:Array(String)}, f.station_id))
    AND (empty({area:Array(String)}) OR has({area:Array(String)}, f.area))
    AND (empty({driver:Array(String)}) OR has({driver:Array(String)}, f.driver_key) OR (f.driver_id != '' AND has({driver:Array(String)}, f.driver_id)))
    AND (empty({company:Array(String)}) OR has({company:Array(String)}, f.company_id))
    AND (empty({payer:Array(String)}) OR has({payer:Array(String)}, f.payer))
    AND (empty({reason:Array(String)}) OR has({reason:Array(String)}, f.reason))
    AND (empty({currency:Array(String)}) OR has({currency:Array(String)}, f.currency))
GROUP BY dimension, f.currency, if({dimension:String} = '', concat(toString(f.session_id), f.payer), '') WITH TOTALS
ORDER BY f.currency, if({dimension:String} = '', toString(min(f.at), 'UTC'), ''), missing_incl_vat DESC, dimension, session_id
LIMIT {limit:UInt64}
