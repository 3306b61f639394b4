-- +goose Up

-- The seconds in which files were published that are gone: whoever was told such a
-- date must not take it for that of another file in the same place. A row goes when
-- no file can have its second any more.
CREATE TABLE former_files (
    project_id INTEGER NOT NULL REFERENCES projects (id),
    name       TEXT    NOT NULL,
    version    TEXT    NOT NULL,
    file_name  TEXT    NOT NULL,
    second     INTEGER NOT NULL, -- since 1970
    PRIMARY KEY (project_id, name, version, file_name, second)
) STRICT, WITHOUT ROWID;
CREATE INDEX former_files_second ON former_files (second);

-- +goose Down
-- Forward only: an older server refuses a newer database.
SELECT 1;
