-- Three ways to say when a session counts, never mixed: choose one basis in every query.
CREATE OR REPLACE VIEW mart.facts
(
    basis String COMMENT 'accrual: a row a quarter of an hour, when it happened; completion: a row a session, when it ended; start: a row a session, when it started',
    at DateTime64(3, 'UTC') COMMENT 'When the row counts, UTC; a session that is not in the totals counts at its start, else first event',
    state String COMMENT 'counted: in the standard totals; open: not ended yet; set_aside: left out for a reason',
    session_id UUID COMMENT 'The session',
    tenant LowCardinality(String) COMMENT 'Operator whose data this is',
    station_id String COMMENT 'Charging station',
    connector_id Nullable(Int32) COMMENT 'Connector number',
    area LowCardinality(String) COMMENT 'Area or site',
    city LowCardinality(String) COMMENT 'City of the station',
    country LowCardinality(String) COMMENT 'Country of the station',
    driver_key String COMMENT 'Who charges: the id token as stored',
    tariff_id LowCardinality(String) COMMENT 'Tariff the session was priced with',
    currency LowCardinality(String) COMMENT 'ISO 4217 code of the amounts; empty: not priced',
    energy_wh Nullable(Decimal(18, 3)) COMMENT 'Energy, Wh',
    occupied_s Decimal(18, 3) COMMENT 'Occupied time, seconds',
    charging_s Decimal(18, 3) COMMENT 'Time with energy flowing, seconds',
    idle_s Decimal(18, 3) COMMENT 'Connected without asking for energy, seconds',
    amount_excl_vat Nullable(Decimal(18, 6)) COMMENT 'Price without VAT, in units of currency',
    amount_incl_vat Nullable(Decimal(18, 6)) COMMENT 'Price with VAT, in units of currency'
)
AS
SELECT
    'accrual' AS basis, toDateTime64(c.slice_start, 3, 'UTC') AS at,
    multiIf(c.provisional = 1, 'open', c.counted = 1, 'counted', 'set_aside') AS state,
    c.session_id, c.tenant, c.station_id, s.connector_id, c.area, s.city, s.country, c.driver_key, c.tariff_id, c.currency,
    c.energy_wh, c.occupied_s, c.charging_s, c.idle_s, c.amount_excl_vat, c.amount_incl_vat
FROM mart.session_slices AS c
LEFT ANY JOIN (SELECT session_id, connector_id, city, country FROM mart.sessions) AS s ON s.session_id = c.session_id
UNION ALL
SELECT
    arrayJoin(['completion', 'start']) AS basis,
    if(basis = 'completion' AND quarantine_reason = '', assumeNotNull(ended_at), coalesce(started_at, first_event_at)) AS at,
    multiIf(quarantine_reason = '', 'counted', status IN ('pending', 'active'), 'open', 'set_aside') AS state,
    session_id, tenant, station_id, connector_id, area, city, country, driver_key, tariff_id, currency,
    energy_wh, duration_s, charging_s, idle_s, amount_excl_vat, amount_incl_vat
FROM mart.sessions
COMMENT 'What reports add up: sessions and slices with the instant they count at. Always filter on one basis'
