-- title: Subscription revenue
-- about: fees spread over the days they are for, apart from session revenue; one row a currency
-- period: month day week quarter year none
-- dimension: plan driver company tenant none
-- narrow: deferred_excl_vat amount_excl_vat
-- column period: day, month … in the zone of each plan
-- column dimension: the plan, driver … chosen with --by
-- column currency: ISO 4217 code, one row each
-- column amount_incl_vat: earned with VAT, exact: days that have begun
-- column amount_excl_vat: earned without VAT, exact
-- column deferred_incl_vat: due already but not earned yet (days to come), with VAT
-- column deferred_excl_vat: the same without VAT
-- column subscriptions: different subscriptions
-- column drivers: different drivers
SELECT
    formatDateTime(f.day, multiIf({period:String} = 'day', '%F',
        {period:String} = 'week', '%G-W%V', {period:String} = 'month', '%Y-%m', {period:String} = 'quarter', '%Y-Q%Q',
        {period:String} = 'year', '%Y', '')) AS period,
    multiIf({dimension:String} = 'plan', f.plan_id, {dimension:String} = 'driver', f.driver_id,
        {dimension:String} = 'company', f.company_id, {dimension:String} = 'tenant', f.tenant, '') AS dimension,
    if(uniqExactIf(f.currency, f.currency != '') <= 1, max(f.currency), 'several') AS currency,
    if(uniqExactIf(f.currency, f.currency != '') <= 1, sumIf(f.amount_incl_vat, f.earned), NULL) AS amount_incl_vat,
    if(uniqExactIf(f.currency, f.currency != '') <= 1, sumIf(f.amount_excl_vat, f.earned), NULL) AS amount_excl_vat,
    if(uniqExactIf(f.currency, f.currency != '') <= 1, sumIf(f.amount_incl_vat, NOT f.earned), NULL) AS deferred_incl_vat,
    if(uniqExactIf(f.currency, f.currency != '') <= 1, sumIf(f.amount_excl_vat, NOT f.earned), NULL) AS deferred_excl_vat,
    uniqExact(f.tenant, f.driver_id, f.plan_id, f.starts_at) AS subscriptions,
    uniqExact(f.tenant, f.driver_id) AS drivers
FROM mart.subscription_revenue AS f
WHERE f.day >= toDate32({from:DateTime64(3, 'UTC')}, {tz:String}) AND f.day < toDate32({to:DateTime64(3, 'UTC')} + INTERVAL 86399 SECOND, {tz:String})
    AND (empty({tenant:Array(String)}) OR has({tenant:Array(String)}, f.tenant))
    AND (empty({driver:Array(String)}) OR has({driver:Array(String)}, f.driver_id))
    AND (empty({company:Array(String)}) OR has({company:Array(String)}, f.company_id))
    AND (empty({plan:Array(String)}) OR has({plan:Array(String)}, f.plan_id))
    AND (empty({currency:Array(String)}) OR has({currency:Array(String)}, f.currency))
GROUP BY period, dimension, f.currency WITH TOTALS
ORDER BY period, f.currency, amount_incl_vat DESC, dimension
LIMIT {limit:UInt64}
