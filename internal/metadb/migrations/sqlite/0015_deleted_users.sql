-- +goose Up

-- An older granary takes a deleted user for one who is there.
-- granary: exclusive

-- A deleted user keeps the row, since packages, releases and jobs are by it. The
-- name, the email and whatever let the user in are gone from it.
ALTER TABLE users ADD COLUMN deleted_at INTEGER;

-- A variable without project and namespace is one of the instance. SQLite changes
-- no condition of a table, so that the table is made anew. It goes on with its ids:
-- a tag names a variable by id.
CREATE TABLE variables_anew (
    id                INTEGER PRIMARY KEY AUTOINCREMENT,
    project_id        INTEGER REFERENCES projects (id),
    namespace_id      INTEGER REFERENCES namespaces (id),
    key               TEXT    NOT NULL,
    value             BLOB    NOT NULL,
    variable_type     TEXT    NOT NULL,
    protected         INTEGER NOT NULL,
    masked            INTEGER NOT NULL,
    hidden            INTEGER NOT NULL,
    raw               INTEGER NOT NULL,
    environment_scope TEXT    NOT NULL,
    description       TEXT,
    revision          INTEGER NOT NULL,
    CHECK (namespace_id IS NULL OR project_id IS NULL)
) STRICT;
INSERT INTO variables_anew (id, project_id, namespace_id, key, value, variable_type, protected, masked, hidden, raw,
        environment_scope, description, revision)
    SELECT id, project_id, namespace_id, key, value, variable_type, protected, masked, hidden, raw,
        environment_scope, description, revision FROM variables;
DELETE FROM sqlite_sequence WHERE name = 'variables_anew';
INSERT INTO sqlite_sequence (name, seq) SELECT 'variables_anew', seq FROM sqlite_sequence WHERE name = 'variables';
DROP TABLE variables;
ALTER TABLE variables_anew RENAME TO variables;
CREATE UNIQUE INDEX variables_project ON variables (project_id, key, environment_scope) WHERE project_id IS NOT NULL;
CREATE UNIQUE INDEX variables_namespace ON variables (namespace_id, key, environment_scope) WHERE namespace_id IS NOT NULL;
CREATE UNIQUE INDEX variables_instance ON variables (key) WHERE project_id IS NULL AND namespace_id IS NULL;

-- +goose Down
-- Forward only: an older server refuses a newer database.
SELECT 1;
