-- +goose Up

-- Nothing: the file of this number is for SQLite alone.
SELECT 1;

-- +goose Down
-- Forward only: an older server refuses a newer database.
SELECT 1;
