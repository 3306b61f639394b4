-- +goose Up

-- granary: exclusive
-- An older node would sum what publishers append on PostgreSQL, and lose its files and bytes.

-- What the files of the packages that are counted have, whoever else has the same bytes.
-- Files that were removed from a version count as pending_destruction until they are purged.
ALTER TABLE package_counts ADD COLUMN files INTEGER NOT NULL DEFAULT 0;
ALTER TABLE package_counts ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;

-- Projects up to this id have what older servers published in files and bytes; the upkeep
-- adds that of the others in steps.
CREATE TABLE sized_projects (
    id         INTEGER PRIMARY KEY CHECK (id = 1),
    project_id INTEGER NOT NULL
) STRICT;
INSERT INTO sized_projects (id, project_id)
    SELECT 1, CASE WHEN EXISTS (SELECT 1 FROM packages) THEN 0 ELSE 9223372036854775807 END;

DROP TRIGGER packages_added;
DROP TRIGGER packages_changed;
DROP TRIGGER packages_removed;

-- +goose StatementBegin
CREATE TRIGGER packages_added AFTER INSERT ON packages BEGIN
    INSERT INTO package_counts (project_id, status, packages, files, bytes)
        VALUES (new.project_id, new.status, 1, COALESCE(new.files, 0), COALESCE(new.bytes, 0))
        ON CONFLICT (project_id, status) DO UPDATE SET packages = packages + 1, files = files + excluded.files, bytes = bytes + excluded.bytes;
    INSERT INTO package_names (project_id, name, listed, bytes, published_at, last_id)
        VALUES (new.project_id, new.name, new.status = 'default' OR new.status = 'error' OR new.status = 'deprecated',
            (new.status = 'default' OR new.status = 'error' OR new.status = 'deprecated') * COALESCE(new.bytes, 0), new.created_at, new.id)
        ON CONFLICT (project_id, name) DO UPDATE SET listed = listed + excluded.listed, bytes = bytes + excluded.bytes,
            published_at = CASE WHEN listed = 0 OR excluded.published_at >= published_at THEN excluded.published_at ELSE published_at END,
            last_id = CASE WHEN listed = 0 OR excluded.published_at >= published_at THEN excluded.last_id ELSE last_id END
        WHERE excluded.listed <> 0;
    UPDATE package_names SET changed = 1 WHERE project_id = new.project_id AND name = new.name AND changed = 0;
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER packages_changed AFTER UPDATE OF status ON packages WHEN old.status <> new.status BEGIN
    UPDATE package_counts SET packages = packages - 1, files = files - COALESCE(old.files, 0), bytes = bytes - COALESCE(old.bytes, 0)
        WHERE project_id = old.project_id AND status = old.status;
    INSERT INTO package_counts (project_id, status, packages, files, bytes)
        VALUES (new.project_id, new.status, 1, COALESCE(new.files, 0), COALESCE(new.bytes, 0))
        ON CONFLICT (project_id, status) DO UPDATE SET packages = packages + 1, files = files + excluded.files, bytes = bytes + excluded.bytes;
    UPDATE package_names SET listed = listed - l.was + l.fits,
            bytes = bytes - l.was * COALESCE(old.bytes, 0) + l.fits * COALESCE(new.bytes, 0), changed = 1,
            published_at = CASE WHEN l.was > l.fits AND last_id = old.id THEN NULL
                WHEN l.fits AND (listed - l.was = 0 OR new.created_at >= published_at) THEN new.created_at ELSE published_at END,
            last_id = CASE WHEN l.was > l.fits AND last_id = old.id THEN NULL
                WHEN l.fits AND (listed - l.was = 0 OR new.created_at >= published_at) THEN new.id ELSE last_id END
        FROM (SELECT old.status IN ('default', 'error', 'deprecated') AS was, new.status IN ('default', 'error', 'deprecated') AS fits) l
        WHERE project_id = old.project_id AND name = old.name AND (l.was OR l.fits);
END;
-- +goose StatementEnd

