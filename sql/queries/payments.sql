-- title: Payments per period, dimension and currency
-- about: captured, refunded and what is left of it; a row a currency: currencies are never added
-- period: month hour day week quarter year none
-- dimension: none method psp kind brand area station driver company settlement tenant
-- narrow: failed_count conflicts authorised_incl_vat unlinked_incl_vat failed_incl_vat fee_incl_vat
-- column period: when it was paid, on the clock of --tz
-- column dimension: the method, provider, … chosen with --by
-- column currency: ISO 4217 code
-- column captured_incl_vat: captured, exact
-- column refunded_incl_vat: given back, exact
-- column net_incl_vat: captured less refunded, exact
-- column count: payment events of every kind
-- column authorised_incl_vat: reserved with the payer: no money yet, exact
-- column failed_incl_vat: tried in vain, exact
-- column failed_count: how often it failed
-- column fee_incl_vat: what providers keep, as far as they told, exact
-- column unlinked_incl_vat: the part of the net that belongs to no known session, exact
-- column conflicts: payments with rows that contradict each other
SELECT
    formatDateTime(f.at, multiIf({period:String} = 'hour', '%F %H:00 %z', {period:String} = 'day', '%F',
        {period:String} = 'week', '%G-W%V', {period:String} = 'month', '%Y-%m', {period:String} = 'quarter', '%Y-Q%Q',
        {period:String} = 'year', '%Y', ''), {tz:String}) AS period,
    multiIf({dimension:String} = 'method', f.method, {dimension:String} = 'psp', f.psp, {dimension:String} = 'kind', f.kind,
        {dimension:String} = 'brand', f.card_brand, {dimension:String} = 'area', f.area, {dimension:String} = 'station', f.station_id,
        {dimension:String} = 'driver', if(f.driver_id = '', f.driver_key, f.driver_id), {dimension:String} = 'company', f.company_id,
        {dimension:String} = 'settlement', f.settlement_id, {dimension:String} = 'tenant', f.tenant, '') AS dimension,
    if(uniqExact(f.currency) <= 1, max(f.currency), 'several') AS currency,
    if(uniqExact(f.currency) <= 1, sumIf(f.amount, f.kind = 'captured'), NULL) AS captured_incl_vat,
    if(uniqExact(f.currency) <= 1, sumIf(f.amount, f.kind = 'refunded'), NULL) AS refunded_incl_vat,
    if(uniqExact(f.currency) <= 1, sumIf(f.amount, f.kind = 'captured') - sumIf(f.amount, f.kind = 'refunded'), NULL) AS net_incl_vat,
    count() AS count,
    if(uniqExact(f.currency) <= 1, sumIf(f.amount, f.kind = 'authorised'), NULL) AS authorised_incl_vat,
    if(uniqExact(f.currency) <= 1, sumIf(f.amount, f.kind = 'failed'), NULL) AS failed_incl_vat,
    countIf(f.kind = 'failed') AS failed_count,
    if(uniqExact(f.currency) <= 1, ifNull(sum(f.fee_amount), 0), NULL) AS fee_incl_vat,
    if(uniqExact(f.currency) <= 1, sumIf(f.amount, f.kind = 'captured' AND f.linked IN ('', 'unknown'))
        - sumIf(f.amount, f.kind = 'refunded' AND f.linked IN ('', 'unknown')), NULL) AS unlinked_incl_vat,
    countIf(f.conflict) AS conflicts
FROM mart.payments AS f
WHERE f.counted AND f.at >= {from:DateTime64(3, 'UTC')} AND f.at < {to:DateTime64(3, 'UTC')}
    AND (empty({tenant:Array(String)}) OR has({tenant:Array(String)}, f.tenant))
    AND (empty({station:Array(String)}) OR has({station:Array(String)}, f.station_id))
    AND (empty({area:Array(String)}) OR has({area:Array(String)}, f.area))
    AND (empty({driver:Array(String)}) OR has({driver:Array(String)}, f.driver_key) OR (f.driver_id != '' AND has({driver:Array(String)}, f.driver_id)))
    AND (empty({company:Array(String)}) OR has({company:Array(String)}, f.company_id))
    AND (empty({method:Array(String)}) OR has({method:Array(String)}, f.method))
    AND (empty({kind:Array(String)}) OR has({kind:Array(String)}, f.kind))
    AND (empty({psp:Array(String)}) OR has({psp:Array(String)}, f.psp))
    AND (empty({currency:Array(String)}) OR has({currency:Array(String)}, f.currency))
GROUP BY period, dimension, f.currency WITH TOTALS
ORDER BY if({period:String} = 'hour', toString(toStartOfHour(min(at), {tz:String}), 'UTC'), period), f.currency, net_incl_vat DESC, dimension
LIMIT {limit:UInt64}
