-- Payments of a session are set against what its driver owes, else against what the company or partner does.
CREATE OR REPLACE VIEW mart.reconciliation
(
    tenant LowCardinality(String) COMMENT 'Operator whose data this is',
    reason LowCardinality(String) COMMENT 'agrees; unpaid; underpaid; overpaid; captured_twice; refunded; wrong_currency (paid in another than owed); nothing_owed (paid all the same); paid_without_session; invoiced (a company or partner owes it and pays otherwise)',
    session_id UUID COMMENT 'The session; nil: the payment belongs to none that is known',
    payer LowCardinality(String) COMMENT 'Who owes it: driver, company, partner or nobody; empty: nothing is owed',
    payer_id String COMMENT 'Driver, company or partner; empty: unknown',
    currency LowCardinality(String) COMMENT 'ISO 4217 code of the amounts: one row each',
    owed_incl_vat Decimal(18, 6) COMMENT 'Owed, with VAT',
    captured_incl_vat Decimal(18, 6) COMMENT 'Captured, with VAT',
    refunded_incl_vat Decimal(18, 6) COMMENT 'Given back, with VAT',
    difference_incl_vat Decimal(18, 6) COMMENT 'Captured less refunded less owed, with VAT; below zero: missing',
    captures UInt64 COMMENT 'How many captures',
    methods Array(String) COMMENT 'How it was paid',
    payment_ids Array(String) COMMENT 'References at the providers',
    conflicts UInt64 COMMENT 'Payments with contradicting rows',
    at DateTime64(3, 'UTC') COMMENT 'End of the session, else latest payment, UTC',
    paid_at Nullable(DateTime64(3, 'UTC')) COMMENT 'Latest payment, UTC; null: none',
    station_id String COMMENT 'Charging station',
    area LowCardinality(String) COMMENT 'Area or site',
    driver_key String COMMENT 'Id token as stored',
    driver_id String COMMENT 'The person behind the token; empty: not in the catalogue',
    company_id String COMMENT 'Company of the driver; empty: none known',
    because String COMMENT 'Why, in a sentence'
)
AS WITH toUUID('00000000-0000-0000-0000-000000000000') AS nil
SELECT
    tenant,
    multiIf(
        session_id = nil, 'paid_without_session',
        net = owed, 'agrees',
        captured = 0 AND refunded = 0 AND elsewhere, 'wrong_currency',
        captured = 0 AND refunded = 0 AND payer IN ('company', 'partner'), 'invoiced',
        captured = 0 AND refunded = 0, 'unpaid',
        owed = 0 AND owes_elsewhere, 'wrong_currency',
        owed = 0, 'nothing_owed',
        net < owed AND refunded > 0 AND (captured >= owed OR net <= 0), 'refunded',
        net < owed, 'underpaid',
        captures > 1 AND same_captures > 0, 'captured_twice',
        'overpaid') AS reason,
    session_id, payer, payer_id, currency, owed AS owed_incl_vat, captured AS captured_incl_vat, refunded AS refunded_incl_vat,
    toDecimal64(net - owed, 6) AS difference_incl_vat, captures, methods, payment_ids, conflicts, at, paid_at,
    station_id, area, driver_key, driver_id, company_id,
    multiIf(
        reason = 'paid_without_session', concat('No known session: payment ', arrayStringConcat(payment_ids, ', ')),
        reason = 'agrees', '',
        reason = 'nothing_owed', if(status IN ('pending', 'active'), 'The session is still open',
            if(quarantine != '', concat('The session is set aside: ', quarantine),
            if(unpriced != '', concat('The session has no price: ', unpriced), 'The session costs nothing'))),
        reason = 'wrong_currency', if(owed = 0, 'Owed in another currency', 'Paid in another currency'),
        reason = 'invoiced', concat(payer, ' ', payer_id, ' is invoiced'),
        reason = 'captured_twice', concat(toString(captures), ' captures, some of the same amount: ', arrayStringConcat(payment_ids, ', ')),
        reason = 'unpaid' AND failed > 0, 'A payment failed',
        reason = 'unpaid' AND authorised > 0, 'Authorised, never captured',
        '') || if(conflicts > 0, if(reason = 'agrees', 'Payments contradict each other', '; payments contradict each other'), '') AS because
