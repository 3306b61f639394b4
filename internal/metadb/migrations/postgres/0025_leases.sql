-- +goose Up

-- granary: exclusive
-- An older node would remove bytes that a backup is about to copy.

-- While a lease lives, the sweep removes no bytes. Its holder renews it; one that was not
-- renewed is dead after a while.
CREATE TABLE leases (
    name     TEXT COLLATE "C" NOT NULL PRIMARY KEY, -- what holds the bytes, such as a backup and its place
    holder   TEXT COLLATE "C" NOT NULL, -- the process that renews it
    taken_at BIGINT           NOT NULL, -- by the database's clock, as seen_at
    seen_at  BIGINT           NOT NULL
);

-- +goose Down
-- Forward only: an older server refuses a newer database.
SELECT 1;
