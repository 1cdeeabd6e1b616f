CREATE OR REPLACE VIEW mart.dead_letters
(
    dead_letter_id String COMMENT 'TOPIC-PARTITION-OFFSET, followed by -INDEX inside a JSON array',
    tenant String COMMENT 'Operator, as far as the key of the record tells',
    station_id String COMMENT 'Charging station, as far as the key of the record tells',
    reason LowCardinality(String) COMMENT 'Why it could not be processed; the list is schemas.errors.Reason',
    field String COMMENT 'Path of the field at fault; empty: the whole value',
    detail String COMMENT 'One sentence',
    size_bytes UInt32 COMMENT 'Size of the value, bytes',
    kafka_topic LowCardinality(String) COMMENT 'Topic it was read from',
    kafka_partition Int32 COMMENT 'Partition it was read from',
    kafka_offset Int64 COMMENT 'Offset it was read from',
    kafka_index Int32 COMMENT 'Position in the JSON array of the record; -1: the whole record',
    kafka_key String COMMENT 'Key of the record',
    head String COMMENT 'Beginning of the value, readable; the untouched bytes are in the dead-letter topic',
    at DateTime64(3, 'UTC') COMMENT 'When it was set aside, UTC'
)
AS SELECT
    concat(kafka_topic, '-', toString(kafka_partition), '-', toString(kafka_offset), if(kafka_index < 0, '', concat('-', toString(kafka_index)))) AS dead_letter_id,
    if(position(kafka_key, '/') > 0, substring(kafka_key, 1, position(kafka_key, '/') - 1), '') AS tenant,
    if(position(kafka_key, '/') > 0, substring(kafka_key, position(kafka_key, '/') + 1), '') AS station_id,
    reason, field, detail, size_bytes, kafka_topic, kafka_partition, kafka_offset, kafka_index, kafka_key, head, at
FROM ${db}.dead_letters FINAL
COMMENT 'What came in and could not be processed, once each, with the reason'
