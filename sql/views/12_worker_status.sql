CREATE OR REPLACE VIEW mart.worker_status
(
    worker_id String COMMENT 'One worker process',
    at DateTime64(3, 'UTC') COMMENT 'When it last said so, UTC',
    started_at DateTime64(3, 'UTC') COMMENT 'When it started, UTC',
    events_total UInt64 COMMENT 'Events accepted since the start',
    duplicates_total UInt64 COMMENT 'Events that were known already',
    dead_letters_total UInt64 COMMENT 'Values set aside',
    open_sessions UInt32 COMMENT 'Sessions in memory that have not ended',
    dirty_sessions UInt32 COMMENT 'Sessions whose newest state is not written yet',
    cpu_s Decimal(18, 3) COMMENT 'CPU time used, seconds',
    positions Map(String, Int64) COMMENT 'Next offset to read, by topic-partition'
)
AS SELECT
    worker_id, at, started_at, events_total, duplicates_total, dead_letters_total,
    open_sessions, dirty_sessions, cpu_s, positions
FROM ${db}.worker_status FINAL
COMMENT 'What each worker last said of itself; alive: at newer than ten seconds'
