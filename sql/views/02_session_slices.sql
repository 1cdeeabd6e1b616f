CREATE OR REPLACE VIEW mart.session_slices
(
    session_id UUID COMMENT 'Session the slice belongs to',
    slice_start DateTime('UTC') COMMENT 'Start of the 15 minutes, UTC',
    station_id String COMMENT 'Charging station',
    area LowCardinality(String) COMMENT 'Area or site, as known when the row was written',
    driver_key String COMMENT 'Who charges: the id token as stored',
    tariff_id LowCardinality(String) COMMENT 'Tariff the session was priced with',
    currency LowCardinality(String) COMMENT 'ISO 4217 code of the amounts; empty: not priced',
    energy_wh Decimal(18, 3) COMMENT 'Energy that flowed in the slice, Wh; slices sum to the session',
    amount_excl_vat Decimal(18, 6) COMMENT 'Part of the price without VAT, in units of currency; slices sum to the session',
    amount_incl_vat Decimal(18, 6) COMMENT 'Part of the price with VAT, in units of currency; slices sum to the session',
    provisional UInt8 COMMENT '1 while the session is open: the figures may change',
    tenant LowCardinality(String) COMMENT 'Operator whose data this is',
    slice_local Nullable(String) COMMENT 'Start on the clock of the site, YYYY-MM-DD hh:mm:ss; null: zone of the station unknown',
    export_wh Decimal(18, 3) COMMENT 'Energy the vehicle gave back in the slice, Wh',
    occupied_s Decimal(9, 3) COMMENT 'Time of the slice the session occupied, seconds',
    charging_s Decimal(9, 3) COMMENT 'Time of the slice with energy flowing, seconds',
    idle_s Decimal(9, 3) COMMENT 'Time of the slice connected without asking for energy, seconds',
    counted UInt8 COMMENT '1: the session is in the standard totals',
    version UInt64 COMMENT 'Of the row of mart.sessions that changed the slice last'
)
AS SELECT
    c.session_id AS session_id, c.slice_start AS slice_start, c.station_id AS station_id, c.area AS area,
    c.driver_key AS driver_key, c.tariff_id AS tariff_id, c.currency AS currency,
    c.energy_wh AS energy_wh, c.amount_excl_vat AS amount_excl_vat, c.amount_incl_vat AS amount_incl_vat,
    c.provisional AS provisional, c.tenant AS tenant,
    if(z.time_zone IN (SELECT time_zone FROM system.time_zones),
        formatDateTime(c.slice_start, '%F %T', if(z.time_zone IN (SELECT time_zone FROM system.time_zones), z.time_zone, 'UTC')),
        NULL) AS slice_local,
    c.export_wh AS export_wh, c.occupied_s AS occupied_s, c.charging_s AS charging_s, c.idle_s AS idle_s,
    c.counted AS counted, c.version AS version
FROM ${db}.session_slices AS c FINAL
LEFT ANY JOIN
(
    SELECT tenant, station_id, argMax(time_zone, valid_from) AS time_zone
    FROM mart.stations
    GROUP BY tenant, station_id
) AS z ON z.tenant = c.tenant AND z.station_id = c.station_id
WHERE (c.energy_wh, c.export_wh, c.occupied_s, c.charging_s, c.idle_s, c.amount_excl_vat, c.amount_incl_vat)
    != (0, 0, 0, 0, 0, 0, 0)
COMMENT 'Energy, seconds and money of one session in one quarter of an hour (UTC). Standard totals: counted = 1 AND provisional = 0. Slices that no longer apply are not shown'
