"""What thinks: pure functions from a set of events to sessions, energy, slices and money.

No clock, no I/O, no randomness; integers only: milliwatt-hours, epoch milliseconds,
micro-units. `events` are the facts, `derive` is the function, `allot` says which session
a 1.6 event belongs to, `slices` and `pricing` spread energy, time and money.
"""
