CREATE OR REPLACE VIEW mart.status_events
(
    tenant LowCardinality(String) COMMENT 'Operator whose data this is',
    station_id String COMMENT 'Charging station',
    evse_id Nullable(Int32) COMMENT 'EVSE number; 0: the whole station',
    connector_id Nullable(Int32) COMMENT 'Connector number; OCPP 1.6: 0 is the whole station',
    timestamp DateTime64(3, 'UTC') COMMENT 'When it happened, as the charger says, UTC',
    status String COMMENT 'OCPP connector status: Available, Charging, Faulted …',
    error_code String COMMENT 'OCPP error code; empty: none sent',
    vendor_error_code String COMMENT 'Error code of the maker; empty: none sent',
    info String COMMENT 'Free text of the charger'
)
AS SELECT
    tenant, station_id, evse_id, connector_id, timestamp,
    JSONExtractString(attributes, 'status') AS status,
    JSONExtractString(attributes, 'error_code') AS error_code,
    JSONExtractString(attributes, 'vendor_error_code') AS vendor_error_code,
    JSONExtractString(attributes, 'info') AS info
FROM ${db}.events FINAL
WHERE type = 'station_status'
COMMENT 'What stations and connectors said of their state (StatusNotification)'
