-- +goose Up

-- Whom to tell what happens to a project's packages. sealed holds the URL with
-- the secrets sent there, so that none of them goes with another's URL.
CREATE TABLE hooks (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    project_id     INTEGER NOT NULL REFERENCES projects (id),
    sealed         BLOB    NOT NULL,
    name           TEXT    NOT NULL,
    description    TEXT    NOT NULL,
    package_events INTEGER NOT NULL,
    other_events   TEXT    NOT NULL, -- comma between; nothing of them is sent
    verify_tls     INTEGER NOT NULL,
    failures       INTEGER NOT NULL, -- attempts since the last that went well
    disabled_until INTEGER,
    created_at     INTEGER NOT NULL
) STRICT;
CREATE INDEX hooks_project ON hooks (project_id, id);
CREATE INDEX hooks_packages ON hooks (project_id) WHERE package_events = 1;

-- The outbox: what is still to be told, once for each hook. A claim moves due
-- to the end of its lease.
CREATE TABLE hook_deliveries (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    hook_id    INTEGER NOT NULL REFERENCES hooks (id) ON DELETE CASCADE,
    key        TEXT    NOT NULL, -- the same at every attempt
    event      TEXT    NOT NULL, -- JSON
    attempts   INTEGER NOT NULL,
    due        INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX hook_deliveries_due ON hook_deliveries (due, id, hook_id);
CREATE INDEX hook_deliveries_hook ON hook_deliveries (hook_id, due);

-- What was sent and what came back.
CREATE TABLE hook_attempts (
    id               INTEGER PRIMARY KEY AUTOINCREMENT,
    hook_id          INTEGER NOT NULL REFERENCES hooks (id) ON DELETE CASCADE,
    key              TEXT    NOT NULL,
    url              BLOB    NOT NULL, -- sealed
    request_headers  TEXT    NOT NULL, -- JSON, secrets left out
    request_body     TEXT    NOT NULL,
    response_status  INTEGER NOT NULL, -- 0: no answer
    response_headers TEXT    NOT NULL, -- JSON
    response_body    TEXT    NOT NULL,
    fault            TEXT    NOT NULL, -- why there was no answer
    duration         INTEGER NOT NULL, -- microseconds
    created_at       INTEGER NOT NULL
) STRICT;
CREATE INDEX hook_attempts_hook ON hook_attempts (hook_id, id);
CREATE INDEX hook_attempts_created ON hook_attempts (created_at);

-- +goose Down
-- Forward only: an older server refuses a newer database.
SELECT 1;
