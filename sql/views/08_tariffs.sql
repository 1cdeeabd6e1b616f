CREATE OR REPLACE VIEW mart.tariffs
(
    tenant LowCardinality(String) COMMENT 'Operator whose data this is',
    tariff_id String COMMENT 'Tariff',
    valid_from DateTime64(3, 'UTC') COMMENT 'This row holds from here on, UTC',
    currency String COMMENT 'ISO 4217 code of its prices',
    ocpi_json String COMMENT 'The tariff as it was loaded: OCPI Tariff or OCPP 2.1 tariff, JSON',
    is_newest UInt8 COMMENT '1: the newest row of the tariff',
    revision UInt32 COMMENT 'Catalogue revision that wrote the row'
)
AS SELECT
    tenant, tariff_id, valid_from, JSONExtractString(ocpi_json, 'currency') AS currency, ocpi_json,
    newest AS is_newest, revision
FROM (
    SELECT *, valid_from = max(valid_from) OVER (PARTITION BY tenant, tariff_id) AS newest
    FROM
    (
        SELECT * FROM ${db}.tariffs
        WHERE revision <= (SELECT max(revision) FROM mart.catalogue_revisions) OR replaces
        ORDER BY revision > (SELECT max(revision) FROM mart.catalogue_revisions), revision DESC
        LIMIT 1 BY tenant, tariff_id, valid_from
    )
)
WHERE NOT deleted
COMMENT 'Catalogue of tariffs, one row a tariff and time it changed; the newest: is_newest = 1'
