-- title: Ledger
-- about: what everyone owes by kind of entry, sessions and subscriptions; --by session: what and why
-- period: month day week quarter year none
-- dimension: none kind payer account session driver company plan area station tariff tenant
-- narrow: because amount_vat amount_excl_vat count payer
-- column period: month, day … of posting, on the clock of --tz
-- column dimension: the plan, driver … chosen with --by; account: payer and id
-- column kind: session, adjustment, included_session, included_energy, cap, company_share, company_limit, subscription_fee or rounding
-- column payer: driver, company, partner or nobody
-- column currency: ISO 4217 code, one row each
-- column amount_incl_vat: with VAT, exact
-- column amount_vat: VAT, exact
-- column amount_excl_vat: without VAT, exact
-- column count: entries
-- column because: --by session: why
SELECT
    formatDateTime(f.at, multiIf({period:String} = 'day', '%F',
        {period:String} = 'week', '%G-W%V', {period:String} = 'month', '%Y-%m', {period:String} = 'quarter', '%Y-Q%Q',
        {period:String} = 'year', '%Y', ''), {tz:String}) AS period,
    multiIf({dimension:String} = 'kind', f.kind, {dimension:String} = 'payer', f.payer, {dimension:String} = 'account', concat(f.payer, ' ', f.payer_id),
        {dimension:String} = 'session', ifNull(toString(f.session_id), concat('fee ', f.plan_id)),
        {dimension:String} = 'driver', if(f.driver_id = '', f.driver_key, f.driver_id), {dimension:String} = 'company', f.company_id,
        {dimension:String} = 'plan', f.plan_id, {dimension:String} = 'area', f.area, {dimension:String} = 'station', f.station_id,
        {dimension:String} = 'tariff', f.tariff_id, {dimension:String} = 'tenant', f.tenant, '') AS dimension,
    f.kind AS kind,
    f.payer AS payer,
    if(uniqExactIf(f.currency, f.currency != '') <= 1, max(f.currency), 'several') AS currency,
    if(uniqExactIf(f.currency, f.currency != '') <= 1, sum(f.amount_incl_vat), NULL) AS amount_incl_vat,
    if(uniqExactIf(f.currency, f.currency != '') <= 1, sum(f.amount_vat), NULL) AS amount_vat,
    if(uniqExactIf(f.currency, f.currency != '') <= 1, sum(f.amount_excl_vat), NULL) AS amount_excl_vat,
    count() AS count,
    if({dimension:String} = 'session', arrayStringConcat(groupUniqArray(f.because), '; '), '') AS because
FROM mart.ledger AS f
WHERE f.at >= {from:DateTime64(3, 'UTC')} AND f.at < {to:DateTime64(3, 'UTC')}
    AND (empty({tenant:Array(String)}) OR has({tenant:Array(String)}, f.tenant))
    AND (empty({station:Array(String)}) OR has({station:Array(String)}, f.station_id))
    AND (empty({area:Array(String)}) OR has({area:Array(String)}, f.area))
    AND (empty({driver:Array(String)}) OR has({driver:Array(String)}, f.driver_key) OR (f.driver_id != '' AND has({driver:Array(String)}, f.driver_id)))
    AND (empty({company:Array(String)}) OR has({company:Array(String)}, f.company_id))
    AND (empty({tariff:Array(String)}) OR has({tariff:Array(String)}, f.tariff_id))
    AND (empty({plan:Array(String)}) OR has({plan:Array(String)}, f.plan_id))
    AND (empty({payer:Array(String)}) OR has({payer:Array(String)}, f.payer))
    AND (empty({currency:Array(String)}) OR has({currency:Array(String)}, f.currency))
    AND (empty({kind:Array(String)}) OR has({kind:Array(String)}, f.kind))
GROUP BY period, dimension, f.kind, f.payer, f.currency WITH TOTALS
ORDER BY period, f.currency, dimension, payer, f.kind != 'session', f.kind != 'subscription_fee', kind
LIMIT {limit:UInt64}
