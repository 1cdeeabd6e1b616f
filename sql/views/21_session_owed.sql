CREATE OR REPLACE VIEW mart.session_owed
(
    tenant LowCardinality(String) COMMENT 'Operator whose data this is',
    session_id UUID COMMENT 'The session',
    station_id String COMMENT 'Charging station',
    driver_key String COMMENT 'Who charged: the id token as stored',
    driver_id String COMMENT 'The person behind the token; empty: not in the catalogue',
    company_id String COMMENT 'Company of the driver; empty: none known',
    payer LowCardinality(String) COMMENT 'Who owes it: driver, company, partner or nobody (free)',
    payer_id String COMMENT 'Driver, company or partner; empty: unknown',
    currency LowCardinality(String) COMMENT 'ISO 4217 code of the amounts',
    owed_excl_vat Decimal(18, 6) COMMENT 'Owed without VAT, in whole minor units of currency',
    owed_incl_vat Decimal(18, 6) COMMENT 'Owed with VAT, in whole minor units of currency',
    ended_at Nullable(DateTime64(3, 'UTC')) COMMENT 'End of the session, UTC',
    area LowCardinality(String) COMMENT 'Area or site',
    plan_id LowCardinality(String) COMMENT 'Plan the session was charged under; empty: pay per session',
    because String COMMENT 'Why this payer owes this much, in a sentence'
)
AS WITH
    parts -> arrayStringConcat(arrayFilter(part -> part != '', parts), '; ') AS sentence
SELECT
    tenant, session_id, station_id, driver_key, driver_id, company_id, if(payer = '', 'driver', payer) AS payer, payer_id, currency,
    assumeNotNull(coalesce(rounded_excl_vat, amount_excl_vat)) AS owed_excl_vat,
    assumeNotNull(coalesce(rounded_incl_vat, amount_incl_vat)) AS owed_incl_vat,
    ended_at, area, plan_id,
    multiIf(notEmpty(contract_because), sentence(contract_because), payer = 'nobody', 'Free of charge',
        payer = 'partner', concat('Roaming partner ', payer_id, ' pays'), concat('Paid per session, tariff ', tariff_id)) AS because
FROM mart.sessions
WHERE quarantine_reason = '' AND amount_incl_vat IS NOT NULL AND plan_id = '' AND payer != 'company'
UNION ALL
SELECT
    tenant, session_id, station_id, driver_key, driver_id, company_id, owed.1 AS payer, owed.2 AS payer_id, currency,
    owed.3 AS owed_excl_vat, owed.4 AS owed_incl_vat, ended_at, area, plan_id, because
FROM
(
    SELECT
        *, sentence(arrayConcat(if(empty(contract_because), [concat('Priced with tariff ', tariff_id)], contract_because), [included_because, cap_because, company_because])) AS because,
        (driver_excl_vat, driver_incl_vat) != (0, 0) AS split,
        arrayJoin(arrayConcat(
            if(split AND (owed_excl_vat, owed_incl_vat) = (0, 0), [], [(if(payer = '', 'driver', payer), payer_id, owed_excl_vat, owed_incl_vat)]),
            if(split, [('driver', driver_id, driver_excl_vat, driver_incl_vat)], []))) AS owed
    FROM mart.session_settlement
)
COMMENT 'What is owed for each priced session in the standard totals and by whom; a session that two share has two rows'
