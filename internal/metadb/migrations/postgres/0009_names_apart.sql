-- +goose Up

-- Publishers of one name do not wait for each other's commits. Who publishes
-- adds a row of his own to package_name_changes, as he does to package_counts;
-- the upkeep adds them to package_names.listed and takes away names that nothing
-- has any more. How many listed packages a name has is the sum of both.
CREATE TABLE package_name_changes (
    project_id BIGINT           NOT NULL,
    name       TEXT COLLATE "C" NOT NULL,
    listed     BIGINT           NOT NULL
);
CREATE INDEX package_name_changes_name ON package_name_changes (project_id, name) INCLUDE (listed);
CREATE INDEX package_names_unlisted ON package_names (id) WHERE listed = 0;

DROP TRIGGER packages_named ON packages;
DROP TRIGGER packages_renamed ON packages;

-- The name's row is not held: what takes names away waits for the transactions
-- that have come this far, and they for it (see dropNames in metadb).
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION name_package() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    grown BIGINT := 0;
BEGIN
    IF TG_OP <> 'DELETE' THEN
        grown := package_is_listed(new.status);
    END IF;
    IF TG_OP <> 'INSERT' THEN
        grown := grown - package_is_listed(old.status);
    ELSE
        INSERT INTO package_names (project_id, name, listed) VALUES (new.project_id, new.name, grown)
            ON CONFLICT (project_id, name) DO NOTHING;
        IF FOUND THEN
            RETURN NULL;
        END IF;
    END IF;
    IF grown <> 0 THEN
        INSERT INTO package_name_changes (project_id, name, listed) VALUES
            (CASE TG_OP WHEN 'DELETE' THEN old.project_id ELSE new.project_id END,
             CASE TG_OP WHEN 'DELETE' THEN old.name ELSE new.name END, grown);
    END IF;
    RETURN NULL;
END $$;
-- +goose StatementEnd

CREATE TRIGGER packages_named AFTER INSERT OR DELETE ON packages
    FOR EACH ROW EXECUTE FUNCTION name_package();
CREATE TRIGGER packages_renamed AFTER UPDATE OF status ON packages
    FOR EACH ROW WHEN (old.status <> new.status) EXECUTE FUNCTION name_package();

-- Projects are never removed, and a publication begins with a look at its own:
-- two more, each of which holds the row that all publishers share, are not needed.
ALTER TABLE package_counts DROP CONSTRAINT package_counts_project_id_fkey;
ALTER TABLE packages DROP CONSTRAINT packages_project_id_fkey;

-- Small files are mostly packed already: they are not packed again, and stay in
-- one piece where they fit a page.
ALTER TABLE blob_contents ALTER COLUMN content SET STORAGE EXTERNAL;
ALTER TABLE blob_contents SET (toast_tuple_target = 8160);

-- +goose Down
-- Forward only: an older server refuses a newer database.
SELECT 1;
