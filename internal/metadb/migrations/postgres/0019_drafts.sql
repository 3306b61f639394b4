-- +goose Up

-- granary: exclusive
-- An older node would publish into drafts and final versions, and under reserved numbers.

-- A draft is a package of status 'draft'. draft_job_id is the last job that has put files
-- into it without asking for a draft; draft_shared is 1 if others have, too. draft_status is
-- the status that publishers want it to have when it is final; NULL: default.
ALTER TABLE packages ADD COLUMN draft_job_id BIGINT;
ALTER TABLE packages ADD COLUMN draft_shared BIGINT;
ALTER TABLE packages ADD COLUMN draft_status TEXT COLLATE "C";
CREATE INDEX packages_drafts ON packages (draft_job_id) WHERE status = 'draft'; -- one for all: each costs every publish

ALTER TABLE projects ADD COLUMN drafts TEXT COLLATE "C";
ALTER TABLE projects ADD COLUMN finalisers TEXT COLLATE "C";

-- Versions that were final, with the manifest that alone may be final again. NULL: their
-- number is not given away at all. Rows are never deleted, not even with their project.
CREATE TABLE reserved_versions (
    project_id BIGINT           NOT NULL,
    name       TEXT COLLATE "C" NOT NULL,
    version    TEXT COLLATE "C" NOT NULL,
    manifest   BYTEA,
    at         BIGINT           NOT NULL,
    PRIMARY KEY (project_id, name, version)
);

-- A condition in the statement that inserts would be judged before it waits for those who
-- hold the number; this is judged after. It is part of the statement that counts packages,
-- since each further one costs every publish of a new version.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION count_package() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO package_counts (project_id, status, packages)
            SELECT new.project_id, new.status, 1 WHERE NOT EXISTS (SELECT 1 FROM reserved_versions r
                WHERE r.project_id = new.project_id AND r.name = new.name AND r.version = new.version
                AND (new.status <> 'draft' OR r.manifest IS NULL));
        IF NOT FOUND THEN
            RAISE EXCEPTION 'the number of a version is reserved' USING ERRCODE = 'unique_violation', TABLE = 'reserved_versions';
        END IF;
        RETURN NULL;
    END IF;
    INSERT INTO package_counts (project_id, status, packages) VALUES (old.project_id, old.status, -1);
    IF TG_OP = 'UPDATE' THEN
        INSERT INTO package_counts (project_id, status, packages) VALUES (new.project_id, new.status, 1);
    END IF;
    RETURN NULL;
END $$;
-- +goose StatementEnd

-- +goose Down
-- Forward only: an older server refuses a newer database.
SELECT 1;
