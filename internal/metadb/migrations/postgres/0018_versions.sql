-- +goose Up

-- granary: exclusive
-- An older node would publish a version without a key, serve a yanked one as if nothing
-- had happened, and delete a project but not its channels.

-- final_at and manifest are NULL until a version is final. deprecation is the message of
-- status deprecated. version_key and prerelease are versions.Key and IsPreRelease; NULL in
-- rows that the upkeep has not reached yet.
ALTER TABLE packages ADD COLUMN final_at BIGINT;
ALTER TABLE packages ADD COLUMN manifest BYTEA;
ALTER TABLE packages ADD COLUMN yanked_at BIGINT;
ALTER TABLE packages ADD COLUMN yank_reason TEXT COLLATE "C";
ALTER TABLE packages ADD COLUMN deprecation TEXT COLLATE "C";
ALTER TABLE packages ADD COLUMN version_key BYTEA;
ALTER TABLE packages ADD COLUMN prerelease BIGINT;

-- The versions of a name in order. Pre-releases are apart, since many of them may stand
-- above the highest stable version.
CREATE INDEX packages_order ON packages (project_id, name, prerelease, version_key, id) WHERE status <> 'pending_destruction';
CREATE INDEX packages_order_final ON packages (project_id, name, prerelease, version_key, id)
    WHERE final_at IS NOT NULL AND status <> 'pending_destruction';

-- What asked it by project alone finds these rows by packages_order. A publish of a new
-- version writes as many indexes as before.
DROP INDEX packages_project;

CREATE INDEX packages_keyless ON packages (id) WHERE version_key IS NULL;

-- NULL if it is not known: zip archives need it before they begin.
ALTER TABLE blobs ADD COLUMN crc32 BIGINT;

CREATE TABLE package_channels (
    project_id BIGINT           NOT NULL REFERENCES projects (id),
    name       TEXT COLLATE "C" NOT NULL,
    channel    TEXT COLLATE "C" NOT NULL,
    version    TEXT COLLATE "C" NOT NULL,
    moved_at   BIGINT           NOT NULL,
    PRIMARY KEY (project_id, name, channel)
);

-- +goose Down
-- Forward only: an older server refuses a newer database.
SELECT 1;
