-- +goose Up

-- When a delivery is no longer in the hands of whoever claimed it, however far
-- its hook's rest puts it off meanwhile.
ALTER TABLE hook_deliveries ADD COLUMN lease INTEGER NOT NULL DEFAULT 0;

-- Which store of blobs the records belong to. The same text lies in that store.
CREATE TABLE blob_store (
    id       INTEGER PRIMARY KEY CHECK (id = 1),
    identity TEXT    NOT NULL,
    placed   INTEGER NOT NULL -- 0 until the store is known to have it
) STRICT;

-- +goose Down
-- Forward only: an older server refuses a newer database.
SELECT 1;
