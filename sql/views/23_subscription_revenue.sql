CREATE OR REPLACE VIEW mart.subscription_revenue
(
    day Date COMMENT 'Local day in the zone of the plan',
    tenant LowCardinality(String) COMMENT 'Operator whose data this is',
    plan_id String COMMENT 'Plan',
    driver_id String COMMENT 'Whose subscription',
    company_id String COMMENT 'Company of the driver; empty: none known',
    starts_at DateTime64(3, 'UTC') COMMENT 'Start of the subscription, UTC',
    month String COMMENT 'Month of the fee, YYYY-MM',
    currency String COMMENT 'ISO 4217 code of the amounts',
    amount_excl_vat Decimal(18, 6) COMMENT 'Part of the fee without VAT; the days sum to the fee',
    amount_incl_vat Decimal(18, 6) COMMENT 'Part of the fee with VAT; the days sum to the fee',
    earned UInt8 COMMENT '1: the day has begun; 0: owed already, but still to be earned (deferred)'
)
AS WITH
    (amount, k, n) -> toInt128(intDiv(2 * toInt256(toDecimal128(amount, 6) * 1000000) * k + n, 2 * n)) AS running,
    (amount, k, n) -> toDecimal64(toDecimal128(running(amount, k + 1, n) - running(amount, k, n), 6) / 1000000, 6) AS part
SELECT
    held[nth + 1] AS day, tenant, plan_id, driver_id, company_id, starts_at, month, currency,
    part(amount_excl_vat, nth, days) AS amount_excl_vat, part(f.amount_incl_vat, nth, days) AS amount_incl_vat, day <= today AS earned
FROM mart.subscription_fees AS f
ARRAY JOIN range(days) AS nth
COMMENT 'Fees spread evenly over the days they are for: differences of rounded running sums, never added to session revenue'
