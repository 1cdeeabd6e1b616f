-- The truth: every accepted event, once per identity. Registers are exact decimals in Wh.
-- identity: a hash of everything that makes an event what it is; transport facts (message id,
-- gateway, received_at, offline, Kafka coordinates) are left out, so a resent event lands on its own row.
-- An import's registers are sums over the file it came in, so they are carried but not part of the identity.
-- assignment: raised when a later event moves this one to another session.
CREATE TABLE IF NOT EXISTS events
(
    tenant LowCardinality(String),
    station_id String CODEC(ZSTD(1)),
    timestamp DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    type LowCardinality(String),
    session_id UUID DEFAULT toUUID('00000000-0000-0000-0000-000000000000'),
    assignment UInt32 DEFAULT 0,
    protocol LowCardinality(String),
    evse_id Nullable(Int32),
    connector_id Nullable(Int32),
    transaction_id String DEFAULT '' CODEC(ZSTD(1)),
    seq_no Nullable(Int32),
    context LowCardinality(String) DEFAULT '',
    charging_state LowCardinality(String) DEFAULT '',
    id_token String DEFAULT '' CODEC(ZSTD(1)),
    meter_wh Nullable(Decimal(18, 3)),
    import_wh Nullable(Decimal(18, 3)),
    export_wh Nullable(Decimal(18, 3)),
    power_w Nullable(Decimal(18, 3)),
    soc_percent Nullable(Decimal(9, 3)),
    attributes String DEFAULT '' CODEC(ZSTD(1)),
    flags String DEFAULT '' CODEC(ZSTD(1)),
    received_at Nullable(DateTime64(3, 'UTC')),
    message_id String DEFAULT '' CODEC(ZSTD(1)),
    offline UInt8 DEFAULT 0,
    gateway LowCardinality(String) DEFAULT '',
    kafka_topic LowCardinality(String) DEFAULT '',
    kafka_partition Int32 DEFAULT -1,
    kafka_offset Int64 DEFAULT -1 CODEC(Delta, ZSTD(1)),
    kafka_index Int32 DEFAULT -1,
    ingested_at DateTime64(3, 'UTC') DEFAULT now64(3) CODEC(Delta, ZSTD(1)),
    identity UInt128 MATERIALIZED reinterpretAsUInt128(sipHash128(
        tenant, station_id, toInt64(toUnixTimestamp64Milli(timestamp)), type, protocol,
        ifNull(evse_id, -1), ifNull(connector_id, -1), transaction_id, ifNull(seq_no, -1),
        context, charging_state, id_token,
        isNull(meter_wh) OR protocol = 'import', if(protocol = 'import', 0, ifNull(meter_wh, 0)), isNull(import_wh), ifNull(import_wh, 0), isNull(export_wh), ifNull(export_wh, 0),
        isNull(power_w), ifNull(power_w, 0), isNull(soc_percent), ifNull(soc_percent, 0), attributes,
        arrayStringConcat(arraySort(arrayIntersect(splitByChar(',', flags),
            ['clock_bad', 'clock_corrected', 'reading_unreadable', 'timestamp_naive'])), ','))),
    INDEX ix_session session_id TYPE bloom_filter GRANULARITY 4
)
ENGINE = ReplacingMergeTree(assignment)
PARTITION BY toYYYYMM(timestamp)
ORDER BY (tenant, station_id, timestamp, identity)
SETTINGS non_replicated_deduplication_window = 1000;
