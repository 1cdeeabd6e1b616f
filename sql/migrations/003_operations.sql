-- What was set aside, what the workers say of themselves, and the master data.
CREATE TABLE IF NOT EXISTS dead_letters
(
    kafka_topic LowCardinality(String),
    kafka_partition Int32,
    kafka_offset Int64,
    kafka_index Int32,
    reason LowCardinality(String),
    field String,
    detail String,
    size_bytes UInt32,
    kafka_key String,
    head String,
    at DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = ReplacingMergeTree(at)
ORDER BY (kafka_topic, kafka_partition, kafka_offset, kafka_index)
SETTINGS non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS worker_status
(
    worker_id String,
    at DateTime64(3, 'UTC'),
    started_at DateTime64(3, 'UTC'),
    events_total UInt64,
    duplicates_total UInt64,
    dead_letters_total UInt64,
    open_sessions UInt32,
    dirty_sessions UInt32,
    cpu_s Decimal(18, 3),
    positions Map(String, Int64)
)
ENGINE = ReplacingMergeTree(at)
ORDER BY worker_id
SETTINGS non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS stations
(
    tenant LowCardinality(String),
    station_id String,
    valid_from DateTime64(3, 'UTC') DEFAULT toDateTime64(0, 3, 'UTC'),
    revision UInt32,
    name String DEFAULT '',
    area LowCardinality(String) DEFAULT '',
    city LowCardinality(String) DEFAULT '',
    region LowCardinality(String) DEFAULT '',
    country LowCardinality(String) DEFAULT '',
    latitude Nullable(Decimal(9, 6)),
    longitude Nullable(Decimal(9, 6)),
    time_zone LowCardinality(String) DEFAULT '',
    rated_power_w Nullable(UInt32),
    tariff_id String DEFAULT ''
)
ENGINE = ReplacingMergeTree(revision)
ORDER BY (tenant, station_id, valid_from)
SETTINGS non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS tariffs
(
    tenant LowCardinality(String),
    tariff_id String,
    valid_from DateTime64(3, 'UTC') DEFAULT toDateTime64(0, 3, 'UTC'),
    revision UInt32,
    ocpi_json String CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(revision)
ORDER BY (tenant, tariff_id, valid_from)
SETTINGS non_replicated_deduplication_window = 1000;
