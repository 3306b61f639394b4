-- +goose Up

-- The seconds in which files were published that are gone: whoever was told such a
-- date must not take it for that of another file in the same place. A row goes when
-- no file can have its second any more.
CREATE TABLE former_files (
    project_id BIGINT           NOT NULL REFERENCES projects (id),
    name       TEXT COLLATE "C" NOT NULL,
    version    TEXT COLLATE "C" NOT NULL,
    file_name  TEXT COLLATE "C" NOT NULL,
    second     BIGINT           NOT NULL, -- since 1970
    PRIMARY KEY (project_id, name, version, file_name, second)
);
CREATE INDEX former_files_second ON former_files (second);

-- +goose Down
-- Forward only: an older server refuses a newer database.
SELECT 1;
