-- The catalogue: who drives, who pays, on which terms; versioned in time, published under one revision.
-- A row holds from valid_from until the next row of the same key; deleted = 1 ends it.
CREATE TABLE IF NOT EXISTS drivers
(
    tenant LowCardinality(String),
    driver_key String,
    valid_from DateTime64(3, 'UTC') DEFAULT toDateTime64(0, 3, 'UTC'),
    revision UInt32,
    driver_id String,
    name String DEFAULT '',
    company_id String DEFAULT '',
    groups Array(String),
    partner_id String DEFAULT '',
    deleted UInt8 DEFAULT 0
)
ENGINE = ReplacingMergeTree(revision)
ORDER BY (tenant, driver_key, valid_from)
SETTINGS non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS companies
(
    tenant LowCardinality(String),
    company_id String,
    valid_from DateTime64(3, 'UTC') DEFAULT toDateTime64(0, 3, 'UTC'),
    revision UInt32,
    name String DEFAULT '',
    company_json String CODEC(ZSTD(1)),
    deleted UInt8 DEFAULT 0
)
ENGINE = ReplacingMergeTree(revision)
ORDER BY (tenant, company_id, valid_from)
SETTINGS non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS plans
(
    tenant LowCardinality(String),
    plan_id String,
    valid_from DateTime64(3, 'UTC') DEFAULT toDateTime64(0, 3, 'UTC'),
    revision UInt32,
    name String DEFAULT '',
    plan_json String CODEC(ZSTD(1)),
    deleted UInt8 DEFAULT 0
)
ENGINE = ReplacingMergeTree(revision)
ORDER BY (tenant, plan_id, valid_from)
SETTINGS non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS subscriptions
(
    tenant LowCardinality(String),
    driver_id String,
    plan_id String,
    starts_at DateTime64(3, 'UTC'),
    revision UInt32,
    ends_at Nullable(DateTime64(3, 'UTC')),
    deleted UInt8 DEFAULT 0
)
ENGINE = ReplacingMergeTree(revision)
ORDER BY (tenant, driver_id, plan_id, starts_at)
SETTINGS non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS assignments
(
    tenant LowCardinality(String),
    assignment_id String,
    valid_from DateTime64(3, 'UTC') DEFAULT toDateTime64(0, 3, 'UTC'),
    revision UInt32,
    valid_until Nullable(DateTime64(3, 'UTC')),
    priority Int32 DEFAULT 0,
    tariff_id String DEFAULT '',
    free UInt8 DEFAULT 0,
    stations Array(String),
    areas Array(String),
    driver_group String DEFAULT '',
    company_id String DEFAULT '',
    partner_id String DEFAULT '',
    deleted UInt8 DEFAULT 0
)
ENGINE = ReplacingMergeTree(revision)
ORDER BY (tenant, assignment_id, valid_from)
SETTINGS non_replicated_deduplication_window = 1000;

-- A revision is visible from the moment its row is here: it is written after everything it publishes.
CREATE TABLE IF NOT EXISTS catalogue_revisions
(
    revision UInt32,
    published_at DateTime64(3, 'UTC') DEFAULT now64(3),
    summary String DEFAULT ''
)
ENGINE = ReplacingMergeTree(published_at)
ORDER BY revision
SETTINGS non_replicated_deduplication_window = 1000;

ALTER TABLE stations
    ADD COLUMN IF NOT EXISTS location_id String DEFAULT '',
    ADD COLUMN IF NOT EXISTS connectors String DEFAULT '',
    ADD COLUMN IF NOT EXISTS deleted UInt8 DEFAULT 0;

ALTER TABLE tariffs
    ADD COLUMN IF NOT EXISTS deleted UInt8 DEFAULT 0;
