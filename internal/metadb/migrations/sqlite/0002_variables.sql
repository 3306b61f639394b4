-- +goose Up

-- CI/CD variables of projects and groups. value is sealed with the server's
-- key, bound to the place, the key and the scope it stands beside.
CREATE TABLE variables (
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
    revision          INTEGER NOT NULL, -- how often it was written
    CHECK ((namespace_id IS NULL) <> (project_id IS NULL))
) STRICT;
CREATE UNIQUE INDEX variables_project ON variables (project_id, key, environment_scope) WHERE project_id IS NOT NULL;
CREATE UNIQUE INDEX variables_namespace ON variables (namespace_id, key, environment_scope) WHERE namespace_id IS NOT NULL;

-- Something known, sealed with the key in use: a wrong key shows at start.
CREATE TABLE sealing (
    id    INTEGER PRIMARY KEY CHECK (id = 1),
    proof BLOB NOT NULL
) STRICT;

-- The users that project and group access tokens act as.
CREATE TABLE bots (
    user_id      INTEGER PRIMARY KEY REFERENCES users (id),
    project_id   INTEGER REFERENCES projects (id),
    namespace_id INTEGER REFERENCES namespaces (id),
    access_level INTEGER NOT NULL,
    CHECK ((namespace_id IS NULL) <> (project_id IS NULL))
) STRICT;
CREATE INDEX bots_project ON bots (project_id) WHERE project_id IS NOT NULL;
CREATE INDEX bots_namespace ON bots (namespace_id) WHERE namespace_id IS NOT NULL;

-- +goose Down
-- Forward only: an older server refuses a newer database.
SELECT 1;
