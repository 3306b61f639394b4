-- +goose Up

-- A release of a project, by its tag. There is no git behind: tag and ref are
-- words.
CREATE TABLE releases (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    project_id  INTEGER NOT NULL REFERENCES projects (id),
    tag         TEXT    NOT NULL,
    name        TEXT    NOT NULL,
    description TEXT    NOT NULL,
    ref         TEXT    NOT NULL,
    milestones  TEXT    NOT NULL, -- titles, a line break between
    author_id   INTEGER NOT NULL REFERENCES users (id),
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    released_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX releases_tag ON releases (project_id, tag);
CREATE INDEX releases_released ON releases (project_id, released_at, id);
CREATE INDEX releases_created ON releases (project_id, created_at, id);

CREATE TABLE release_links (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    release_id INTEGER NOT NULL REFERENCES releases (id) ON DELETE CASCADE,
    name       TEXT    NOT NULL,
    url        TEXT    NOT NULL,
    path       TEXT    NOT NULL, -- below the release's downloads/, '' for none
    link_type  TEXT    NOT NULL
) STRICT;
CREATE UNIQUE INDEX release_links_name ON release_links (release_id, name);
CREATE UNIQUE INDEX release_links_url ON release_links (release_id, url);
CREATE UNIQUE INDEX release_links_path ON release_links (release_id, path) WHERE path <> '';

-- Files beside the packages, which count in blobs.files like package files.
CREATE TABLE uploads (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    project_id INTEGER NOT NULL REFERENCES projects (id),
    secret     TEXT    NOT NULL, -- of the address; whoever has it still needs to see the project
    file_name  TEXT    NOT NULL,
    blob_id    INTEGER NOT NULL REFERENCES blobs (id),
    creator_id INTEGER NOT NULL REFERENCES users (id),
    created_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX uploads_secret ON uploads (project_id, secret);
CREATE INDEX uploads_blob ON uploads (blob_id);

-- +goose Down
-- Forward only: an older server refuses a newer database.
SELECT 1;
