"""The contract: what travels on Kafka and what is stored.

`events` and `records` are the pydantic models (the contract), `wire` the msgspec decoder
derived from them for the hot path, `topics` the topic table, `units` the exact
conversions, `errors` the error tree. This room imports no other room.
"""
