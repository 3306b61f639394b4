-- +goose Up

-- Who changed what. A row refers to nothing: it outlives what it tells of, and
-- names are kept as they were. id is the moment, in microseconds since 1970
-- UTC, or the next that is free, so that one order serves for ids and times.
CREATE TABLE audit_events (
    id              BIGINT PRIMARY KEY,
    name            TEXT COLLATE "C" NOT NULL,
    entity_type     TEXT COLLATE "C" NOT NULL,
    entity_id       BIGINT NOT NULL,
    entity_path     TEXT COLLATE "C" NOT NULL,
    author_id       BIGINT NOT NULL, -- 0: no user
    author_username TEXT COLLATE "C" NOT NULL,
    author_name     TEXT COLLATE "C" NOT NULL,
    credential      TEXT COLLATE "C" NOT NULL,
    credential_id   BIGINT NOT NULL,
    address         TEXT COLLATE "C" NOT NULL,
    sudo_id         BIGINT NOT NULL, -- 0: no sudo
    sudo_username   TEXT COLLATE "C" NOT NULL,
    target_type     TEXT COLLATE "C" NOT NULL,
    target_id       BIGINT NOT NULL,
    target_details  TEXT COLLATE "C" NOT NULL,
    change          TEXT COLLATE "C" NOT NULL, -- '': none
    change_from     TEXT COLLATE "C" NOT NULL,
    change_to       TEXT COLLATE "C" NOT NULL
);
CREATE INDEX audit_events_entity ON audit_events (entity_type, entity_id, id);
CREATE INDEX audit_events_elsewhere ON audit_events (entity_type, id) WHERE entity_type <> 'Project';

-- +goose Down
-- Forward only: an older server refuses a newer database.
SELECT 1;
