-- What was invoiced stays as it was invoiced: a session whose price changes afterwards gets an adjustment,
-- never another invoiced amount. Written by whoever makes the invoices.
CREATE TABLE IF NOT EXISTS invoiced_sessions
(
    tenant LowCardinality(String),
    session_id UUID,
    invoice_id String,
    currency LowCardinality(String),
    amount_excl_vat Decimal(18, 6),
    amount_incl_vat Decimal(18, 6),
    at DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = ReplacingMergeTree(at)
ORDER BY (tenant, session_id, invoice_id)
SETTINGS non_replicated_deduplication_window = 1000;
