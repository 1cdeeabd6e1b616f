-- A pricing that has fewer lines now, or none, leaves lines of a lower version behind: only lines of the
-- session's own version count.
CREATE OR REPLACE VIEW mart.session_charges
(
    session_id UUID COMMENT 'Session the line belongs to',
    line UInt16 COMMENT 'Position in the bill, from the lowest number',
    dimension LowCardinality(String) COMMENT 'ENERGY, TIME, PARKING_TIME or FLAT; MIN_PRICE, MAX_PRICE, DISCOUNT and FREE change the sum of the others',
    quantity Decimal(18, 6) COMMENT 'How much was used, in the unit of the line',
    unit LowCardinality(String) COMMENT 'Unit of quantity and unit_price',
    unit_price Decimal(18, 6) COMMENT 'Price of one unit without VAT, in units of currency',
    vat_percent Nullable(Decimal(9, 4)) COMMENT 'VAT rate, percent; null: VAT does not apply',
    amount_excl_vat Decimal(18, 6) COMMENT 'Amount without VAT, in units of currency',
    amount_vat Decimal(18, 6) COMMENT 'VAT, in units of currency',
    currency LowCardinality(String) COMMENT 'ISO 4217 code',
    because String COMMENT 'Why the line is there: tariff element and rule',
    tenant LowCardinality(String) COMMENT 'Operator whose data this is',
    version UInt64 COMMENT 'As in mart.sessions',
    quantity_billed Decimal(18, 6) COMMENT 'How much was billed after step_size, in the unit of the line',
    element Int16 COMMENT 'Tariff element that matched, the first is 0; -1: none (a limit, a discount)',
    reservation UInt8 COMMENT '1: reserved time before the session',
    starts_at Nullable(DateTime64(3, 'UTC')) COMMENT 'From when the line was active, UTC',
    ends_at Nullable(DateTime64(3, 'UTC')) COMMENT 'Until when, UTC',
    amount_incl_vat Decimal(18, 6) COMMENT 'Amount with VAT, in units of currency'
)
AS SELECT
    session_id, line, dimension, quantity, unit, unit_price, vat_percent, amount_excl_vat, amount_vat,
    currency, because, tenant, version, quantity_billed, element, reservation, starts_at, ends_at,
    amount_excl_vat + amount_vat AS amount_incl_vat
FROM ${db}.session_charges FINAL
WHERE dimension != '' AND (tenant, session_id, version) IN
    (SELECT tenant, session_id, version FROM ${db}.sessions FINAL)
COMMENT 'The priced lines of a session: what, how much, at which price, and why'
