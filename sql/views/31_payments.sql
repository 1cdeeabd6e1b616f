-- Twice the same money is told in two ways, and counted once each time. Rows of one reference, kind and instant that
-- differ are one statement with contradictions: the settled one counts, else the largest. A settlement line (it has a
-- settlement_id) of the same reference, kind and amount as an event at another instant confirms that event: the n-th
-- line the n-th event. What one row of a payment leaves open (session, driver, method, card), another may tell.
CREATE OR REPLACE VIEW mart.payments
(
    tenant LowCardinality(String) COMMENT 'Operator whose data this is',
    psp LowCardinality(String) COMMENT 'Payment provider',
    payment_id String COMMENT 'Reference of the payment at the provider',
    kind LowCardinality(String) COMMENT 'authorised, captured, refunded or failed',
    at DateTime64(3, 'UTC') COMMENT 'When it happened, UTC',
    amount Decimal(18, 6) COMMENT 'Amount in units of currency, above zero; kind says which way it went',
    currency LowCardinality(String) COMMENT 'ISO 4217 code of the amounts',
    method LowCardinality(String) COMMENT 'card, app, wallet, invoice, rfid, bank_transfer, cash, roaming or other',
    counted UInt8 COMMENT '1: in the sums; 0: the same money as another row, which counts',
    conflict UInt8 COMMENT '1: another row of the same reference, kind and instant contradicts it',
    session_id UUID COMMENT 'Session it is for; nil: none known',
    linked LowCardinality(String) COMMENT 'How the session was found: session_id, transaction (with its station), reference, payment (another row of the same payment); unknown: it names one that is not known; empty: it names none',
    driver_key String COMMENT 'Who paid: id token as given, else that of the session',
    driver_id String COMMENT 'The person behind the token; empty: not in the catalogue',
    company_id String COMMENT 'Company of the driver of the session; empty: none known',
    station_id String COMMENT 'Charging station of the session, else as given',
    area LowCardinality(String) COMMENT 'Area or site of the session',
    card_brand LowCardinality(String) COMMENT 'Brand of the card; empty: unknown, or no card',
    card_last4 String COMMENT 'Last four digits of the card; no more is ever stored',
    psp_token String COMMENT 'Token of the provider for the card',
    reference String COMMENT 'Free text, such as the reference of the merchant',
    description String COMMENT 'Free text',
    fee_amount Nullable(Decimal(18, 6)) COMMENT 'What the provider keeps, in units of currency; null: not told',
    settlement_id String COMMENT 'Settlement or payout it is in; empty: not told',
    flags Array(LowCardinality(String)) COMMENT 'What was noticed on the way, such as card_masked',
    ingested_at DateTime64(3, 'UTC') COMMENT 'When it was written, UTC'
)
AS WITH toUUID('00000000-0000-0000-0000-000000000000') AS nil
SELECT
    p.tenant AS tenant, psp, payment_id, kind, timestamp AS at, amount, p.currency AS currency,
    if(told_method = '', 'other', told_method) AS method, counted, conflict, p.session AS session_id,
    multiIf(own_link NOT IN ('', 'unknown'), own_link, p.session != nil, 'payment', own_link) AS linked,
    multiIf(told_driver != '', told_driver, s.driver_key) AS driver_key,
    if(told_driver IN ('', s.driver_key), s.driver_id, ifNull(d.driver_id, '')) AS driver_id,
    s.company_id AS company_id, if(s.station_id != '', s.station_id, p.station_id) AS station_id, s.area AS area,
    told_brand AS card_brand, told_last4 AS card_last4, psp_token, reference, description,
    fee AS fee_amount, settlement AS settlement_id, flags, ingested_at
