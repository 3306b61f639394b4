-- +goose Up

-- An older granary takes a deleted user for one who is there.
-- granary: exclusive

-- A deleted user keeps the row, since packages, releases and jobs are by it. The
-- name, the email and whatever let the user in are gone from it.
ALTER TABLE users ADD COLUMN deleted_at BIGINT;

-- A variable without project and namespace is one of the instance.
ALTER TABLE variables DROP CONSTRAINT variables_check;
ALTER TABLE variables ADD CHECK (namespace_id IS NULL OR project_id IS NULL);
CREATE UNIQUE INDEX variables_instance ON variables (key) WHERE project_id IS NULL AND namespace_id IS NULL;

-- +goose Down
-- Forward only: an older server refuses a newer database.
SELECT 1;
