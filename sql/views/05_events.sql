CREATE OR REPLACE VIEW mart.events
(
    tenant LowCardinality(String) COMMENT 'Operator whose data this is',
    station_id String COMMENT 'Charging station',
    timestamp DateTime64(3, 'UTC') COMMENT 'When it happened, as the charger says, UTC',
    type LowCardinality(String) COMMENT 'session_started, meter_sampled, charging_state_changed, session_ended, session_expired, station_status or authorization',
    session_id Nullable(UUID) COMMENT 'Session that claims the event; null: none',
    protocol LowCardinality(String) COMMENT 'ocpp1.6, ocpp2.0.1, ocpp2.1 or import',
    evse_id Nullable(Int32) COMMENT 'EVSE number; 0: the whole station',
    connector_id Nullable(Int32) COMMENT 'Connector number; OCPP 1.6: 0 is the main meter',
    transaction_id String COMMENT 'Transaction id as sent',
    seq_no Nullable(Int32) COMMENT 'OCPP 2.x sequence number',
    context LowCardinality(String) COMMENT 'OCPP reading context of a sample',
    charging_state LowCardinality(String) COMMENT 'OCPP 2.x charging state',
    id_token String COMMENT 'Token presented',
    meter_wh Nullable(Decimal(18, 3)) COMMENT 'Import register of a start or stop, Wh; null for imported rows, whose registers are sums over the file they came in',
    import_wh Nullable(Decimal(18, 3)) COMMENT 'Import register of a sample, Wh',
    export_wh Nullable(Decimal(18, 3)) COMMENT 'Export register of a sample, Wh',
    power_w Nullable(Decimal(18, 3)) COMMENT 'Power drawn, W',
    soc_percent Nullable(Decimal(9, 3)) COMMENT 'State of charge, percent',
    attributes String COMMENT 'Every further field of the event, JSON; empty: none',
    flags String COMMENT 'What the translation noticed or repaired',
    received_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When the gateway got it, UTC',
    message_id String COMMENT 'OCPP-J message id of one arrival',
    offline UInt8 COMMENT '1: sent from the queue of the charger',
    gateway LowCardinality(String) COMMENT 'Gateway that published it',
    kafka_topic LowCardinality(String) COMMENT 'Topic of one arrival',
    kafka_partition Int32 COMMENT 'Partition of one arrival; -1: not from Kafka',
    kafka_offset Int64 COMMENT 'Offset of one arrival; -1: not from Kafka',
    kafka_index Int32 COMMENT 'Position in the JSON array of the record; -1: the whole record',
    ingested_at DateTime64(3, 'UTC') COMMENT 'When it was written, UTC'
)
AS SELECT
    tenant, station_id, timestamp, type, nullIf(e.session_id, toUUID('00000000-0000-0000-0000-000000000000')) AS session_id,
    protocol, evse_id, connector_id, transaction_id, seq_no, context, charging_state, id_token,
    if(e.protocol = 'import', NULL, e.meter_wh) AS meter_wh, import_wh, export_wh, power_w, soc_percent, attributes, flags,
    received_at, message_id, offline, gateway, kafka_topic, kafka_partition, kafka_offset, kafka_index, ingested_at
FROM ${db}.events AS e FINAL
COMMENT 'Every accepted event once, however often it arrived: the truth everything else is derived from'
