-- +goose Up

-- granary: exclusive
-- An older node would not count what it publishes and removes. See the file of this number
-- for SQLite.

ALTER TABLE packages ADD COLUMN files BIGINT;
ALTER TABLE packages ADD COLUMN bytes BIGINT;
ALTER TABLE packages ADD COLUMN counted BIGINT;
CREATE INDEX packages_uncounted ON packages (id) WHERE counted IS NULL;

ALTER TABLE package_names ADD COLUMN bytes BIGINT;
ALTER TABLE package_names ADD COLUMN published_at BIGINT;
ALTER TABLE package_names ADD COLUMN last_id BIGINT;
ALTER TABLE package_names ADD COLUMN changed BIGINT NOT NULL DEFAULT 1;
CREATE INDEX package_names_changed ON package_names (project_id, id) WHERE changed = 1;

-- What publishers add to a name: published_at and last_id are of a version that is listed
-- fits, gone is 1 if one is no longer.
ALTER TABLE package_name_changes ADD COLUMN bytes BIGINT NOT NULL DEFAULT 0;
ALTER TABLE package_name_changes ADD COLUMN published_at BIGINT;
ALTER TABLE package_name_changes ADD COLUMN last_id BIGINT;
ALTER TABLE package_name_changes ADD COLUMN gone BIGINT;

CREATE TABLE package_name_orders (
    name_id      BIGINT PRIMARY KEY REFERENCES package_names (id) ON DELETE CASCADE,
    project_id   BIGINT           NOT NULL,
    name         TEXT COLLATE "C" NOT NULL,
    versions     BIGINT           NOT NULL,
    bytes        BIGINT           NOT NULL,
    published_at BIGINT           NOT NULL
);
CREATE INDEX package_name_orders_name ON package_name_orders (project_id, name, name_id);
CREATE INDEX package_name_orders_versions ON package_name_orders (project_id, versions, name_id);
CREATE INDEX package_name_orders_bytes ON package_name_orders (project_id, bytes, name_id);
CREATE INDEX package_name_orders_published ON package_name_orders (project_id, published_at, name_id);

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION name_package() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    was BIGINT := 0;
    fits BIGINT := 0;
    held packages;
BEGIN
    IF TG_OP <> 'DELETE' THEN
        fits := package_is_listed(new.status);
        held := new;
    ELSE
        held := old;
    END IF;
    IF TG_OP <> 'INSERT' THEN
        was := package_is_listed(old.status);
    ELSE
        INSERT INTO package_names (project_id, name, listed, bytes, published_at, last_id)
            VALUES (new.project_id, new.name, fits, fits * COALESCE(new.bytes, 0),
                CASE fits WHEN 1 THEN new.created_at END, CASE fits WHEN 1 THEN new.id END)
            ON CONFLICT (project_id, name) DO NOTHING;
        IF FOUND THEN
            RETURN NULL;
        END IF;
    END IF;
    IF was = 0 AND fits = 0 THEN
        RETURN NULL;
    END IF;
    INSERT INTO package_name_changes (project_id, name, listed, bytes, published_at, last_id, gone) VALUES
        (held.project_id, held.name, fits - was,
         CASE fits WHEN 1 THEN COALESCE(held.bytes, 0) ELSE 0 END - CASE was WHEN 1 THEN COALESCE(old.bytes, 0) ELSE 0 END,
         CASE fits - was WHEN 1 THEN held.created_at END, CASE fits - was WHEN 1 THEN held.id END, CASE fits - was WHEN -1 THEN 1 END);
    RETURN NULL;
END $$;
-- +goose StatementEnd

-- What further files add to versions is written by the servers, every few seconds.
DROP TRIGGER packages_renamed ON packages;
CREATE TRIGGER packages_renamed AFTER UPDATE OF status, bytes ON packages
    FOR EACH ROW WHEN (old.status <> new.status OR new.status <> 'draft'
        AND (new.bytes < old.bytes OR old.bytes IS NULL AND new.bytes IS NOT NULL)) EXECUTE FUNCTION name_package();

-- Hooks that are off or rest, for their owners' first page.
CREATE INDEX hooks_failing ON hooks (project_id) WHERE failures > 3;

-- +goose Down
-- Forward only: an older server refuses a newer database.
SELECT 1;
