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
    amount_incl_vat Nullable(Decimal(18, 6)) COMMENT 'Price with VAT, in units of currency',
    region LowCardinality(String) COMMENT 'Region of the station',
    driver_id String COMMENT 'The person behind the token; empty: not in the catalogue',
    company_id String COMMENT 'Company of the driver; empty: none known',
    plan_id LowCardinality(String) COMMENT 'Plan of the session; empty: pay per session',
    payer LowCardinality(String) COMMENT 'Who is asked first: driver, company, partner or nobody',
    payment_method LowCardinality(String) COMMENT 'How the session was paid, see mart.sessions',
    covered_excl_vat Decimal(18, 6) COMMENT 'Part of the price that a plan covers (included, above its cap), without VAT; on accrual: a row of its own at the end of the session',
    covered_incl_vat Decimal(18, 6) COMMENT 'The same with VAT: price less covered is the revenue of the session, what covers it is in mart.subscription_revenue'
)
AS
SELECT
    'accrual' AS basis, toDateTime64(c.slice_start, 3, 'UTC') AS at,
    multiIf(c.provisional = 1, 'open', c.counted = 1, 'counted', 'set_aside') AS state,
    c.session_id AS session_id, c.tenant AS tenant, c.station_id, s.connector_id, c.area, s.city, s.country, c.driver_key, c.tariff_id, c.currency,
    c.energy_wh, c.occupied_s, c.charging_s, c.idle_s, c.amount_excl_vat, c.amount_incl_vat,
    s.region, s.driver_id, s.company_id, s.plan_id, s.payer,
    s.payment_method AS payment_method,
    toDecimal64(0, 6) AS covered_excl_vat, toDecimal64(0, 6) AS covered_incl_vat
FROM mart.session_slices AS c
LEFT ANY JOIN
(
    SELECT session_id, connector_id, city, country, region, driver_id, company_id, plan_id, payer, payment_method FROM mart.sessions
) AS s ON s.session_id = c.session_id
UNION ALL
SELECT
    'accrual' AS basis, assumeNotNull(s.ended_at) AS at, 'counted' AS state,
    s.session_id, s.tenant, s.station_id, s.connector_id, s.area, s.city, s.country, s.driver_key, s.tariff_id, s.currency,
    0, 0, 0, 0, 0, 0, s.region, s.driver_id, s.company_id, s.plan_id, s.payer, s.payment_method,
    t.included_excl_vat + t.capped_excl_vat, t.included_incl_vat + t.capped_incl_vat
FROM (SELECT * FROM mart.sessions WHERE plan_id != '') AS s
INNER JOIN mart.session_settlement AS t ON t.tenant = s.tenant AND t.session_id = s.session_id
WHERE (t.included_incl_vat, t.capped_incl_vat) != (0, 0)
UNION ALL
SELECT
    arrayJoin(['completion', 'start']) AS basis,
    if(basis = 'completion' AND quarantine_reason = '', assumeNotNull(s.ended_at), coalesce(s.started_at, s.first_event_at)) AS at,
    multiIf(s.quarantine_reason = '', 'counted', s.status IN ('pending', 'active'), 'open', 'set_aside') AS state,
    s.session_id, s.tenant, s.station_id, s.connector_id, s.area, s.city, s.country, s.driver_key, s.tariff_id, s.currency,
    s.energy_wh, s.duration_s, s.charging_s, s.idle_s, s.amount_excl_vat, s.amount_incl_vat,
    s.region, s.driver_id, s.company_id, s.plan_id, s.payer, s.payment_method,
    t.included_excl_vat + t.capped_excl_vat, t.included_incl_vat + t.capped_incl_vat
FROM mart.sessions AS s
LEFT ANY JOIN (SELECT * FROM mart.session_settlement WHERE plan_id != '') AS t ON t.tenant = s.tenant AND t.session_id = s.session_id
COMMENT 'What reports add up: sessions and slices with the instant they count at. Always filter on one basis'
