-- +goose Up

-- A person's sign-in in a browser. token_id is the personal access token that it came from,
-- NULL: none. It is no foreign key, since older nodes delete tokens and know no sessions;
-- without its token a session has ended.
CREATE TABLE web_sessions (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    digest       BLOB    NOT NULL,
    user_id      INTEGER NOT NULL REFERENCES users (id),
    token_id     INTEGER,
    method       TEXT    NOT NULL,
    scopes       TEXT    NOT NULL, -- space between
    signed_in_at INTEGER NOT NULL,
    seen_at      INTEGER NOT NULL,
    expires_at   INTEGER NOT NULL,
    address      TEXT    NOT NULL,
    user_agent   TEXT    NOT NULL
) STRICT;
CREATE UNIQUE INDEX web_sessions_digest ON web_sessions (digest);
CREATE INDEX web_sessions_user ON web_sessions (user_id, id);
CREATE INDEX web_sessions_expires ON web_sessions (expires_at);

-- A link that signs a user in, once. token_id is the token that asked for it, NULL: an
-- administrator did.
CREATE TABLE sign_in_links (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    digest     BLOB    NOT NULL,
    user_id    INTEGER NOT NULL REFERENCES users (id),
    token_id   INTEGER,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX sign_in_links_digest ON sign_in_links (digest);
CREATE INDEX sign_in_links_user ON sign_in_links (user_id, id);
CREATE INDEX sign_in_links_expires ON sign_in_links (expires_at);

-- +goose Down
-- Forward only: an older server refuses a newer database.
SELECT 1;
