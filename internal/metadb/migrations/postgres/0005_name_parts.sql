-- +goose Up

-- A name is found by any part of it, as on SQLite: see the file of this number
-- there.
CREATE TABLE positions (n BIGINT PRIMARY KEY); -- 1 to 255, the longest name
INSERT INTO positions SELECT * FROM generate_series(1, 255);

CREATE TABLE package_name_parts (
    project_id BIGINT           NOT NULL,
    part       TEXT COLLATE "C" NOT NULL, -- up to 32 characters, in lower case
    name_id    BIGINT           NOT NULL, -- of package_names
    PRIMARY KEY (project_id, part, name_id)
);

INSERT INTO package_name_parts (project_id, part, name_id)
    SELECT k.project_id, substr(lower(k.name), CAST(p.n AS INTEGER), 32), k.id FROM package_names k JOIN positions p ON p.n <= length(k.name)
    ON CONFLICT DO NOTHING;

-- +goose StatementBegin
CREATE FUNCTION part_name() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO package_name_parts (project_id, part, name_id)
            SELECT new.project_id, substr(lower(new.name), CAST(p.n AS INTEGER), 32), new.id FROM positions p WHERE p.n <= length(new.name)
            ON CONFLICT DO NOTHING;
    ELSE
        DELETE FROM package_name_parts WHERE project_id = old.project_id AND name_id = old.id
            AND part IN (SELECT substr(lower(old.name), CAST(p.n AS INTEGER), 32) FROM positions p WHERE p.n <= length(old.name));
    END IF;
    RETURN NULL;
END $$;
-- +goose StatementEnd

CREATE TRIGGER package_names_parted AFTER INSERT OR DELETE ON package_names
    FOR EACH ROW EXECUTE FUNCTION part_name();

-- +goose Down
-- Forward only: an older server refuses a newer database.
SELECT 1;
