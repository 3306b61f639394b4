-- +goose Up

-- What lists need. A package is listed while its status is one of three; the
-- words stand here, in the queries and in the triggers alike, since SQLite uses
-- a partial index only where it finds its condition again.

CREATE INDEX packages_listed ON packages (project_id, created_at)
    WHERE status IN ('default', 'error', 'deprecated');
CREATE INDEX packages_listed_version ON packages (project_id, version, created_at)
    WHERE status IN ('default', 'error', 'deprecated');
CREATE INDEX packages_odd ON packages (project_id, status, created_at) WHERE status <> 'default';
CREATE INDEX packages_doomed ON packages (id) WHERE status = 'pending_destruction';
CREATE INDEX package_files_doomed ON package_files (id) WHERE status = 'pending_destruction';
CREATE INDEX jobs_pipeline ON jobs (pipeline_id);
CREATE INDEX package_pipelines_pipeline ON package_pipelines (pipeline_id);

-- How many packages a project has. Counting a million takes 40 ms.
CREATE TABLE package_counts (
    project_id INTEGER NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    status     TEXT    NOT NULL,
    packages   INTEGER NOT NULL,
    PRIMARY KEY (project_id, status)
) STRICT, WITHOUT ROWID;

-- The names in a project, each once however many versions it has.
CREATE TABLE package_names (
    id         INTEGER PRIMARY KEY,
    project_id INTEGER NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    name       TEXT    NOT NULL,
    listed     INTEGER NOT NULL -- how many listed packages have it
) STRICT;
CREATE UNIQUE INDEX package_names_name ON package_names (project_id, name);

CREATE VIRTUAL TABLE package_names_parts USING fts5 (
    name, content = 'package_names', content_rowid = 'id', tokenize = 'trigram', columnsize = 0
);

-- +goose StatementBegin
CREATE TRIGGER package_names_added AFTER INSERT ON package_names BEGIN
    INSERT INTO package_names_parts (rowid, name) VALUES (new.id, new.name);
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER package_names_removed AFTER DELETE ON package_names BEGIN
    INSERT INTO package_names_parts (package_names_parts, rowid, name) VALUES ('delete', old.id, old.name);
END;
-- +goose StatementEnd

INSERT INTO package_counts (project_id, status, packages)
    SELECT project_id, status, COUNT(*) FROM packages GROUP BY project_id, status;
INSERT INTO package_names (project_id, name, listed)
    SELECT project_id, name, SUM(status IN ('default', 'error', 'deprecated')) FROM packages GROUP BY project_id, name;

-- +goose StatementBegin
CREATE TRIGGER packages_added AFTER INSERT ON packages BEGIN
    INSERT INTO package_counts (project_id, status, packages) VALUES (new.project_id, new.status, 1)
        ON CONFLICT (project_id, status) DO UPDATE SET packages = packages + 1;
    INSERT INTO package_names (project_id, name, listed)
        VALUES (new.project_id, new.name, new.status IN ('default', 'error', 'deprecated'))
        ON CONFLICT (project_id, name) DO UPDATE SET listed = listed + excluded.listed;
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER packages_changed AFTER UPDATE OF status ON packages WHEN old.status <> new.status BEGIN
    UPDATE package_counts SET packages = packages - 1 WHERE project_id = old.project_id AND status = old.status;
    INSERT INTO package_counts (project_id, status, packages) VALUES (new.project_id, new.status, 1)
        ON CONFLICT (project_id, status) DO UPDATE SET packages = packages + 1;
    UPDATE package_names SET listed = listed
            - (old.status IN ('default', 'error', 'deprecated')) + (new.status IN ('default', 'error', 'deprecated'))
        WHERE project_id = old.project_id AND name = old.name;
END;
-- +goose StatementEnd

-- A name goes with its last package. One that is published again meanwhile has
-- a package that is not doomed, which the unique index finds.
-- +goose StatementBegin
CREATE TRIGGER packages_removed AFTER DELETE ON packages BEGIN
    UPDATE package_counts SET packages = packages - 1 WHERE project_id = old.project_id AND status = old.status;
    UPDATE package_names SET listed = listed - (old.status IN ('default', 'error', 'deprecated'))
        WHERE project_id = old.project_id AND name = old.name AND old.status <> 'pending_destruction';
    DELETE FROM package_names
        WHERE project_id = old.project_id AND name = old.name AND listed = 0
        AND NOT EXISTS (SELECT 1 FROM packages k WHERE k.project_id = old.project_id AND k.name = old.name
            AND k.status <> 'pending_destruction');
END;
-- +goose StatementEnd

-- +goose Down
-- Forward only: an older server refuses a newer database.
SELECT 1;
