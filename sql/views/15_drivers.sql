CREATE OR REPLACE VIEW mart.drivers
(
    tenant LowCardinality(String) COMMENT 'Operator whose data this is',
    driver_key String COMMENT 'Token as chargers send it; letter case is ignored',
    valid_from DateTime64(3, 'UTC') COMMENT 'This row holds from here on, UTC',
    driver_id String COMMENT 'Who it belongs to; several tokens may share it',
    name String COMMENT 'Name for people',
    company_id String COMMENT 'Company of the driver; empty: none',
    groups Array(String) COMMENT 'Groups of the driver',
    partner_id String COMMENT 'Roaming partner that pays; empty: own customer',
    is_newest UInt8 COMMENT '1: the newest row of the token',
    revision UInt32 COMMENT 'Catalogue revision that wrote the row'
)
AS SELECT
    tenant, driver_key, valid_from, driver_id, name, company_id, groups, partner_id,
    newest AS is_newest, revision
FROM (
    SELECT *, valid_from = max(valid_from) OVER (PARTITION BY tenant, driver_key) AS newest
    FROM
    (
        SELECT * FROM ${db}.drivers
        WHERE revision <= (SELECT max(revision) FROM mart.catalogue_revisions) OR replaces
        ORDER BY revision > (SELECT max(revision) FROM mart.catalogue_revisions), revision DESC
        LIMIT 1 BY tenant, driver_key, valid_from
    )
)
WHERE NOT deleted
COMMENT 'Catalogue of drivers, one row a token and time it changed; the newest: is_newest = 1'
