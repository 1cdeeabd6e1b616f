-- replaces: 1 where a row of the same key and instant had been written before. A row that is not published
-- stands in for the one it replaces where the store has merged that away; a new one is in no view until then.
ALTER TABLE stations
    ADD COLUMN IF NOT EXISTS replaces UInt8 DEFAULT 1;

ALTER TABLE tariffs
    ADD COLUMN IF NOT EXISTS replaces UInt8 DEFAULT 1;

ALTER TABLE drivers
    ADD COLUMN IF NOT EXISTS replaces UInt8 DEFAULT 1;

ALTER TABLE companies
    ADD COLUMN IF NOT EXISTS replaces UInt8 DEFAULT 1;

ALTER TABLE plans
    ADD COLUMN IF NOT EXISTS replaces UInt8 DEFAULT 1;

ALTER TABLE subscriptions
    ADD COLUMN IF NOT EXISTS replaces UInt8 DEFAULT 1;

ALTER TABLE assignments
    ADD COLUMN IF NOT EXISTS replaces UInt8 DEFAULT 1;
