CREATE OR REPLACE VIEW mart.meter_curve
(
    session_id UUID COMMENT 'Session the reading belongs to',
    timestamp DateTime64(3, 'UTC') COMMENT 'When the meter was read, as the charger says, UTC',
    import_wh Nullable(Decimal(18, 3)) COMMENT 'Import register, Wh',
    export_wh Nullable(Decimal(18, 3)) COMMENT 'Export register, Wh',
    power_w Nullable(Decimal(18, 3)) COMMENT 'Power drawn, W',
    soc_percent Nullable(Decimal(9, 3)) COMMENT 'State of charge of the vehicle, percent',
    context LowCardinality(String) COMMENT 'OCPP reading context; Transaction.Begin and .End for the registers of start and stop',
    station_id String COMMENT 'Charging station',
    tenant LowCardinality(String) COMMENT 'Operator whose data this is'
)
AS SELECT
    session_id, timestamp,
    if(type = 'meter_sampled', e.import_wh, meter_wh) AS import_wh,
    export_wh, power_w, soc_percent,
    multiIf(type = 'session_started', 'Transaction.Begin', type = 'session_ended', 'Transaction.End', e.context) AS context,
    station_id, tenant
FROM ${db}.events AS e FINAL
WHERE protocol != 'import'
    AND session_id != toUUID('00000000-0000-0000-0000-000000000000')
    AND (type = 'meter_sampled' OR (type IN ('session_started', 'session_ended') AND meter_wh IS NOT NULL))
COMMENT 'Every meter reading of every session a charger reported; imported rows have no curve'
