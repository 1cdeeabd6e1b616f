CREATE OR REPLACE VIEW mart.set_aside_sessions
(
    session_id UUID COMMENT 'The session',
    tenant LowCardinality(String) COMMENT 'Operator whose data this is',
    reason LowCardinality(String) COMMENT 'Why it is not in the standard totals',
    open UInt8 COMMENT '1: still open, it may yet be counted',
    status LowCardinality(String) COMMENT 'As in mart.sessions',
    station_id String COMMENT 'Charging station',
    connector_id Nullable(Int32) COMMENT 'Connector number',
    driver_key String COMMENT 'Who charges: the id token as stored',
    area LowCardinality(String) COMMENT 'Area or site',
    city LowCardinality(String) COMMENT 'City of the station',
    country LowCardinality(String) COMMENT 'Country of the station',
    started_at Nullable(DateTime64(3, 'UTC')) COMMENT 'Start, UTC; null: unknown',
    ended_at Nullable(DateTime64(3, 'UTC')) COMMENT 'End, UTC; null: unknown',
    first_event_at DateTime64(3, 'UTC') COMMENT 'Earliest event of the session, UTC',
    energy_wh Nullable(Decimal(18, 3)) COMMENT 'Energy it would have added, Wh; null: unknown',
    amount_incl_vat Nullable(Decimal(18, 6)) COMMENT 'Amount it would have added, with VAT, in units of currency',
    currency LowCardinality(String) COMMENT 'ISO 4217 code of the amount',
    tariff_id String COMMENT 'Tariff',
    transaction_id String COMMENT 'Transaction id',
    flags Array(LowCardinality(String)) COMMENT 'Everything noticed about the session',
    region LowCardinality(String) COMMENT 'Region of the station',
    driver_id String COMMENT 'The person behind the token; empty: not in the catalogue',
    company_id String COMMENT 'Company of the driver; empty: none known',
    plan_id LowCardinality(String) COMMENT 'Plan of the driver; empty: pay per session',
    payer LowCardinality(String) COMMENT 'Who would be asked first'
)
AS SELECT
    session_id, tenant, quarantine_reason AS reason, status IN ('pending', 'active') AS open, status,
    station_id, connector_id, driver_key, area, city, country, started_at, ended_at, first_event_at,
    energy_wh, amount_incl_vat, currency, tariff_id, transaction_id, flags,
    region, driver_id, company_id, plan_id, payer
FROM mart.sessions
WHERE quarantine_reason != ''
COMMENT 'Every session that is not in the standard totals, with the reason; nothing is dropped'
