-- +goose Up

-- Blobs whose stored bytes are known to be lost or wrong. The row goes when the right
-- bytes are back, and with the blob.
CREATE TABLE damage (
    digest   BYTEA  PRIMARY KEY,
    kind     TEXT   COLLATE "C" NOT NULL, -- missing, size or digest
    state    TEXT   COLLATE "C" NOT NULL, -- found, or aside: the store has no wrong bytes under the digest
    found_at BIGINT NOT NULL
);

-- How far the stored bytes are verified: those of files up to a digest in this cycle.
CREATE TABLE scrubs (
    id       BIGINT PRIMARY KEY CHECK (id = 1),
    after    BYTEA  NOT NULL, -- empty at the begin of a cycle
    began_at BIGINT NOT NULL, -- this cycle
    since    BIGINT NOT NULL  -- when the last whole cycle began; the first one, if none is whole
);

-- +goose Down
-- Forward only: an older server refuses a newer database.
SELECT 1;