-- A further file, or one that was removed. An empty one changes no bytes.
-- +goose StatementBegin
CREATE TRIGGER packages_sized AFTER UPDATE OF files, bytes ON packages
WHEN old.status = new.status AND (old.files IS NOT new.files OR old.bytes IS NOT new.bytes) BEGIN
    UPDATE package_counts SET files = files + COALESCE(new.files, 0) - COALESCE(old.files, 0), bytes = bytes + COALESCE(new.bytes, 0) - COALESCE(old.bytes, 0)
        WHERE project_id = new.project_id AND status = new.status;
END;
-- +goose StatementEnd

-- A name goes with its last package. One that is published again meanwhile has
-- a package that is not removed, which the unique index finds.
-- +goose StatementBegin
CREATE TRIGGER packages_removed AFTER DELETE ON packages BEGIN
    UPDATE package_counts SET packages = packages - 1, files = files - COALESCE(old.files, 0), bytes = bytes - COALESCE(old.bytes, 0)
        WHERE project_id = old.project_id AND status = old.status;
    UPDATE package_names SET listed = listed - 1, bytes = bytes - COALESCE(old.bytes, 0), changed = 1,
            published_at = CASE WHEN last_id = old.id THEN NULL ELSE published_at END,
            last_id = CASE WHEN last_id = old.id THEN NULL ELSE last_id END
        WHERE project_id = old.project_id AND name = old.name AND old.status IN ('default', 'error', 'deprecated');
    DELETE FROM package_names
        WHERE project_id = old.project_id AND name = old.name AND listed = 0
        AND NOT EXISTS (SELECT 1 FROM packages k WHERE k.project_id = old.project_id AND k.name = old.name
            AND k.status <> 'pending_destruction');
END;
-- +goose StatementEnd

-- A file that is removed from its version, or comes back.
-- +goose StatementBegin
CREATE TRIGGER package_files_changed AFTER UPDATE OF status ON package_files
WHEN (old.status = 'pending_destruction') <> (new.status = 'pending_destruction') BEGIN
    INSERT INTO package_counts (project_id, status, packages, files, bytes)
        SELECT k.project_id, 'pending_destruction', 0, d.n, d.n * b.size
        FROM (SELECT CASE new.status WHEN 'pending_destruction' THEN 1 ELSE -1 END AS n) d, packages k, blobs b
        WHERE k.id = new.package_id AND b.id = new.blob_id
        ON CONFLICT (project_id, status) DO UPDATE SET files = files + excluded.files, bytes = bytes + excluded.bytes;
END;
-- +goose StatementEnd

-- The purge deletes files before their package.
-- +goose StatementBegin
CREATE TRIGGER package_files_purged AFTER DELETE ON package_files WHEN old.status = 'pending_destruction' BEGIN
    UPDATE package_counts SET files = files - 1, bytes = bytes - COALESCE((SELECT b.size FROM blobs b WHERE b.id = old.blob_id), 0)
        WHERE project_id = (SELECT k.project_id FROM packages k WHERE k.id = old.package_id) AND status = 'pending_destruction';
END;
-- +goose StatementEnd

-- How often versions and names were downloaded, all in all and by day: days since 1970, in UTC.
-- The upkeep makes one row of a month that is 400 days ago, at its first day. Names outlive
-- their versions.
ALTER TABLE packages ADD COLUMN downloads INTEGER NOT NULL DEFAULT 0;
CREATE TABLE package_downloads (
    package_id INTEGER NOT NULL REFERENCES packages (id) ON DELETE CASCADE,
    day        INTEGER NOT NULL,
    downloads  INTEGER NOT NULL,
    PRIMARY KEY (package_id, day)
) STRICT, WITHOUT ROWID;
CREATE INDEX package_downloads_day ON package_downloads (day);
CREATE TABLE name_downloads (
    project_id INTEGER NOT NULL,
    name       TEXT    NOT NULL,
    day        INTEGER NOT NULL,
    downloads  INTEGER NOT NULL,
    PRIMARY KEY (project_id, name, day)
) STRICT, WITHOUT ROWID;
CREATE INDEX name_downloads_day ON name_downloads (day, project_id);

-- Up to which day the months before are one row; one row, once the upkeep has made some.
CREATE TABLE download_months (
    id  INTEGER PRIMARY KEY CHECK (id = 1),
    day INTEGER NOT NULL
) STRICT;

-- +goose Down
-- Forward only: an older server refuses a newer database.
SELECT 1;
