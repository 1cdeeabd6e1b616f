CREATE OR REPLACE VIEW mart.subscriptions
(
    tenant LowCardinality(String) COMMENT 'Operator whose data this is',
    driver_id String COMMENT 'Who has the plan',
    plan_id String COMMENT 'Subscription plan',
    starts_at DateTime64(3, 'UTC') COMMENT 'First instant of the plan, UTC',
    ends_at Nullable(DateTime64(3, 'UTC')) COMMENT 'First instant without the plan, UTC; null: no end',
    revision UInt32 COMMENT 'Catalogue revision that wrote the row'
)
AS SELECT
    tenant, driver_id, plan_id, starts_at, ends_at, revision
FROM (
    SELECT * FROM ${db}.subscriptions
    WHERE revision <= (SELECT max(revision) FROM mart.catalogue_revisions) OR replaces
    ORDER BY revision > (SELECT max(revision) FROM mart.catalogue_revisions), revision DESC
    LIMIT 1 BY tenant, driver_id, plan_id, starts_at
)
WHERE NOT deleted
COMMENT 'Who has which subscription plan, from when to when'
