CREATE OR REPLACE VIEW mart.freshness
(
    tenant LowCardinality(String) COMMENT 'Operator whose data this is',
    newest_event_at DateTime64(3, 'UTC') COMMENT 'Latest time stamp of any event, UTC; chargers with wrong clocks show here',
    newest_write_at DateTime64(3, 'UTC') COMMENT 'When an event was last written, UTC',
    newest_session_write_at DateTime64(3, 'UTC') COMMENT 'When a session was last written, UTC; 1970: never',
    open_sessions UInt64 COMMENT 'Sessions that have not ended'
)
AS SELECT
    tenant, e.newest_event_at AS newest_event_at, e.newest_write_at AS newest_write_at,
    s.newest_session_write_at AS newest_session_write_at, s.open_sessions AS open_sessions
FROM
(
    SELECT tenant, max(timestamp) AS newest_event_at, max(ingested_at) AS newest_write_at
    FROM ${db}.events GROUP BY tenant
) AS e
LEFT JOIN
(
    SELECT tenant, max(updated_at) AS newest_session_write_at, countIf(status IN ('pending', 'active')) AS open_sessions
    FROM mart.sessions GROUP BY tenant
) AS s USING (tenant)
COMMENT 'How new the data is: every figure of mart is as of these times'
