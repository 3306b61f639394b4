-- +goose Up

-- When a delivery is no longer in the hands of whoever claimed it, however far
-- its hook's rest puts it off meanwhile.
ALTER TABLE hook_deliveries ADD COLUMN lease INTEGER NOT NULL DEFAULT 0;

-- +goose Down
-- Forward only: an older server refuses a newer database.
SELECT 1;
