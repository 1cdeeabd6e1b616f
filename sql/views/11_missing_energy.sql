-- Domain rule: next meterStart > previous meterStop on the same meter. Imports are left out: their registers are made.
CREATE OR REPLACE VIEW mart.missing_energy
(
    tenant LowCardinality(String) COMMENT 'Operator whose data this is',
    station_id String COMMENT 'Charging station',
    meter Nullable(Int32) COMMENT 'EVSE, else connector, whose register it is',
    previous_session_id UUID COMMENT 'Session before the gap',
    next_session_id UUID COMMENT 'Session after the gap',
    from_at Nullable(DateTime64(3, 'UTC')) COMMENT 'End of the session before, UTC',
    to_at Nullable(DateTime64(3, 'UTC')) COMMENT 'Start of the session after, UTC',
    meter_from_wh Nullable(Decimal(18, 3)) COMMENT 'Register at the end of the session before, Wh',
    meter_to_wh Nullable(Decimal(18, 3)) COMMENT 'Register at the start of the session after, Wh',
    missing_wh Decimal(18, 3) COMMENT 'Energy that flowed outside every session, Wh; unbilled, in no total'
)
AS SELECT
    tenant, station_id, meter, previous_session_id, session_id AS next_session_id,
    previous_ended_at AS from_at, started_at AS to_at, previous_stop_wh AS meter_from_wh, meter_start_wh AS meter_to_wh,
    assumeNotNull(meter_start_wh - previous_stop_wh) AS missing_wh
FROM
(
    SELECT
        tenant, station_id, coalesce(evse_id, connector_id) AS meter, session_id, started_at, meter_start_wh,
        lagInFrame(session_id) OVER w AS previous_session_id,
        lagInFrame(ended_at) OVER w AS previous_ended_at,
        lagInFrame(meter_stop_wh) OVER w AS previous_stop_wh
    FROM mart.sessions
    WHERE protocol != 'import' AND started_at IS NOT NULL AND coalesce(evse_id, connector_id) IS NOT NULL
    WINDOW w AS
    (
        PARTITION BY tenant, station_id, coalesce(evse_id, connector_id) ORDER BY started_at, session_id
        ROWS BETWEEN 1 PRECEDING AND CURRENT ROW
    )
)
WHERE meter_start_wh > previous_stop_wh
COMMENT 'Energy a meter counted between two sessions: the next session starts above the stop of the one before'
