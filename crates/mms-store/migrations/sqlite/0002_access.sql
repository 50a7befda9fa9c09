-- Who may call the API, and who did what.

CREATE TABLE api_token (
    id      TEXT   PRIMARY KEY,
    name    TEXT   NOT NULL,
    role    TEXT   NOT NULL CHECK (role IN ('viewer', 'operator', 'admin')),
    -- SHA-256 of the secret.
    secret  BLOB   NOT NULL UNIQUE,
    created BIGINT NOT NULL,
    expires BIGINT,
    revoked BIGINT
);
CREATE UNIQUE INDEX api_token_name ON api_token (name) WHERE revoked IS NULL;

CREATE TABLE audit (
    number INTEGER PRIMARY KEY,
    at     BIGINT  NOT NULL,
    actor  TEXT    NOT NULL,
    action TEXT    NOT NULL,
    target TEXT    NOT NULL,
    detail TEXT    NOT NULL
);
CREATE INDEX audit_at ON audit (at);
