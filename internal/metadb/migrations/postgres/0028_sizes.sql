-- +goose Up

-- granary: exclusive
-- An older node would sum what publishers append, and lose its files and bytes. See the file
-- of this number for SQLite.

ALTER TABLE package_counts ADD COLUMN files BIGINT NOT NULL DEFAULT 0;
ALTER TABLE package_counts ADD COLUMN bytes BIGINT NOT NULL DEFAULT 0;

CREATE TABLE sized_projects (
    id         BIGINT PRIMARY KEY CHECK (id = 1),
    project_id BIGINT NOT NULL
);
INSERT INTO sized_projects (id, project_id)
    SELECT 1, CASE WHEN EXISTS (SELECT 1 FROM packages) THEN 0 ELSE 9223372036854775807 END;

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION count_package() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO package_counts (project_id, status, packages, files, bytes)
            SELECT new.project_id, new.status, 1, COALESCE(new.files, 0), COALESCE(new.bytes, 0) WHERE NOT EXISTS (SELECT 1 FROM reserved_versions r
                WHERE r.project_id = new.project_id AND r.name = new.name AND r.version = new.version
                AND (new.status <> 'draft' OR r.manifest IS NULL));
        IF NOT FOUND THEN
            RAISE EXCEPTION 'the number of a version is reserved' USING ERRCODE = 'unique_violation', TABLE = 'reserved_versions';
        END IF;
        RETURN NULL;
    END IF;
    IF TG_OP = 'UPDATE' AND old.status = new.status THEN -- a further file, or one that was removed
        INSERT INTO package_counts (project_id, status, packages, files, bytes) VALUES (new.project_id, new.status, 0,
            COALESCE(new.files, 0) - COALESCE(old.files, 0), COALESCE(new.bytes, 0) - COALESCE(old.bytes, 0));
        RETURN NULL;
    END IF;
    INSERT INTO package_counts (project_id, status, packages, files, bytes)
        VALUES (old.project_id, old.status, -1, -COALESCE(old.files, 0), -COALESCE(old.bytes, 0));
    IF TG_OP = 'UPDATE' THEN
        INSERT INTO package_counts (project_id, status, packages, files, bytes)
            VALUES (new.project_id, new.status, 1, COALESCE(new.files, 0), COALESCE(new.bytes, 0));
    END IF;
    RETURN NULL;
END $$;
-- +goose StatementEnd

DROP TRIGGER packages_recounted ON packages;
CREATE TRIGGER packages_recounted AFTER UPDATE OF status, files, bytes ON packages
    FOR EACH ROW WHEN (old.status <> new.status OR old.files IS DISTINCT FROM new.files OR old.bytes IS DISTINCT FROM new.bytes)
    EXECUTE FUNCTION count_package();

-- The purge deletes files before their package.
-- +goose StatementBegin
CREATE FUNCTION count_removed_file() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    more BIGINT := -1;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF new.status = 'pending_destruction' THEN
            more := 1;
        END IF;
    END IF;
    INSERT INTO package_counts (project_id, status, packages, files, bytes)
        SELECT k.project_id, 'pending_destruction', 0, more, more * b.size FROM packages k, blobs b
        WHERE k.id = old.package_id AND b.id = old.blob_id;
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER package_files_changed AFTER UPDATE OF status ON package_files
    FOR EACH ROW WHEN ((old.status = 'pending_destruction') <> (new.status = 'pending_destruction')) EXECUTE FUNCTION count_removed_file();
CREATE TRIGGER package_files_purged AFTER DELETE ON package_files
    FOR EACH ROW WHEN (old.status = 'pending_destruction') EXECUTE FUNCTION count_removed_file();

-- How often versions and names were downloaded, all in all and by day: days since 1970, in UTC.
-- The upkeep makes one row of a month that is 400 days ago, at its first day. Names outlive
-- their versions.
ALTER TABLE packages ADD COLUMN downloads BIGINT NOT NULL DEFAULT 0;
CREATE TABLE package_downloads (
    package_id BIGINT NOT NULL REFERENCES packages (id) ON DELETE CASCADE,
    day        BIGINT NOT NULL,
    downloads  BIGINT NOT NULL,
    PRIMARY KEY (package_id, day)
);
CREATE INDEX package_downloads_day ON package_downloads (day);
CREATE TABLE name_downloads (
    project_id BIGINT           NOT NULL,
    name       TEXT COLLATE "C" NOT NULL,
    day        BIGINT           NOT NULL,
    downloads  BIGINT           NOT NULL,
    PRIMARY KEY (project_id, name, day)
);
CREATE INDEX name_downloads_day ON name_downloads (day, project_id);

-- Up to which day the months before are one row; one row, once the upkeep has made some.
CREATE TABLE download_months (
    id  BIGINT PRIMARY KEY CHECK (id = 1),
    day BIGINT NOT NULL
);

-- +goose Down
-- Forward only: an older server refuses a newer database.
SELECT 1;
