-- title: Owed against captured
-- about: every session and payment where they differ, and why; --by reason sums up, with what agrees
-- dimension: none reason payer method area station driver company tenant
-- narrow: captures conflicts refunded_incl_vat session_id payments paid_at driver payer because ended_at station reason
-- column dimension: the reason, payer, … chosen with --by; none: one row a difference
-- column reason: agrees, unpaid, underpaid, overpaid, captured_twice, refunded, wrong_currency, nothing_owed, paid_without_session, invoiced; `several`
-- column currency: ISO 4217 code, one row each
-- column difference_incl_vat: captured less given back less owed; below zero: missing, exact
-- column owed_incl_vat: owed, with VAT, exact
-- column captured_incl_vat: captured, exact
-- column refunded_incl_vat: given back, exact
-- column count: sessions, and payments without one
-- column ended_at: end of the session, else its latest payment, UTC; of the oldest
-- column paid_at: latest payment, UTC; null: none
-- column captures: how many captures
-- column payer: who owes it; several: empty
-- column station: charging station; several: empty
-- column driver: who charged; several: empty
-- column payments: references at the providers; several: empty
-- column because: more about it; several: empty
-- column session_id: for `laddstream session`; empty: no known session, or several
-- column conflicts: payments with rows that contradict each other
SELECT
    multiIf({dimension:String} = 'reason', f.reason, {dimension:String} = 'payer', f.payer,
        {dimension:String} = 'method', arrayStringConcat(f.methods, ', '), {dimension:String} = 'area', f.area,
        {dimension:String} = 'station', f.station_id, {dimension:String} = 'driver', if(f.driver_id = '', f.driver_key, f.driver_id),
        {dimension:String} = 'company', f.company_id, {dimension:String} = 'tenant', f.tenant, '') AS dimension,
    if(uniqExact(f.reason) <= 1, max(f.reason), 'several') AS reason,
    if(uniqExact(f.currency) <= 1, max(f.currency), 'several') AS currency,
    if(uniqExact(f.currency) <= 1, sum(f.difference_incl_vat), NULL) AS difference_incl_vat,
    if(uniqExact(f.currency) <= 1, sum(f.owed_incl_vat), NULL) AS owed_incl_vat,
    if(uniqExact(f.currency) <= 1, sum(f.captured_incl_vat), NULL) AS captured_incl_vat,
    if(uniqExact(f.currency) <= 1, sum(f.refunded_incl_vat), NULL) AS refunded_incl_vat,
    count() AS count,
    min(f.at) AS ended_at,
    max(f.paid_at) AS paid_at,
    sum(f.captures) AS captures,
    if(count() = 1, any(f.payer), '') AS payer,
    if(count() = 1, any(f.station_id), '') AS station,
    if(count() = 1, any(if(f.driver_id = '', f.driver_key, f.driver_id)), '') AS driver,
    if(count() = 1, arrayStringConcat(any(f.payment_ids), ', '), '') AS payments,
    if(count() = 1, any(f.because), '') AS because,
    if(count() = 1 AND max(f.session_id) != toUUID('00000000-0000-0000-0000-000000000000'), toString(max(f.session_id)), '') AS session_id,
    sum(f.conflicts) AS conflicts
FROM mart.reconciliation AS f
WHERE f.at >= {from:DateTime64(3, 'UTC')} AND f.at < {to:DateTime64(3, 'UTC')}
    AND ({dimension:String} != '' OR f.reason NOT IN ('agrees', 'invoiced') OR f.conflicts > 0 OR has({reason:Array(String)}, f.reason))
    AND (empty({tenant:Array(String)}) OR has({tenant:Array(String)}, f.tenant))
    AND (empty({station:Array(String)}) OR has({station:Array(String)}, f.station_id))
    AND (empty({area:Array(String)}) OR has({area:Array(String)}, f.area))
    AND (empty({driver:Array(String)}) OR has({driver:Array(String)}, f.driver_key) OR (f.driver_id != '' AND has({driver:Array(String)}, f.driver_id)))
    AND (empty({company:Array(String)}) OR has({company:Array(String)}, f.company_id))
    AND (empty({payer:Array(String)}) OR has({payer:Array(String)}, f.payer))
    AND (empty({method:Array(String)}) OR hasAny({method:Array(String)}, f.methods))
    AND (empty({reason:Array(String)}) OR has({reason:Array(String)}, f.reason))
    AND (empty({currency:Array(String)}) OR has({currency:Array(String)}, f.currency))
GROUP BY dimension, f.currency,
    if({dimension:String} = '', concat(toString(f.session_id), f.payer, arrayStringConcat(f.payment_ids)), '') WITH TOTALS
ORDER BY f.currency, if({dimension:String} = '', toString(min(f.at), 'UTC'), ''), difference_incl_vat, dimension, payments
LIMIT {limit:UInt64}
