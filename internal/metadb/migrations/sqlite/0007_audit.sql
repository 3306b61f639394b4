-- +goose Up

-- Who changed what. A row refers to nothing: it outlives what it tells of, and
-- names are kept as they were. id is the moment, in microseconds since 1970
-- UTC, or the next that is free, so that one order serves for ids and times.
CREATE TABLE audit_events (
    id              INTEGER PRIMARY KEY,
    name            TEXT    NOT NULL,
    entity_type     TEXT    NOT NULL,
    entity_id       INTEGER NOT NULL,
    entity_path     TEXT    NOT NULL,
    author_id       INTEGER NOT NULL, -- 0: no user
    author_username TEXT    NOT NULL,
    author_name     TEXT    NOT NULL,
    credential      TEXT    NOT NULL,
    credential_id   INTEGER NOT NULL,
    address         TEXT    NOT NULL,
    sudo_id         INTEGER NOT NULL, -- 0: no sudo
    sudo_username   TEXT    NOT NULL,
    target_type     TEXT    NOT NULL,
    target_id       INTEGER NOT NULL,
    target_details  TEXT    NOT NULL,
    change          TEXT    NOT NULL, -- '': none
    change_from     TEXT    NOT NULL,
    change_to       TEXT    NOT NULL
) STRICT;
CREATE INDEX audit_events_entity ON audit_events (entity_type, entity_id, id);
CREATE INDEX audit_events_elsewhere ON audit_events (entity_type, id) WHERE entity_type <> 'Project';

-- +goose Down
-- Forward only: an older server refuses a newer database.
SELECT 1;
