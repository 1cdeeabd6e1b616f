CREATE OR REPLACE VIEW mart.plan_terms
(
    tenant LowCardinality(String) COMMENT 'Operator whose data this is',
    plan_id String COMMENT 'Plan',
    valid_from DateTime64(3, 'UTC') COMMENT 'These terms hold from here on, UTC',
    valid_from_local String COMMENT 'The same on the clock of time_zone, YYYY-MM-DD hh:mm:ss',
    time_zone String COMMENT 'IANA zone whose months and days count: that of the newest terms',
    currency String COMMENT 'ISO 4217 code of fee and cap',
    fee_excl_vat Decimal(18, 6) COMMENT 'Monthly fee without VAT',
    vat_percent Decimal(9, 4) COMMENT 'VAT on the fee, percent',
    included_wh Nullable(Decimal(18, 3)) COMMENT 'Energy included a month, Wh; null: none',
    included_sessions Nullable(UInt32) COMMENT 'Sessions included a month; null: none',
    cap_incl_vat Nullable(Decimal(18, 6)) COMMENT 'Most that the sessions of a month cost, with VAT; null: no cap',
    proration LowCardinality(String) COMMENT 'daily, or none: the full fee for each month begun',
    trial_days UInt32 COMMENT 'Days without fee from the first subscription of a driver to the plan',
    ends_at Nullable(DateTime64(3, 'UTC')) COMMENT 'From here on the plan is deleted, UTC; null: it goes on'
)
AS WITH
    (document, name) -> toDecimal128OrNull(trim(BOTH '"' FROM JSONExtractRaw(document, name)), 6) AS number
SELECT
    p.tenant AS tenant, p.plan_id AS plan_id, p.valid_from AS valid_from, formatDateTime(valid_from, '%F %T', time_zone) AS valid_from_local,
    argMax(if(JSONExtractString(plan_json, 'time_zone') IN (SELECT time_zone FROM system.time_zones), JSONExtractString(plan_json, 'time_zone'), 'UTC'), p.valid_from)
        OVER (PARTITION BY p.tenant, p.plan_id) AS time_zone,
    JSONExtractString(plan_json, 'currency') AS currency,
    ifNull(number(JSONExtractRaw(plan_json, 'monthly_fee'), 'excl_vat'), 0) AS fee_excl_vat,
    ifNull(number(JSONExtractRaw(plan_json, 'monthly_fee'), 'vat'), 0) AS vat_percent,
    number(plan_json, 'included_kwh') * 1000 AS included_wh,
    toUInt32(number(plan_json, 'included_sessions')) AS included_sessions,
    number(plan_json, 'monthly_cap') AS cap_incl_vat,
    if(JSONExtractString(plan_json, 'proration') = 'none', 'none', 'daily') AS proration,
    toUInt32(ifNull(number(plan_json, 'trial_days'), 0)) AS trial_days, ends_at
FROM
(
    SELECT *, minIf(valid_from::Nullable(DateTime64(3, 'UTC')), valid_from > newest) OVER (PARTITION BY tenant, plan_id) AS ends_at
    FROM
    (
        SELECT *, maxIf(valid_from, deleted = 0) OVER (PARTITION BY tenant, plan_id) AS newest
        FROM
        (
            SELECT * FROM ${db}.plans
            WHERE revision <= (SELECT max(revision) FROM mart.catalogue_revisions) OR replaces
            ORDER BY revision > (SELECT max(revision) FROM mart.catalogue_revisions), revision DESC
            LIMIT 1 BY tenant, plan_id, valid_from
        )
    )
) AS p
WHERE deleted = 0
COMMENT 'The terms of each plan as numbers, one row a plan and time they changed'
