-- +goose Up

-- The newest complete backup, of all places.
CREATE TABLE last_backup (
    id       BIGINT           PRIMARY KEY CHECK (id = 1),
    snapshot TEXT COLLATE "C" NOT NULL, -- its id in the place
    place    TEXT COLLATE "C" NOT NULL,
    began_at BIGINT           NOT NULL  -- what was acknowledged before is in it
);

-- +goose Down
-- Forward only: an older server refuses a newer database.
SELECT 1;
