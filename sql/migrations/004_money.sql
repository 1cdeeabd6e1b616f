-- Exact money: who owes a session under which terms, amounts rounded once, lines that say why, adjustments.
-- rounded_*: minor units of the currency, rounded half up once per tax rate and session.
-- unpriced_reason: empty when priced; no_tariff, tariff_missing, not_billed …
ALTER TABLE sessions
    ADD COLUMN IF NOT EXISTS region LowCardinality(String) DEFAULT '',
    ADD COLUMN IF NOT EXISTS driver_id String DEFAULT '',
    ADD COLUMN IF NOT EXISTS plan_id LowCardinality(String) DEFAULT '',
    ADD COLUMN IF NOT EXISTS payer LowCardinality(String) DEFAULT '',
    ADD COLUMN IF NOT EXISTS payer_id String DEFAULT '',
    ADD COLUMN IF NOT EXISTS unpriced_reason LowCardinality(String) DEFAULT '',
    ADD COLUMN IF NOT EXISTS rounded_excl_vat Nullable(Decimal(18, 6)),
    ADD COLUMN IF NOT EXISTS rounded_incl_vat Nullable(Decimal(18, 6)),
    ADD COLUMN IF NOT EXISTS contract_because Array(String);

ALTER TABLE session_charges
    ADD COLUMN IF NOT EXISTS quantity_billed Decimal(18, 6) DEFAULT 0,
    ADD COLUMN IF NOT EXISTS element Int16 DEFAULT -1,
    ADD COLUMN IF NOT EXISTS reservation UInt8 DEFAULT 0,
    ADD COLUMN IF NOT EXISTS starts_at Nullable(DateTime64(3, 'UTC')),
    ADD COLUMN IF NOT EXISTS ends_at Nullable(DateTime64(3, 'UTC')),
    ADD COLUMN IF NOT EXISTS amount_incl_vat Decimal(18, 6) DEFAULT 0;

-- A closed session whose price changed afterwards: once per session and version that was replaced. Of two
-- rows that replace the same version the higher one holds, so that the changes of a session always add up.
CREATE TABLE IF NOT EXISTS adjustments
(
    tenant LowCardinality(String),
    session_id UUID,
    replaces UInt64,
    version UInt64,
    station_id String,
    driver_key String,
    ended_at Nullable(DateTime64(3, 'UTC')),
    reason LowCardinality(String),
    detail String,
    currency LowCardinality(String),
    before_excl_vat Decimal(18, 6),
    before_incl_vat Decimal(18, 6),
    after_excl_vat Decimal(18, 6),
    after_incl_vat Decimal(18, 6),
    before_energy_wh Nullable(Decimal(18, 3)),
    after_energy_wh Nullable(Decimal(18, 3)),
    at DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (tenant, session_id, replaces)
SETTINGS non_replicated_deduplication_window = 1000;
