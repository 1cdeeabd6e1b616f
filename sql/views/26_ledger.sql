-- What was posted stays: a change of price after the end is an entry of its own at the time it became known, so
-- the session entry is today's price less all changes since.
CREATE OR REPLACE VIEW mart.ledger
(
    entry_id String COMMENT 'Identity of the entry, the same after every replay',
    tenant LowCardinality(String) COMMENT 'Operator whose data this is',
    at DateTime64(3, 'UTC') COMMENT 'When it is posted, UTC: end of the session, time of the change, or first day of the fee',
    period String COMMENT 'Month it belongs to, YYYY-MM, in the zone of the plan, else of the station',
    kind LowCardinality(String) COMMENT 'session, adjustment, included_session, included_energy, cap, company_share, company_limit, subscription_fee or rounding',
    session_id Nullable(UUID) COMMENT 'The session; null: a fee',
    driver_id String COMMENT 'The person; empty: not in the catalogue',
    driver_key String COMMENT 'Id token as stored; empty: a fee',
    company_id String COMMENT 'Company of the driver; empty: none known',
    plan_id LowCardinality(String) COMMENT 'Plan; empty: pay per session',
    payer LowCardinality(String) COMMENT 'Whose account: driver, company, partner or nobody',
    payer_id String COMMENT 'Driver, company or partner; empty: unknown',
    station_id String COMMENT 'Charging station; empty: a fee',
    area LowCardinality(String) COMMENT 'Area or site',
    tariff_id String COMMENT 'Tariff of the session',
    amount_excl_vat Decimal(18, 6) COMMENT 'Amount without VAT, exact',
    amount_vat Decimal(18, 6) COMMENT 'VAT, exact',
    amount_incl_vat Decimal(18, 6) COMMENT 'Amount with VAT, exact; the entries of a session and payer sum to mart.session_owed',
    currency LowCardinality(String) COMMENT 'ISO 4217 code of the amounts',
    because String COMMENT 'Why, in a sentence'
)
AS SELECT
    concat(entry.1, '/', toString(session_id), '/', payer, entry.7) AS entry_id, tenant, entry.6 AS at,
    if(entry.1 = 'adjustment', formatDateTime(entry.6, '%Y-%m', zone), month) AS period, entry.1 AS kind,
    session_id, driver_id, driver_key, company_id, plan_id, if(entry.2, 'driver', first_payer) AS payer,
    if(entry.2, driver_id, first_id) AS payer_id, station_id, area, tariff_id,
    entry.3 AS amount_excl_vat, entry.4 - entry.3 AS amount_vat, entry.4 AS amount_incl_vat, currency, entry.5 AS because
