-- +goose Up

-- Blobs whose stored bytes are known to be lost or wrong. The row goes when the right
-- bytes are back, and with the blob.
CREATE TABLE damage (
    digest   BLOB    PRIMARY KEY,
    kind     TEXT    NOT NULL, -- missing, size or digest
    state    TEXT    NOT NULL, -- found, or aside: the store has no wrong bytes under the digest
    found_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- How far the stored bytes are verified: those of files up to a digest in this cycle.
CREATE TABLE scrubs (
    id       INTEGER PRIMARY KEY CHECK (id = 1),
    after    BLOB    NOT NULL, -- empty at the begin of a cycle
    began_at INTEGER NOT NULL, -- this cycle
    since    INTEGER NOT NULL  -- when the last whole cycle began; the first one, if none is whole
) STRICT;

-- +goose Down
-- Forward only: an older server refuses a newer database.
SELECT 1;
