-- +goose Up

-- granary: exclusive
-- An older node would publish into drafts and final versions, and under reserved numbers.

-- A draft is a package of status 'draft'. draft_job_id is the last job that has put files
-- into it without asking for a draft; draft_shared is 1 if others have, too. draft_status is
-- the status that publishers want it to have when it is final; NULL: default.
ALTER TABLE packages ADD COLUMN draft_job_id INTEGER;
ALTER TABLE packages ADD COLUMN draft_shared INTEGER;
ALTER TABLE packages ADD COLUMN draft_status TEXT;
CREATE INDEX packages_drafts ON packages (draft_job_id) WHERE status = 'draft'; -- one for all: each costs every publish

ALTER TABLE projects ADD COLUMN drafts TEXT;
ALTER TABLE projects ADD COLUMN finalisers TEXT;

-- Versions that were final, with the manifest that alone may be final again. NULL: their
-- number is not given away at all. Rows are never deleted, not even with their project.
CREATE TABLE reserved_versions (
    project_id INTEGER NOT NULL,
    name       TEXT    NOT NULL,
    version    TEXT    NOT NULL,
    manifest   BLOB,
    at         INTEGER NOT NULL,
    PRIMARY KEY (project_id, name, version)
) STRICT, WITHOUT ROWID;

-- A condition in the statement that inserts would be judged before it waits for those who
-- hold the number; this is judged after.
-- +goose StatementBegin
CREATE TRIGGER packages_reserved AFTER INSERT ON packages
WHEN EXISTS (SELECT 1 FROM reserved_versions r WHERE r.project_id = new.project_id AND r.name = new.name AND r.version = new.version
    AND (new.status <> 'draft' OR r.manifest IS NULL))
BEGIN
    SELECT RAISE(ABORT, 'the number of a version is reserved');
END;
-- +goose StatementEnd

-- +goose Down
-- Forward only: an older server refuses a newer database.
SELECT 1;
