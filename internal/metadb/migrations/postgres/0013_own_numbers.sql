-- +goose Up

-- The last number that the instance gave a pipeline. Numbers that jobs choose do
-- not move it. Up to now they did: what lies above 2^52 was chosen, or came after
-- what was.
CREATE TABLE pipeline_numbers (
    id   BIGINT PRIMARY KEY CHECK (id = 1),
    last BIGINT NOT NULL
);
INSERT INTO pipeline_numbers (id, last) SELECT 1, COALESCE(MAX(id), 0) FROM pipelines WHERE id <= 4503599627370496;

-- The uploads of a project, newest first.
CREATE INDEX uploads_project ON uploads (project_id, id);

-- +goose Down
-- Forward only: an older server refuses a newer database.
SELECT 1;