FROM
(
    SELECT
        *,
        toUInt8(stands AND NOT (settled AND countIf(NOT settled) OVER pair > 0)) AS counted,
        max(settlement_id) OVER pair AS settlement, max(fee_amount) OVER pair AS fee,
        if(own != nil, own, if(uniqExactIf(own, own != nil) OVER payment = 1, maxIf(own, own != nil) OVER payment, nil)) AS session,
        if(method != 'other', toString(method), maxIf(toString(method), method != 'other') OVER payment) AS told_method,
        if(driver_key != '', driver_key, max(driver_key) OVER payment) AS told_driver,
        if(card_brand != '', toString(card_brand), max(toString(card_brand)) OVER payment) AS told_brand,
        if(card_last4 != '', card_last4, max(card_last4) OVER payment) AS told_last4
    FROM
    (
        SELECT *, row_number() OVER (PARTITION BY tenant, psp, payment_id, kind, amount, currency, stands, settled ORDER BY timestamp, identity) AS nth
        FROM
        (
            SELECT
                r.*, settlement_id != '' AS settled,
                row_number() OVER (PARTITION BY r.tenant, psp, payment_id, kind, timestamp ORDER BY settlement_id = '', amount DESC, identity) = 1 AS stands,
                uniqExact(amount, r.currency) OVER same > 1 OR uniqExactIf(method, method != 'other') OVER same > 1
                    OR uniqExactIf(r.session_id, r.session_id != nil) OVER same > 1 OR uniqExactIf(r.station_id, r.station_id != '') OVER same > 1
                    OR uniqExactIf(transaction_id, transaction_id != '') OVER same > 1 OR uniqExactIf(driver_key, driver_key != '') OVER same > 1
                    OR uniqExactIf(psp_token, psp_token != '') OVER same > 1 OR uniqExactIf(card_brand, card_brand != '') OVER same > 1
                    OR uniqExactIf(card_last4, card_last4 != '') OVER same > 1 OR uniqExactIf(reference, reference != '') OVER same > 1
                    OR uniqExactIf(description, description != '') OVER same > 1 OR uniqExact(fee_amount) OVER same > 1
                    OR uniqExactIf(settlement_id, settlement_id != '') OVER same > 1 AS conflict,
                multiIf(
                    r.session_id != nil AND (r.tenant, r.session_id) IN (SELECT tenant, session_id FROM ${db}.sessions WHERE status != 'released'), r.session_id,
                    r.session_id = nil AND notEmpty(t.candidates), t.candidates[greatest(1, arrayLastIndex(c -> c.1 <= timestamp, t.candidates))].2,
                    r.session_id = nil AND (r.tenant, toUUIDOrZero(reference)) IN (SELECT tenant, session_id FROM ${db}.sessions WHERE status != 'released'), toUUIDOrZero(reference),
                    nil) AS own,
                multiIf(
                    own != nil AND own = r.session_id, 'session_id', own != nil AND notEmpty(t.candidates), 'transaction', own != nil, 'reference',
                    r.session_id != nil OR transaction_id != '', 'unknown', '') AS own_link
            FROM (SELECT *, identity FROM ${db}.payments FINAL) AS r
            LEFT ANY JOIN
            (
                SELECT tenant, station_id, id, arraySort(groupArray((coalesce(started_at, first_event_at), session_id))) AS candidates
                FROM (SELECT * FROM ${db}.sessions FINAL WHERE status != 'released' AND station_id IN (SELECT station_id FROM ${db}.payments))
                ARRAY JOIN arrayDistinct(arrayPushBack(transaction_ids, transaction_id)) AS id
                WHERE id NOT IN ('', '-1', '0', '9223372036854775807') AND (tenant, station_id, id) IN (SELECT tenant, station_id, transaction_id FROM ${db}.payments)
                GROUP BY tenant, station_id, id
            ) AS t ON t.tenant = r.tenant AND t.station_id = r.station_id AND t.id = r.transaction_id
            WINDOW same AS (PARTITION BY r.tenant, psp, payment_id, kind, timestamp)
        )
    )
    WINDOW pair AS (PARTITION BY tenant, psp, payment_id, kind, amount, currency, stands, nth), payment AS (PARTITION BY tenant, psp, payment_id)
) AS p
LEFT ANY JOIN (SELECT tenant, session_id, station_id, driver_key, driver_id, company_id, area FROM ${db}.sessions FINAL) AS s
    ON s.tenant = p.tenant AND s.session_id = p.session
LEFT ANY JOIN (SELECT tenant, driver_key, argMax(driver_id, valid_from) AS driver_id FROM ${db}.drivers FINAL WHERE deleted = 0 GROUP BY tenant, driver_key) AS d
    ON d.tenant = p.tenant AND d.driver_key = told_driver
COMMENT 'Payments with the session and driver they belong to. Sums: counted = 1; revenue is captured less refunded'
