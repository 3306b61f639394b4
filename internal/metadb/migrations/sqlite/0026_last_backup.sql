-- +goose Up

-- The newest complete backup, of all places.
CREATE TABLE last_backup (
    id       INTEGER PRIMARY KEY CHECK (id = 1),
    snapshot TEXT    NOT NULL, -- its id in the place
    place    TEXT    NOT NULL,
    began_at INTEGER NOT NULL  -- what was acknowledged before is in it
) STRICT;

-- +goose Down
-- Forward only: an older server refuses a newer database.
SELECT 1;
