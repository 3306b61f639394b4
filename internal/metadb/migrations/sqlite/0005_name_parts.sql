-- +goose Up

-- A name is found by any part of it: for each place where a part can begin
-- there is a row with what follows, so that a search is a range of one index,
-- however many names there are. Trigrams (FTS5) read every name that has a
-- common one: 3.6 s at a million names, where this takes as long as there are
-- matches.
DROP TRIGGER package_names_added;
DROP TRIGGER package_names_removed;
DROP TABLE package_names_parts;

CREATE TABLE positions (n INTEGER PRIMARY KEY) STRICT; -- 1 to 255, the longest name
INSERT INTO positions WITH RECURSIVE p (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM p WHERE n < 255) SELECT n FROM p;

CREATE TABLE package_name_parts (
    project_id INTEGER NOT NULL,
    part       TEXT    NOT NULL, -- up to 32 characters, in lower case
    name_id    INTEGER NOT NULL, -- of package_names
    PRIMARY KEY (project_id, part, name_id)
) STRICT, WITHOUT ROWID;

INSERT OR IGNORE INTO package_name_parts (project_id, part, name_id)
    SELECT k.project_id, substr(lower(k.name), p.n, 32), k.id FROM package_names k JOIN positions p ON p.n <= length(k.name);

-- +goose StatementBegin
CREATE TRIGGER package_names_added AFTER INSERT ON package_names BEGIN
    INSERT INTO package_name_parts (project_id, part, name_id)
        SELECT new.project_id, substr(lower(new.name), p.n, 32), new.id FROM positions p WHERE p.n <= length(new.name)
        ON CONFLICT DO NOTHING;
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER package_names_removed AFTER DELETE ON package_names BEGIN
    DELETE FROM package_name_parts WHERE project_id = old.project_id AND name_id = old.id
        AND part IN (SELECT substr(lower(old.name), p.n, 32) FROM positions p WHERE p.n <= length(old.name));
END;
-- +goose StatementEnd

-- +goose Down
-- Forward only: an older server refuses a newer database.
SELECT 1;
