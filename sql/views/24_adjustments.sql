CREATE OR REPLACE VIEW mart.adjustments
(
    tenant LowCardinality(String) COMMENT 'Operator whose data this is',
    session_id UUID COMMENT 'The session',
    version UInt64 COMMENT 'Version of the session that brought the change',
    at DateTime64(3, 'UTC') COMMENT 'When the price changed, UTC',
    reason LowCardinality(String) COMMENT 'late_event (more became known), catalogue (tariff or terms changed); both are joined by +',
    detail String COMMENT 'What came or changed, in a sentence',
    station_id String COMMENT 'Charging station',
    area LowCardinality(String) COMMENT 'Area or site',
    driver_key String COMMENT 'Who charged: the id token as stored',
    ended_at Nullable(DateTime64(3, 'UTC')) COMMENT 'End of the session, UTC',
    currency LowCardinality(String) COMMENT 'ISO 4217 code of the amounts',
    before_excl_vat Decimal(18, 6) COMMENT 'Price without VAT before',
    before_incl_vat Decimal(18, 6) COMMENT 'Price with VAT before',
    after_excl_vat Decimal(18, 6) COMMENT 'Price without VAT after',
    after_incl_vat Decimal(18, 6) COMMENT 'Price with VAT after',
    difference_excl_vat Decimal(18, 6) COMMENT 'After less before, without VAT',
    difference_incl_vat Decimal(18, 6) COMMENT 'After less before, with VAT',
    before_energy_wh Nullable(Decimal(18, 3)) COMMENT 'Energy before, Wh',
    after_energy_wh Nullable(Decimal(18, 3)) COMMENT 'Energy after, Wh',
    connector_id Nullable(Int32) COMMENT 'Connector number',
    city LowCardinality(String) COMMENT 'City of the station',
    region LowCardinality(String) COMMENT 'Region of the station',
    country LowCardinality(String) COMMENT 'Country of the station',
    driver_id String COMMENT 'The person behind the token; empty: not in the catalogue',
    company_id String COMMENT 'Company of the driver; empty: none known',
    tariff_id String COMMENT 'Tariff the session is priced with now',
    plan_id LowCardinality(String) COMMENT 'Plan of the session now',
    payer LowCardinality(String) COMMENT 'Who is asked first now',
    replaces UInt64 COMMENT 'Version of the session that was changed'
)
AS SELECT
    a.tenant AS tenant, a.session_id AS session_id, a.version AS version, a.at AS at, a.reason AS reason, a.detail AS detail,
    a.station_id AS station_id, s.area AS area, a.driver_key AS driver_key, a.ended_at AS ended_at, a.currency AS currency,
    a.before_excl_vat AS before_excl_vat, a.before_incl_vat AS before_incl_vat,
    a.after_excl_vat AS after_excl_vat, a.after_incl_vat AS after_incl_vat,
    a.after_excl_vat - a.before_excl_vat AS difference_excl_vat, a.after_incl_vat - a.before_incl_vat AS difference_incl_vat,
    a.before_energy_wh AS before_energy_wh, a.after_energy_wh AS after_energy_wh, s.connector_id AS connector_id,
    s.city AS city, s.region AS region, s.country AS country, s.driver_id AS driver_id, s.company_id AS company_id,
    s.tariff_id AS tariff_id, s.plan_id AS plan_id, s.payer AS payer, a.replaces AS replaces
FROM ${db}.adjustments AS a FINAL
LEFT ANY JOIN (SELECT * FROM ${db}.sessions FINAL) AS s ON s.tenant = a.tenant AND s.session_id = a.session_id
COMMENT 'Every change of the price of a session that had ended, with the reason'
