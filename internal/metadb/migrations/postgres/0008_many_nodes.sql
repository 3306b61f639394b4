-- +goose Up

-- When a delivery is no longer in the hands of whoever claimed it, however far
-- its hook's rest puts it off meanwhile.
ALTER TABLE hook_deliveries ADD COLUMN lease BIGINT NOT NULL DEFAULT 0;

-- Which store of blobs the records belong to. The same text lies in that store.
CREATE TABLE blob_store (
    id       BIGINT PRIMARY KEY CHECK (id = 1),
    identity TEXT COLLATE "C" NOT NULL,
    placed   BIGINT NOT NULL -- 0 until the store is known to have it
);

-- +goose Down
-- Forward only: an older server refuses a newer database.
SELECT 1;