FROM
(
    SELECT
        s.tenant AS tenant, s.session_id AS session_id, s.driver_id AS driver_id, s.driver_key AS driver_key, s.company_id AS company_id,
        s.plan_id AS plan_id, if(s.payer = '', 'driver', toString(s.payer)) AS first_payer, s.payer_id AS first_id, s.station_id AS station_id,
        s.area AS area, s.tariff_id AS tariff_id, s.currency AS currency,
        if(s.time_zone IN (SELECT time_zone FROM system.time_zones), s.time_zone, 'UTC') AS zone,
        if(t.month = '', formatDateTime(coalesce(s.started_at, s.first_event_at), '%Y-%m', zone), t.month) AS month,
        assumeNotNull(s.amount_excl_vat) AS excl, assumeNotNull(s.amount_incl_vat) AS incl, assumeNotNull(s.ended_at) AS ended,
        t.month != '' AS settled,
        excl - t.included_excl_vat - t.capped_excl_vat - t.share_excl_vat - t.limit_excl_vat AS first_excl,
        incl - t.included_incl_vat - t.capped_incl_vat - t.share_incl_vat - t.limit_incl_vat AS first_incl,
        if(settled, t.owed_excl_vat, assumeNotNull(coalesce(s.rounded_excl_vat, excl))) - first_excl AS round_excl,
        if(settled, t.owed_incl_vat, assumeNotNull(coalesce(s.rounded_incl_vat, incl))) - first_incl AS round_incl,
        t.driver_excl_vat - t.share_excl_vat - t.limit_excl_vat AS left_excl, t.driver_incl_vat - t.share_incl_vat - t.limit_incl_vat AS left_incl,
        if(empty(s.contract_because), concat('Priced with tariff ', s.tariff_id), arrayStringConcat(s.contract_because, '; ')) AS because,
        arrayJoin(arrayFilter(e -> e.1 = 'session' OR (e.3, e.4) != (0, 0), arrayConcat(
            [('session', 0, excl - arraySum(a.changes.2), incl - arraySum(a.changes.3), because, ended, '')],
            arrayMap(c -> ('adjustment', 0, c.2, c.3, c.4, c.1, concat('/', toString(c.5))), a.changes),
            [(if(t.included_session, 'included_session', 'included_energy'), 0, -t.included_excl_vat, -t.included_incl_vat, t.included_because, ended, ''),
             ('cap', 0, -t.capped_excl_vat, -t.capped_incl_vat, t.cap_because, ended, ''),
             ('company_share', 0, -t.share_excl_vat, -t.share_incl_vat, t.company_because, ended, ''),
             ('company_share', 1, t.share_excl_vat, t.share_incl_vat, t.company_because, ended, ''),
             ('company_limit', 0, -t.limit_excl_vat, -t.limit_incl_vat, t.company_because, ended, ''),
             ('company_limit', 1, t.limit_excl_vat, t.limit_incl_vat, t.company_because, ended, ''),
             ('rounding', 0, round_excl, round_incl, concat('Rounded to whole minor units of ', currency), ended, ''),
             ('rounding', 1, left_excl, left_incl, concat('Rounded to whole minor units of ', currency), ended, '')]))) AS entry
    FROM (SELECT * FROM mart.sessions WHERE quarantine_reason = '' AND amount_incl_vat IS NOT NULL) AS s
    LEFT ANY JOIN mart.session_settlement AS t ON t.tenant = s.tenant AND t.session_id = s.session_id
    LEFT ANY JOIN
    (
        SELECT
            tenant, session_id, currency,
            arraySort(groupArray((at, difference_excl_vat, difference_incl_vat, concat(reason, if(detail = '', '', concat(': ', detail))), version))) AS changes
        FROM mart.adjustments GROUP BY tenant, session_id, currency
    ) AS a ON a.tenant = s.tenant AND a.session_id = s.session_id AND a.currency = s.currency
)
UNION ALL
SELECT
    concat(entry.1, '/', driver_id, '/', plan_id, '/', toString(toUnixTimestamp64Milli(starts_at)), '/', month) AS entry_id, tenant,
    greatest(starts_at, toDateTime64(if(days = 0, toDate(concat(month, '-01')), held[1]), 3, 'UTC')) AS at, month AS period, entry.1 AS kind, NULL AS session_id, driver_id, '' AS driver_key, company_id,
    plan_id, 'driver' AS payer, driver_id AS payer_id, '' AS station_id, '' AS area, '' AS tariff_id,
    entry.2 AS amount_excl_vat, entry.3 - entry.2 AS amount_vat, entry.3 AS amount_incl_vat, currency, entry.4 AS because
FROM
(
    SELECT
        *, arrayJoin(arrayFilter(e -> e.1 != 'rounding' OR (e.2, e.3) != (0, 0),
            [('subscription_fee', amount_excl_vat, amount_incl_vat, because),
             ('rounding', owed_excl_vat - amount_excl_vat, owed_incl_vat - amount_incl_vat, concat('Rounded to whole minor units of ', currency))])) AS entry
    FROM mart.subscription_fees
)
COMMENT 'Everything that is owed, entry by entry: sessions, what plans and companies change, fees. Per payer the sum is what is to be paid'
