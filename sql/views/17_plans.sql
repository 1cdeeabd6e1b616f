CREATE OR REPLACE VIEW mart.plans
(
    tenant LowCardinality(String) COMMENT 'Operator whose data this is',
    plan_id String COMMENT 'Subscription plan',
    valid_from DateTime64(3, 'UTC') COMMENT 'This row holds from here on, UTC',
    name String COMMENT 'Name for people',
    currency String COMMENT 'ISO 4217 code of its amounts',
    monthly_fee_excl_vat Nullable(Decimal(18, 6)) COMMENT 'Fee a month without VAT, in units of currency',
    vat_percent Nullable(Decimal(9, 4)) COMMENT 'VAT of the fee, percent; null: VAT does not apply',
    included_kwh Nullable(Decimal(18, 6)) COMMENT 'Energy included in a month, kWh; null: none',
    included_sessions Nullable(UInt32) COMMENT 'Sessions included in a month; null: none',
    discount_percent Nullable(Decimal(9, 4)) COMMENT 'Taken off the price of a session, percent; null: nothing',
    tariff_id String COMMENT 'Own tariff, instead of that of the station; empty: none',
    monthly_cap_incl_vat Nullable(Decimal(18, 6)) COMMENT 'Sessions cost at most this a month with VAT, in units of currency; null: no cap',
    proration String COMMENT 'daily: a part of a month costs a part of the fee; none: all of it',
    trial_days UInt32 COMMENT 'Days without fee at the beginning',
    time_zone String COMMENT 'Clock of its months',
    is_newest UInt8 COMMENT '1: the newest row of the plan',
    revision UInt32 COMMENT 'Catalogue revision that wrote the row'
)
AS SELECT
    tenant, plan_id, valid_from, name, JSONExtractString(plan_json, 'currency') AS currency,
    toDecimal64OrNull(JSONExtractString(plan_json, 'monthly_fee', 'excl_vat'), 6) AS monthly_fee_excl_vat,
    toDecimal64OrNull(JSONExtractString(plan_json, 'monthly_fee', 'vat'), 4) AS vat_percent,
    toDecimal64OrNull(JSONExtractString(plan_json, 'included_kwh'), 6) AS included_kwh,
    JSONExtract(plan_json, 'included_sessions', 'Nullable(UInt32)') AS included_sessions,
    toDecimal64OrNull(JSONExtractString(plan_json, 'discount_percent'), 4) AS discount_percent,
    JSONExtractString(plan_json, 'tariff_id') AS tariff_id,
    toDecimal64OrNull(JSONExtractString(plan_json, 'monthly_cap'), 6) AS monthly_cap_incl_vat,
    JSONExtractString(plan_json, 'proration') AS proration,
    JSONExtractUInt(plan_json, 'trial_days') AS trial_days,
    JSONExtractString(plan_json, 'time_zone') AS time_zone, newest AS is_newest, revision
FROM (
    SELECT *, valid_from = max(valid_from) OVER (PARTITION BY tenant, plan_id) AS newest
    FROM
    (
        SELECT * FROM ${db}.plans
        WHERE revision <= (SELECT max(revision) FROM mart.catalogue_revisions) OR replaces
        ORDER BY revision > (SELECT max(revision) FROM mart.catalogue_revisions), revision DESC
        LIMIT 1 BY tenant, plan_id, valid_from
    )
)
WHERE NOT deleted
COMMENT 'Catalogue of subscription plans; the newest row of each: is_newest = 1'