FROM
(
    SELECT
        l.tenant AS tenant, l.session_id AS session_id, l.currency AS currency, payer, payer_id, owed, captured, refunded,
        toDecimal64(captured - refunded, 6) AS net, authorised, failed, captures, same_captures, methods, payment_ids, conflicts,
        countIf(captured != 0) OVER session > (captured != 0) AS elsewhere, countIf(owed != 0) OVER session > (owed != 0) AS owes_elsewhere,
        if(last = toDateTime64(0, 3, 'UTC'), NULL, last) AS paid_at, assumeNotNull(coalesce(s.ended_at, paid_at, s.last_event_at)) AS at,
        if(s.station_id = '', l.station_id, s.station_id) AS station_id, s.area AS area,
        if(s.driver_key = '', l.driver_key, s.driver_key) AS driver_key, s.driver_id AS driver_id, s.company_id AS company_id,
        s.status AS status, s.quarantine_reason AS quarantine, s.unpriced_reason AS unpriced
    FROM
    (
        SELECT
            tenant, session_id, currency, max(payer) AS payer, max(payer_id) AS payer_id, toDecimal64(sum(owed), 6) AS owed,
            toDecimal64(sum(captured), 6) AS captured, toDecimal64(sum(refunded), 6) AS refunded,
            sum(authorised) AS authorised, sum(failed) AS failed, sum(captures) AS captures, sum(same_captures) AS same_captures,
            arraySort(groupUniqArrayArray(methods)) AS methods, arraySort(groupUniqArrayArray(payment_ids)) AS payment_ids,
            sum(conflicts) AS conflicts, max(last) AS last, max(station_id) AS station_id, max(driver_key) AS driver_key
        FROM
        (
            SELECT
                tenant, session_id, toString(currency) AS currency,
                toString(row_number() OVER (PARTITION BY tenant, session_id, currency ORDER BY owed_incl_vat = 0, payer != 'driver', payer)) AS what,
                toString(payer) AS payer, payer_id, owed_incl_vat AS owed,
                toDecimal64(0, 6) AS captured, toDecimal64(0, 6) AS refunded, toDecimal64(0, 6) AS authorised, toDecimal64(0, 6) AS failed,
                toUInt64(0) AS captures, toUInt64(0) AS same_captures, CAST([], 'Array(String)') AS methods, CAST([], 'Array(String)') AS payment_ids,
                toUInt64(0) AS conflicts, toDateTime64(0, 3, 'UTC') AS last, '' AS station_id, '' AS driver_key
            FROM mart.session_owed
            UNION ALL
            SELECT
                tenant, session_id, toString(currency), '1', '', '', toDecimal64(0, 6), captured, refunded, authorised, failed,
                captures, same_captures, methods, payment_ids, conflicts, last_at, '', ''
            FROM mart.session_payments
            UNION ALL
            SELECT
                tenant, nil, toString(currency), concat(psp, '/', payment_id), '', '', toDecimal64(0, 6),
                toDecimal64(sumIf(amount, kind = 'captured'), 6), toDecimal64(sumIf(amount, kind = 'refunded'), 6),
                toDecimal64(0, 6), toDecimal64(0, 6), countIf(kind = 'captured'), toUInt64(0), [any(toString(method))], [payment_id],
                countIf(conflict), max(at), max(station_id), max(driver_key)
            FROM mart.payments
            WHERE counted AND session_id = nil AND kind IN ('captured', 'refunded')
            GROUP BY tenant, psp, payment_id, currency
        )
        GROUP BY tenant, session_id, currency, what
    ) AS l
    LEFT ANY JOIN
    (
        SELECT tenant, session_id, ended_at, last_event_at, station_id, area, driver_key, driver_id, company_id, status, quarantine_reason, unpriced_reason
        FROM ${db}.sessions FINAL
    ) AS s ON s.tenant = l.tenant AND s.session_id = l.session_id
    WINDOW session AS (PARTITION BY l.tenant, l.session_id)
)
COMMENT 'What is owed for each session against what was paid for it, with the reason of every difference. Listed: reason NOT IN (agrees, invoiced)'
