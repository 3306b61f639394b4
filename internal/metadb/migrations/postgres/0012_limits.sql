-- +goose Up

-- What limits count, apart from what is over or deleted: that has no end.
CREATE INDEX jobs_running ON jobs (project_id, expires_at) WHERE status = 'running';
CREATE INDEX projects_living ON projects (namespace_id) WHERE deleted_at IS NULL;
CREATE INDEX namespaces_living ON namespaces (parent_id) WHERE deleted_at IS NULL;

-- +goose Down
-- Forward only: an older server refuses a newer database.
SELECT 1;
