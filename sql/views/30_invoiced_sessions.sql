CREATE OR REPLACE VIEW mart.invoiced_sessions
(
    tenant LowCardinality(String) COMMENT 'Operator whose data this is',
    session_id UUID COMMENT 'The session',
    invoice_ids Array(String) COMMENT 'Invoices it is on, in order',
    invoiced_at DateTime64(3, 'UTC') COMMENT 'When it was invoiced last, UTC',
    currency LowCardinality(String) COMMENT 'ISO 4217 code of the amounts',
    invoiced_excl_vat Decimal(18, 6) COMMENT 'Invoiced without VAT, all invoices together',
    invoiced_incl_vat Decimal(18, 6) COMMENT 'Invoiced with VAT, all invoices together',
    price_excl_vat Decimal(18, 6) COMMENT 'Price without VAT as known now, in minor units; 0: another currency, or none',
    price_incl_vat Decimal(18, 6) COMMENT 'Price with VAT as known now, in minor units; 0: another currency, or none',
    open_excl_vat Decimal(18, 6) COMMENT 'Owed less invoiced without VAT: what the next invoice corrects',
    open_incl_vat Decimal(18, 6) COMMENT 'Owed less invoiced with VAT: what the next invoice corrects',
    owed_excl_vat Decimal(18, 6) COMMENT 'Owed without VAT as known now, by all payers: the price less what plans cover',
    owed_incl_vat Decimal(18, 6) COMMENT 'Owed with VAT as known now, by all payers: the price less what plans cover'
)
AS SELECT
    i.tenant AS tenant, i.session_id AS session_id, i.ids AS invoice_ids, i.last AS invoiced_at, i.currency AS currency,
    i.excl AS invoiced_excl_vat, i.incl AS invoiced_incl_vat,
    toDecimal64(ifNull(s.rounded_excl_vat, 0), 6) AS price_excl_vat, toDecimal64(ifNull(s.rounded_incl_vat, 0), 6) AS price_incl_vat,
    toDecimal64(owed_excl_vat - invoiced_excl_vat, 6) AS open_excl_vat, toDecimal64(owed_incl_vat - invoiced_incl_vat, 6) AS open_incl_vat,
    o.excl AS owed_excl_vat, o.incl AS owed_incl_vat
FROM
(
    SELECT
        tenant, session_id, currency, arraySort(groupArray(invoice_id)) AS ids, max(at) AS last,
        toDecimal64(sum(amount_excl_vat), 6) AS excl, toDecimal64(sum(amount_incl_vat), 6) AS incl
    FROM ${db}.invoiced_sessions FINAL
    GROUP BY tenant, session_id, currency
) AS i
LEFT ANY JOIN (SELECT tenant, session_id, currency, rounded_excl_vat, rounded_incl_vat FROM ${db}.sessions FINAL) AS s
    ON s.tenant = i.tenant AND s.session_id = i.session_id AND s.currency = i.currency
LEFT ANY JOIN
(
    SELECT tenant, session_id, currency, toDecimal64(sum(owed_excl_vat), 6) AS excl, toDecimal64(sum(owed_incl_vat), 6) AS incl
    FROM mart.session_owed
    WHERE (tenant, session_id) IN (SELECT tenant, session_id FROM ${db}.invoiced_sessions)
    GROUP BY tenant, session_id, currency
) AS o ON o.tenant = i.tenant AND o.session_id = i.session_id AND o.currency = i.currency
COMMENT 'Invoiced sessions: what was invoiced, which never changes, beside price and debt as they are known now'
