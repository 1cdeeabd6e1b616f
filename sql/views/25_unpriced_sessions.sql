CREATE OR REPLACE VIEW mart.unpriced_sessions
(
    tenant LowCardinality(String) COMMENT 'Operator whose data this is',
    session_id UUID COMMENT 'The session',
    reason LowCardinality(String) COMMENT 'Why it has no price: no_tariff (none is assigned), tariff_missing (not in the catalogue) …',
    open UInt8 COMMENT '1: not ended yet',
    tariff_id String COMMENT 'Tariff it should have; empty: none is assigned',
    station_id String COMMENT 'Charging station',
    connector_id Nullable(Int32) COMMENT 'Connector number',
    area LowCardinality(String) COMMENT 'Area or site',
    city LowCardinality(String) COMMENT 'City of the station',
    region LowCardinality(String) COMMENT 'Region of the station',
    country LowCardinality(String) COMMENT 'Country of the station',
    driver_key String COMMENT 'Who charged: the id token as stored',
    driver_id String COMMENT 'The person behind the token; empty: not in the catalogue',
    company_id String COMMENT 'Company of the driver; empty: none known',
    plan_id LowCardinality(String) COMMENT 'Plan of the driver; empty: pay per session',
    payer LowCardinality(String) COMMENT 'Who would be asked first',
    started_at Nullable(DateTime64(3, 'UTC')) COMMENT 'Start, UTC; null: unknown',
    ended_at Nullable(DateTime64(3, 'UTC')) COMMENT 'End, UTC; null while open',
    energy_wh Nullable(Decimal(18, 3)) COMMENT 'Energy, Wh; null: unknown',
    first_event_at DateTime64(3, 'UTC') COMMENT 'Earliest event of the session, UTC'
)
AS SELECT
    tenant, session_id, multiIf(unpriced_reason != '', unpriced_reason, tariff_id = '', 'no_tariff', 'tariff_missing') AS reason,
    quarantine_reason != '' AS open, tariff_id, station_id, connector_id, area, city, region, country, driver_key, driver_id, company_id,
    plan_id, payer, started_at, ended_at, energy_wh, first_event_at
FROM mart.sessions
WHERE amount_incl_vat IS NULL AND (quarantine_reason = '' OR status IN ('pending', 'active'))
COMMENT 'Sessions in the standard totals, or still open, that have no price; each gets one as soon as its tariff is there'
