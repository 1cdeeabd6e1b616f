"""Exact money, pure: an OCPI tariff and a usage become a priced session that says why.

`compiled.compile_tariff` makes a tariff ready, `engine.price` prices, `adjust` applies plans,
`accrual.accrue` spreads over slices, `words.because` explains. Integers and fractions only.
"""
