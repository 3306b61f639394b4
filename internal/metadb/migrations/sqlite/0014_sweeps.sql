-- +goose Up

-- From here on a blob's touched_at is also when the last file that had it went. Of
-- those that have none already nobody knows, so that it is now.
UPDATE blobs SET touched_at = CAST(unixepoch('subsec') * 1000000 AS INTEGER) WHERE files = 0;

-- Sweeps that administrators asked for. Who asked takes the row away with the
-- outcome; what is left is removed after a day.
CREATE TABLE sweeps (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    asked_at INTEGER NOT NULL, -- by the database's clock
    done_at  INTEGER,
    blobs    INTEGER NOT NULL DEFAULT 0,
    bytes    INTEGER NOT NULL DEFAULT 0,
    failure  TEXT
) STRICT;

-- +goose Down
-- Forward only: an older server refuses a newer database.
SELECT 1;
