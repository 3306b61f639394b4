-- +goose Up

-- The servers that run on this database. A row is rewritten every 5 s and goes
-- with its server; that of a server that was killed stays for a day.
CREATE TABLE nodes (
    id      TEXT COLLATE "C" NOT NULL PRIMARY KEY, -- another at each start
    version TEXT COLLATE "C" NOT NULL, -- of granary
    schema  BIGINT           NOT NULL, -- the newest migration that it knows
    seen_at BIGINT           NOT NULL  -- by the database's clock
);

-- +goose Down
-- Forward only: an older server refuses a newer database.
SELECT 1;
