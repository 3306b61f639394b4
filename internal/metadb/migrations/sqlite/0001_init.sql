-- +goose Up

-- Times are microseconds since 1970 UTC, truth values are 0 and 1.

CREATE TABLE users (
    id               INTEGER PRIMARY KEY AUTOINCREMENT,
    username         TEXT    NOT NULL,
    username_key     TEXT    NOT NULL, -- folded
    name             TEXT    NOT NULL,
    email            TEXT    NOT NULL,
    email_key        TEXT    NOT NULL, -- folded
    admin            INTEGER NOT NULL,
    external         INTEGER NOT NULL,
    blocked          INTEGER NOT NULL,
    can_create_group INTEGER NOT NULL,
    projects_limit   INTEGER NOT NULL,
    note             TEXT    NOT NULL,
    created_at       INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX users_username ON users (username_key);
CREATE UNIQUE INDEX users_email ON users (email_key);

-- A group, or with an owner_id the namespace of a user.
CREATE TABLE namespaces (
    id                  INTEGER PRIMARY KEY AUTOINCREMENT,
    parent_id           INTEGER REFERENCES namespaces (id),
    owner_id            INTEGER REFERENCES users (id),
    name                TEXT    NOT NULL,
    path                TEXT    NOT NULL,
    description         TEXT    NOT NULL,
    visibility          INTEGER NOT NULL,
    duplicates_allowed  INTEGER,
    duplicate_exception TEXT,
    created_at          INTEGER NOT NULL,
    updated_at          INTEGER NOT NULL,
    deleted_at          INTEGER
) STRICT;
CREATE INDEX namespaces_parent ON namespaces (parent_id);
CREATE INDEX namespaces_owner ON namespaces (owner_id);

CREATE TABLE projects (
    id                  INTEGER PRIMARY KEY AUTOINCREMENT,
    namespace_id        INTEGER NOT NULL REFERENCES namespaces (id),
    name                TEXT    NOT NULL,
    path                TEXT    NOT NULL,
    description         TEXT    NOT NULL,
    visibility          INTEGER NOT NULL,
    default_branch      TEXT    NOT NULL,
    topics              TEXT    NOT NULL, -- comma between
    package_access      INTEGER NOT NULL,
    archived            INTEGER NOT NULL,
    creator_id          INTEGER NOT NULL REFERENCES users (id),
    naming              TEXT,
    duplicates_allowed  INTEGER,
    duplicate_exception TEXT,
    max_file_size       INTEGER,
    job_token_scope     INTEGER NOT NULL,
    created_at          INTEGER NOT NULL,
    updated_at          INTEGER NOT NULL,
    deleted_at          INTEGER
) STRICT;
CREATE INDEX projects_namespace ON projects (namespace_id);
CREATE INDEX projects_deleted ON projects (deleted_at) WHERE deleted_at IS NOT NULL;

-- Where full paths lead: to a namespace or a project; a redirect is a path
-- that something had before.
CREATE TABLE routes (
    path_key     TEXT    NOT NULL PRIMARY KEY, -- folded
    path         TEXT    NOT NULL,
    namespace_id INTEGER REFERENCES namespaces (id),
    project_id   INTEGER REFERENCES projects (id),
    redirect     INTEGER NOT NULL,
    CHECK ((namespace_id IS NULL) <> (project_id IS NULL))
) STRICT;
CREATE INDEX routes_namespace ON routes (namespace_id);
CREATE INDEX routes_project ON routes (project_id);

CREATE TABLE members (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id      INTEGER NOT NULL REFERENCES users (id),
    namespace_id INTEGER REFERENCES namespaces (id),
    project_id   INTEGER REFERENCES projects (id),
    access_level INTEGER NOT NULL,
    created_by   INTEGER NOT NULL,
    created_at   INTEGER NOT NULL,
    expires_at   INTEGER,
    CHECK ((namespace_id IS NULL) <> (project_id IS NULL))
) STRICT;
CREATE UNIQUE INDEX members_namespace ON members (namespace_id, user_id) WHERE namespace_id IS NOT NULL;
CREATE UNIQUE INDEX members_project ON members (project_id, user_id) WHERE project_id IS NOT NULL;
CREATE INDEX members_user ON members (user_id);

CREATE TABLE personal_access_tokens (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id      INTEGER NOT NULL REFERENCES users (id),
    name         TEXT    NOT NULL,
    description  TEXT    NOT NULL,
    scopes       TEXT    NOT NULL, -- space between
    digest       BLOB    NOT NULL,
    revoked      INTEGER NOT NULL,
    expires_at   INTEGER,
    last_used_at INTEGER,
    created_at   INTEGER NOT NULL,
    family       INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX personal_access_tokens_digest ON personal_access_tokens (digest);
CREATE INDEX personal_access_tokens_user ON personal_access_tokens (user_id);
CREATE INDEX personal_access_tokens_family ON personal_access_tokens (family);

CREATE TABLE deploy_tokens (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    project_id   INTEGER REFERENCES projects (id),
    namespace_id INTEGER REFERENCES namespaces (id),
    name         TEXT    NOT NULL,
    username     TEXT    NOT NULL,
    scopes       TEXT    NOT NULL,
    digest       BLOB    NOT NULL,
    revoked      INTEGER NOT NULL,
    expires_at   INTEGER,
    creator_id   INTEGER NOT NULL,
    created_at   INTEGER NOT NULL,
    CHECK ((namespace_id IS NULL) <> (project_id IS NULL))
) STRICT;
CREATE UNIQUE INDEX deploy_tokens_digest ON deploy_tokens (digest);
CREATE INDEX deploy_tokens_project ON deploy_tokens (project_id);
CREATE INDEX deploy_tokens_namespace ON deploy_tokens (namespace_id);

CREATE TABLE pipelines (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    project_id INTEGER NOT NULL REFERENCES projects (id),
    user_id    INTEGER NOT NULL REFERENCES users (id),
    ref        TEXT    NOT NULL,
    sha        TEXT    NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE jobs (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    project_id  INTEGER NOT NULL REFERENCES projects (id),
    pipeline_id INTEGER NOT NULL REFERENCES pipelines (id),
    user_id     INTEGER NOT NULL REFERENCES users (id),
    name        TEXT    NOT NULL,
    stage       TEXT    NOT NULL,
    ref         TEXT    NOT NULL,
    sha         TEXT    NOT NULL,
    tag         INTEGER NOT NULL,
    status      TEXT    NOT NULL,
    digest      BLOB    NOT NULL,
    created_at  INTEGER NOT NULL,
    finished_at INTEGER,
    expires_at  INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX jobs_digest ON jobs (digest);
CREATE INDEX jobs_project ON jobs (project_id, id);

-- Which other projects' job tokens a project lets in.
CREATE TABLE job_token_allowlist (
    project_id          INTEGER NOT NULL REFERENCES projects (id),
    source_project_id   INTEGER REFERENCES projects (id),
    source_namespace_id INTEGER REFERENCES namespaces (id),
    CHECK ((source_namespace_id IS NULL) <> (source_project_id IS NULL))
) STRICT;
CREATE UNIQUE INDEX job_token_allowlist_entry
    ON job_token_allowlist (project_id, COALESCE(source_project_id, 0), COALESCE(source_namespace_id, 0));

CREATE TABLE features (
    name                 TEXT NOT NULL PRIMARY KEY,
    value                INTEGER,
    percentage_of_time   INTEGER NOT NULL,
    percentage_of_actors INTEGER NOT NULL
) STRICT;

CREATE TABLE feature_actors (
    name    TEXT    NOT NULL REFERENCES features (name) ON DELETE CASCADE,
    target  TEXT    NOT NULL, -- "Project:7"
    enabled INTEGER NOT NULL,
    PRIMARY KEY (name, target)
) STRICT;

-- The bytes of the world, by their SHA-256. What is small lies in
-- blob_contents; the rest lies in the blob store.
CREATE TABLE blobs (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    digest     BLOB    NOT NULL,
    size       INTEGER NOT NULL,
    files      INTEGER NOT NULL, -- how many package files refer to it
    touched_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX blobs_digest ON blobs (digest);
CREATE INDEX blobs_free ON blobs (touched_at) WHERE files = 0; -- what the sweep looks at

CREATE TABLE blob_contents (
    blob_id INTEGER PRIMARY KEY REFERENCES blobs (id) ON DELETE CASCADE,
    content BLOB NOT NULL
) STRICT;

CREATE TABLE packages (
    id                 INTEGER PRIMARY KEY AUTOINCREMENT,
    project_id         INTEGER NOT NULL REFERENCES projects (id),
    name               TEXT    NOT NULL,
    version            TEXT    NOT NULL,
    status             TEXT    NOT NULL,
    creator_id         INTEGER,
    created_at         INTEGER NOT NULL,
    updated_at         INTEGER NOT NULL,
    last_downloaded_at INTEGER
) STRICT;
CREATE UNIQUE INDEX packages_version ON packages (project_id, name, version) WHERE status <> 'pending_destruction';
CREATE INDEX packages_project ON packages (project_id, id);

CREATE TABLE package_files (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    package_id INTEGER NOT NULL REFERENCES packages (id),
    blob_id    INTEGER NOT NULL REFERENCES blobs (id),
    file_name  TEXT    NOT NULL,
    status     TEXT    NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX package_files_name ON package_files (package_id, file_name, id);
CREATE INDEX package_files_blob ON package_files (blob_id);

-- Which pipelines published a package, and each of its files.
CREATE TABLE package_pipelines (
    package_id  INTEGER NOT NULL REFERENCES packages (id) ON DELETE CASCADE,
    pipeline_id INTEGER NOT NULL REFERENCES pipelines (id),
    PRIMARY KEY (package_id, pipeline_id)
) STRICT;

CREATE TABLE package_file_pipelines (
    package_file_id INTEGER NOT NULL REFERENCES package_files (id) ON DELETE CASCADE,
    pipeline_id     INTEGER NOT NULL REFERENCES pipelines (id),
    PRIMARY KEY (package_file_id, pipeline_id)
) STRICT;

CREATE TABLE package_protection_rules (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    project_id   INTEGER NOT NULL REFERENCES projects (id),
    pattern      TEXT    NOT NULL,
    package_type TEXT    NOT NULL,
    push_level   INTEGER NOT NULL, -- 0: the rule does not say
    delete_level INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX package_protection_rules_pattern ON package_protection_rules (project_id, package_type, pattern);

-- +goose Down
-- Forward only: an older server refuses a newer database.
SELECT 1;
