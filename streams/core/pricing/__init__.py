"""Money, first step: plain OCPI tariffs. The full engine replaces `price` behind this seam.

The seam: `parse_tariff(json) -> Tariff | Unsupported`, `price(tariff, usage) -> Priced`,
`accrue(tariff, cumulative usages) -> amounts per slice`. Integers only: micro-units.
"""
