CREATE OR REPLACE VIEW mart.session_payments
(
    tenant LowCardinality(String) COMMENT 'Operator whose data this is',
    session_id UUID COMMENT 'The session',
    currency LowCardinality(String) COMMENT 'ISO 4217 code of the amounts: one row each',
    authorised Decimal(18, 6) COMMENT 'Reserved with the payer, in units of currency: no money yet',
    captured Decimal(18, 6) COMMENT 'Captured, in units of currency',
    refunded Decimal(18, 6) COMMENT 'Given back, in units of currency',
    net Decimal(18, 6) COMMENT 'Captured less refunded, in units of currency',
    failed Decimal(18, 6) COMMENT 'Tried in vain, in units of currency',
    fee_amount Decimal(18, 6) COMMENT 'What providers keep, as far as told, in units of currency',
    captures UInt64 COMMENT 'How many captures',
    same_captures UInt64 COMMENT 'How many captures have an amount that another one has too',
    methods Array(String) COMMENT 'How money was captured, in the order of the alphabet; other only where nothing better is known; empty: nothing was',
    payment_ids Array(String) COMMENT 'References at the providers',
    conflicts UInt64 COMMENT 'Payments with contradicting rows',
    last_at DateTime64(3, 'UTC') COMMENT 'Latest payment event, UTC'
)
AS SELECT
    tenant, session_id, currency,
    toDecimal64(sumIf(amount, kind = 'authorised'), 6) AS authorised,
    toDecimal64(sumIf(amount, kind = 'captured'), 6) AS captured,
    toDecimal64(sumIf(amount, kind = 'refunded'), 6) AS refunded,
    toDecimal64(captured - refunded, 6) AS net,
    toDecimal64(sumIf(amount, kind = 'failed'), 6) AS failed,
    toDecimal64(ifNull(sum(fee_amount), 0), 6) AS fee_amount,
    countIf(kind = 'captured') AS captures,
    captures - uniqExactIf(amount, kind = 'captured') AS same_captures,
    arraySort(if(length(groupUniqArrayIf(toString(method), kind = 'captured') AS all) > 1, arrayFilter(m -> m != 'other', all), all)) AS methods,
    arraySort(groupUniqArray(payment_id)) AS payment_ids,
    countIf(conflict) AS conflicts,
    max(at) AS last_at
FROM mart.payments AS p
WHERE counted AND session_id != toUUID('00000000-0000-0000-0000-000000000000')
GROUP BY tenant, session_id, currency
COMMENT 'What was paid for each session, a row a currency; every payment once'
