CREATE OR REPLACE VIEW mart.companies
(
    tenant LowCardinality(String) COMMENT 'Operator whose data this is',
    company_id String COMMENT 'Company',
    valid_from DateTime64(3, 'UTC') COMMENT 'This row holds from here on, UTC',
    name String COMMENT 'Name for people',
    currency String COMMENT 'ISO 4217 code of its limits',
    pays UInt8 COMMENT '1: it pays for its drivers, by the rules in pays_json',
    share_percent Nullable(Decimal(9, 4)) COMMENT 'Share of a session it pays, percent; null: it pays nothing',
    limit_per_driver_incl_vat Nullable(Decimal(18, 6)) COMMENT 'At most a month and driver with VAT, in units of currency; null: no limit',
    limit_incl_vat Nullable(Decimal(18, 6)) COMMENT 'At most a month with VAT, in units of currency; null: no limit',
    pays_json String COMMENT 'Who, where and when it pays, JSON; empty: never',
    is_newest UInt8 COMMENT '1: the newest row of the company',
    revision UInt32 COMMENT 'Catalogue revision that wrote the row'
)
AS SELECT
    tenant, company_id, valid_from, name, JSONExtractString(company_json, 'currency') AS currency,
    JSONType(company_json, 'pays') = 'Object' AS pays,
    toDecimal64OrNull(JSONExtractString(company_json, 'pays', 'share_percent'), 4) AS share_percent,
    toDecimal64OrNull(JSONExtractString(company_json, 'pays', 'monthly_limit_per_driver'), 6) AS limit_per_driver_incl_vat,
    toDecimal64OrNull(JSONExtractString(company_json, 'pays', 'monthly_limit'), 6) AS limit_incl_vat,
    JSONExtractRaw(company_json, 'pays') AS pays_json, newest AS is_newest, revision
FROM (
    SELECT *, valid_from = max(valid_from) OVER (PARTITION BY tenant, company_id) AS newest
    FROM
    (
        SELECT * FROM ${db}.companies
        WHERE revision <= (SELECT max(revision) FROM mart.catalogue_revisions) OR replaces
        ORDER BY revision > (SELECT max(revision) FROM mart.catalogue_revisions), revision DESC
        LIMIT 1 BY tenant, company_id, valid_from
    )
)
WHERE NOT deleted
COMMENT 'Catalogue of companies that pay for drivers; the newest row of each: is_newest = 1'
