-- Derived tables: pure functions of `events` and the catalogue; droppable and rebuildable.
-- version = catalogue revision << 40 | moves << 28 | knowledge: more knowledge, higher version, wins.
CREATE TABLE IF NOT EXISTS sessions
(
    tenant LowCardinality(String),
    station_id String CODEC(ZSTD(1)),
    session_id UUID,
    version UInt64,
    protocol LowCardinality(String),
    evse_id Nullable(Int32),
    connector_id Nullable(Int32),
    transaction_id String,
    transaction_ids Array(String),
    driver_key String,
    company_id String DEFAULT '',
    area LowCardinality(String),
    city LowCardinality(String),
    country LowCardinality(String),
    time_zone LowCardinality(String),
    status LowCardinality(String),
    started_at Nullable(DateTime64(3, 'UTC')),
    ended_at Nullable(DateTime64(3, 'UTC')),
    last_event_at DateTime64(3, 'UTC'),
    first_event_at DateTime64(3, 'UTC'),
    meter_start_wh Nullable(Decimal(18, 3)),
    meter_stop_wh Nullable(Decimal(18, 3)),
    energy_wh Nullable(Decimal(18, 3)),
    export_wh Decimal(18, 3),
    duration_s Decimal(18, 3),
    charging_s Decimal(18, 3),
    idle_s Decimal(18, 3),
    suspended_evse_s Decimal(18, 3),
    max_power_w Nullable(Decimal(18, 3)),
    stop_reason LowCardinality(String),
    currency LowCardinality(String),
    tariff_id String,
    amount_excl_vat Nullable(Decimal(18, 6)),
    amount_vat Nullable(Decimal(18, 6)),
    amount_incl_vat Nullable(Decimal(18, 6)),
    payment_method LowCardinality(String) DEFAULT '',
    paid_amount Nullable(Decimal(18, 6)),
    paid_currency LowCardinality(String) DEFAULT '',
    grade LowCardinality(String),
    flags Array(LowCardinality(String)),
    quarantine_reason LowCardinality(String),
    event_count UInt32,
    slice_first Nullable(DateTime('UTC')),
    slice_last Nullable(DateTime('UTC')),
    updated_at DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (tenant, station_id, session_id)
SETTINGS index_granularity = 1024, non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS session_slices
(
    tenant LowCardinality(String),
    slice_start DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    station_id String CODEC(ZSTD(1)),
    session_id UUID,
    version UInt64,
    area LowCardinality(String),
    driver_key String CODEC(ZSTD(1)),
    tariff_id LowCardinality(String),
    currency LowCardinality(String),
    energy_wh Decimal(18, 3),
    export_wh Decimal(18, 3),
    occupied_s Decimal(9, 3),
    charging_s Decimal(9, 3),
    idle_s Decimal(9, 3),
    amount_excl_vat Decimal(18, 6),
    amount_incl_vat Decimal(18, 6),
    provisional UInt8,
    counted UInt8,
    updated_at DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(slice_start)
ORDER BY (tenant, slice_start, station_id, session_id)
SETTINGS non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS session_charges
(
    tenant LowCardinality(String),
    session_id UUID,
    line UInt16,
    version UInt64,
    dimension LowCardinality(String),
    quantity Decimal(18, 6),
    unit LowCardinality(String),
    unit_price Decimal(18, 6),
    vat_percent Nullable(Decimal(9, 4)),
    amount_excl_vat Decimal(18, 6),
    amount_vat Decimal(18, 6),
    currency LowCardinality(String),
    because String,
    updated_at DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (tenant, session_id, line)
SETTINGS non_replicated_deduplication_window = 1000;
