-- Payments: every accepted payment event, once per payload. Amounts are above zero; kind says which way.
-- identity: a hash of everything the event states, so that a resent event lands on its own row and one
-- that contradicts it (same reference, kind and instant) is kept beside it; mart.payments flags both.
CREATE TABLE IF NOT EXISTS payments
(
    tenant LowCardinality(String),
    psp LowCardinality(String) DEFAULT '',
    payment_id String CODEC(ZSTD(1)),
    kind LowCardinality(String),
    timestamp DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    amount Decimal(18, 6),
    currency LowCardinality(String),
    method LowCardinality(String) DEFAULT 'other',
    session_id UUID DEFAULT toUUID('00000000-0000-0000-0000-000000000000'),
    station_id String DEFAULT '' CODEC(ZSTD(1)),
    transaction_id String DEFAULT '' CODEC(ZSTD(1)),
    driver_key String DEFAULT '' CODEC(ZSTD(1)),
    psp_token String DEFAULT '' CODEC(ZSTD(1)),
    card_brand LowCardinality(String) DEFAULT '',
    card_last4 String DEFAULT '',
    reference String DEFAULT '' CODEC(ZSTD(1)),
    description String DEFAULT '' CODEC(ZSTD(1)),
    fee_amount Nullable(Decimal(18, 6)),
    settlement_id String DEFAULT '' CODEC(ZSTD(1)),
    flags Array(LowCardinality(String)),
    kafka_topic LowCardinality(String) DEFAULT '',
    kafka_partition Int32 DEFAULT -1,
    kafka_offset Int64 DEFAULT -1,
    kafka_index Int32 DEFAULT -1,
    ingested_at DateTime64(3, 'UTC') DEFAULT now64(3),
    identity UInt128 MATERIALIZED reinterpretAsUInt128(sipHash128(
        tenant, psp, payment_id, kind, toInt64(toUnixTimestamp64Milli(timestamp)), amount, currency, method,
        session_id, station_id, transaction_id, driver_key, psp_token, card_brand, card_last4, reference,
        description, isNull(fee_amount), ifNull(fee_amount, 0), settlement_id))
)
ENGINE = ReplacingMergeTree
ORDER BY (tenant, psp, payment_id, kind, timestamp, identity)
SETTINGS non_replicated_deduplication_window = 1000;
