CREATE OR REPLACE VIEW mart.assignments
(
    tenant LowCardinality(String) COMMENT 'Operator whose data this is',
    assignment_id String COMMENT 'Assignment',
    valid_from DateTime64(3, 'UTC') COMMENT 'This row holds from here on, UTC',
    valid_until Nullable(DateTime64(3, 'UTC')) COMMENT 'It holds before this instant, UTC; null: no end',
    priority Int32 COMMENT 'The highest that matches wins',
    tariff_id String COMMENT 'Tariff that it assigns; empty: free of charge',
    free UInt8 COMMENT '1: free of charge',
    stations Array(String) COMMENT 'Only at these stations; empty: all',
    areas Array(String) COMMENT 'Only in these areas; empty: all',
    driver_group String COMMENT 'Only for this group of drivers; empty: all',
    company_id String COMMENT 'Only for drivers of this company; empty: all',
    partner_id String COMMENT 'Only for drivers of this roaming partner; empty: all',
    is_newest UInt8 COMMENT '1: the newest row of the assignment',
    revision UInt32 COMMENT 'Catalogue revision that wrote the row'
)
AS SELECT
    tenant, assignment_id, valid_from, valid_until, priority, tariff_id, free, stations, areas,
    driver_group, company_id, partner_id, newest AS is_newest, revision
FROM (
    SELECT *, valid_from = max(valid_from) OVER (PARTITION BY tenant, assignment_id) AS newest
    FROM
    (
        SELECT * FROM ${db}.assignments
        WHERE revision <= (SELECT max(revision) FROM mart.catalogue_revisions) OR replaces
        ORDER BY revision > (SELECT max(revision) FROM mart.catalogue_revisions), revision DESC
        LIMIT 1 BY tenant, assignment_id, valid_from
    )
)
WHERE NOT deleted
COMMENT 'Which tariff, or free of charge, for which stations, drivers, companies and partners, and when'
