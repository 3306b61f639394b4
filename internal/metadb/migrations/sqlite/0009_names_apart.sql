-- +goose Up

-- Nothing to do: one writer needs no counters apart. See the file of this
-- number for PostgreSQL.
SELECT 1;

-- +goose Down
-- Forward only: an older server refuses a newer database.
SELECT 1;
