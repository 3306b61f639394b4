-- +goose Up

-- granary: exclusive
-- An older node would not count what it publishes and removes.

-- The files of a version that are not removed, and their bytes. counted is 1; all three
-- are NULL in rows that the upkeep has not reached yet. counted is apart, since PostgreSQL
-- rewrites all indexes of a row if a column changes that the condition of one names.
ALTER TABLE packages ADD COLUMN files INTEGER;
ALTER TABLE packages ADD COLUMN bytes INTEGER;
ALTER TABLE packages ADD COLUMN counted INTEGER;
CREATE INDEX packages_uncounted ON packages (id) WHERE counted IS NULL;

-- Of the listed versions of a name: their bytes, when the newest was published, and its id.
-- bytes is NULL until the upkeep has summed them; the others are NULL while the newest has
-- to be looked up, and mean nothing while listed is 0. changed is 1 until the upkeep has put the name into its orders.
ALTER TABLE package_names ADD COLUMN bytes INTEGER;
ALTER TABLE package_names ADD COLUMN published_at INTEGER;
ALTER TABLE package_names ADD COLUMN last_id INTEGER;
ALTER TABLE package_names ADD COLUMN changed INTEGER NOT NULL DEFAULT 1;
CREATE INDEX package_names_changed ON package_names (project_id, id) WHERE changed = 1;

-- The names with listed versions, as they were when the upkeep last saw them. No publish
-- writes these indexes: each would cost it two pages.
CREATE TABLE package_name_orders (
    name_id      INTEGER PRIMARY KEY REFERENCES package_names (id) ON DELETE CASCADE,
    project_id   INTEGER NOT NULL,
    name         TEXT    NOT NULL,
    versions     INTEGER NOT NULL,
    bytes        INTEGER NOT NULL,
    published_at INTEGER NOT NULL
) STRICT;
CREATE INDEX package_name_orders_name ON package_name_orders (project_id, name);
CREATE INDEX package_name_orders_versions ON package_name_orders (project_id, versions);
CREATE INDEX package_name_orders_bytes ON package_name_orders (project_id, bytes);
CREATE INDEX package_name_orders_published ON package_name_orders (project_id, published_at);

DROP TRIGGER packages_added;
DROP TRIGGER packages_changed;
DROP TRIGGER packages_removed;

-- SQLite writes an index anew if a column of its condition is set, even to the same value:
-- changed is set apart.
-- +goose StatementBegin
CREATE TRIGGER packages_added AFTER INSERT ON packages BEGIN
    INSERT INTO package_counts (project_id, status, packages) VALUES (new.project_id, new.status, 1)
        ON CONFLICT (project_id, status) DO UPDATE SET packages = packages + 1;
    INSERT INTO package_names (project_id, name, listed, bytes, published_at, last_id)
        VALUES (new.project_id, new.name, new.status IN ('default', 'error', 'deprecated'),
            CASE WHEN new.status IN ('default', 'error', 'deprecated') THEN COALESCE(new.bytes, 0) ELSE 0 END, new.created_at, new.id)
        ON CONFLICT (project_id, name) DO UPDATE SET listed = listed + excluded.listed, bytes = bytes + excluded.bytes,
            published_at = CASE WHEN listed = 0 OR excluded.published_at >= published_at THEN excluded.published_at ELSE published_at END,
            last_id = CASE WHEN listed = 0 OR excluded.published_at >= published_at THEN excluded.last_id ELSE last_id END
        WHERE excluded.listed <> 0;
    UPDATE package_names SET changed = 1 WHERE project_id = new.project_id AND name = new.name AND changed = 0;
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER packages_changed AFTER UPDATE OF status ON packages WHEN old.status <> new.status BEGIN
    UPDATE package_counts SET packages = packages - 1 WHERE project_id = old.project_id AND status = old.status;
    INSERT INTO package_counts (project_id, status, packages) VALUES (new.project_id, new.status, 1)
        ON CONFLICT (project_id, status) DO UPDATE SET packages = packages + 1;
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

-- What further files add is written by the servers, every few seconds.
-- +goose StatementBegin
CREATE TRIGGER packages_grown AFTER UPDATE OF bytes ON packages
WHEN (new.bytes < old.bytes OR old.bytes IS NULL AND new.bytes IS NOT NULL)
    AND old.status = new.status AND new.status IN ('default', 'error', 'deprecated') BEGIN
    UPDATE package_names SET bytes = bytes + COALESCE(new.bytes, 0) - COALESCE(old.bytes, 0)
        WHERE project_id = new.project_id AND name = new.name;
    UPDATE package_names SET changed = 1 WHERE project_id = new.project_id AND name = new.name AND changed = 0;
END;
-- +goose StatementEnd

-- A name goes with its last package. One that is published again meanwhile has
-- a package that is not removed, which the unique index finds.
-- +goose StatementBegin
CREATE TRIGGER packages_removed AFTER DELETE ON packages BEGIN
    UPDATE package_counts SET packages = packages - 1 WHERE project_id = old.project_id AND status = old.status;
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

-- Hooks that are off or rest, for their owners' first page.
CREATE INDEX hooks_failing ON hooks (project_id) WHERE failures > 3;

-- +goose Down
-- Forward only: an older server refuses a newer database.
SELECT 1;
