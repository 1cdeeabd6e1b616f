CREATE OR REPLACE VIEW mart.company_terms
(
    tenant LowCardinality(String) COMMENT 'Operator whose data this is',
    company_id String COMMENT 'Company',
    valid_from DateTime64(3, 'UTC') COMMENT 'These terms hold from here on, UTC',
    valid_from_local String COMMENT 'The same on the clock of time_zone (else UTC), YYYY-MM-DD hh:mm:ss',
    time_zone String COMMENT 'IANA zone whose months count: that of the newest terms; empty: that of the plan, else the station',
    currency String COMMENT 'ISO 4217 code of the limits',
    share_percent Decimal(9, 4) COMMENT 'Share of a session the company pays, percent',
    driver_limit_incl_vat Nullable(Decimal(18, 6)) COMMENT 'Most it pays for a driver a month, with VAT; null: no limit',
    limit_incl_vat Nullable(Decimal(18, 6)) COMMENT 'Most it pays a month, with VAT; null: no limit'
)
AS WITH
    (document, name) -> toDecimal128OrNull(trim(BOTH '"' FROM JSONExtractRaw(document, 'pays', name)), 6) AS number
SELECT
    c.tenant AS tenant, c.company_id AS company_id, c.valid_from AS valid_from,
    formatDateTime(valid_from, '%F %T', if(time_zone = '', 'UTC', time_zone)) AS valid_from_local,
    argMax(if(JSONExtractString(company_json, 'time_zone') IN (SELECT time_zone FROM system.time_zones), JSONExtractString(company_json, 'time_zone'), ''), c.valid_from)
        OVER (PARTITION BY c.tenant, c.company_id) AS time_zone,
    JSONExtractString(company_json, 'currency') AS currency,
    ifNull(number(company_json, 'share_percent'), 100) AS share_percent,
    number(company_json, 'monthly_limit_per_driver') AS driver_limit_incl_vat,
    number(company_json, 'monthly_limit') AS limit_incl_vat
FROM
(
    SELECT * FROM ${db}.companies
    WHERE revision <= (SELECT max(revision) FROM mart.catalogue_revisions) OR replaces
    ORDER BY revision > (SELECT max(revision) FROM mart.catalogue_revisions), revision DESC
    LIMIT 1 BY tenant, company_id, valid_from
) AS c
WHERE deleted = 0
COMMENT 'How much each company pays for its drivers as numbers, one row a company and time it changed'
