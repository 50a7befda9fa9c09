-- Instants are unix microseconds, UTC. States are text, so that the file can be read by people.

CREATE TABLE request (
    seq          INTEGER PRIMARY KEY,
    id           TEXT    NOT NULL UNIQUE,
    user_id      TEXT    NOT NULL,
    -- The user as resolved, as JSON.
    user         TEXT    NOT NULL,
    migration    TEXT    NOT NULL,
    state        TEXT    NOT NULL CHECK (state IN ('Pending', 'InProgress', 'Failed', 'Succeeded')),
    created      BIGINT  NOT NULL,
    modified     BIGINT  NOT NULL,
    due          BIGINT  NOT NULL,
    retries      INTEGER NOT NULL DEFAULT 0,
    total        BIGINT  NOT NULL DEFAULT 0,
    succeeded    BIGINT  NOT NULL DEFAULT 0,
    failed       BIGINT  NOT NULL DEFAULT 0,
    invites      BIGINT  NOT NULL DEFAULT 0,
    last_message TEXT    NOT NULL DEFAULT '',
    requested_by TEXT    NOT NULL,
    -- How often it was claimed: a request that was is not joined any more.
    claims       INTEGER NOT NULL DEFAULT 0,
    -- 1 for the newest request of its user.
    newest       INTEGER NOT NULL DEFAULT 1 CHECK (newest IN (0, 1)),
    lease_token  BIGINT  NOT NULL DEFAULT 0,
    lease_worker TEXT,
    -- The process of the worker; when it has ended, so has the lease.
    lease_process TEXT,
    lease_until  BIGINT,
    CHECK ((lease_worker IS NULL) = (lease_until IS NULL)),
    CHECK (state <> 'InProgress' OR lease_until IS NOT NULL),
    CHECK (state <> 'Pending' OR lease_until IS NULL)
);

-- Triggers join the one request of a user that nobody has begun.
CREATE UNIQUE INDEX request_waiting ON request (user_id) WHERE state = 'Pending' AND claims = 0;
-- At most one request of a user is in progress.
CREATE UNIQUE INDEX request_in_progress ON request (user_id) WHERE state = 'InProgress';
CREATE UNIQUE INDEX request_newest ON request (user_id) WHERE newest = 1;
CREATE INDEX request_summary ON request (state) WHERE newest = 1;
CREATE INDEX request_due ON request (due, seq) WHERE state = 'Pending';
CREATE INDEX request_ahead ON request (modified) WHERE state = 'Pending';
CREATE INDEX request_leased ON request (lease_until) WHERE lease_until IS NOT NULL;
CREATE INDEX request_user ON request (user_id, created, seq);
CREATE INDEX request_created ON request (created, seq);
CREATE INDEX request_state ON request (state, created, seq);
CREATE INDEX request_modified ON request (modified);

-- Triggers that joined another request, by their own id.
CREATE TABLE joined (
    id      TEXT   PRIMARY KEY,
    request BIGINT NOT NULL REFERENCES request (seq) ON DELETE CASCADE
) WITHOUT ROWID;
CREATE INDEX joined_request ON joined (request);

CREATE TABLE transition (
    request BIGINT  NOT NULL REFERENCES request (seq) ON DELETE CASCADE,
    number  INTEGER NOT NULL,
    at      BIGINT  NOT NULL,
    state   TEXT    NOT NULL,
    retries INTEGER NOT NULL,
    message TEXT    NOT NULL,
    PRIMARY KEY (request, number)
) WITHOUT ROWID;

CREATE TABLE attempt (
    request BIGINT  NOT NULL REFERENCES request (seq) ON DELETE CASCADE,
    token   BIGINT  NOT NULL,
    started BIGINT  NOT NULL,
    ended   BIGINT,
    message TEXT    NOT NULL DEFAULT '',
    PRIMARY KEY (request, token)
) WITHOUT ROWID;

CREATE TABLE record (
    request BIGINT NOT NULL REFERENCES request (seq) ON DELETE CASCADE,
    event   TEXT   NOT NULL,
    -- The rest of the record, as JSON.
    detail  TEXT   NOT NULL,
    PRIMARY KEY (request, event)
) WITHOUT ROWID;

CREATE TABLE journal (
    request BIGINT NOT NULL REFERENCES request (seq) ON DELETE CASCADE,
    event   TEXT   NOT NULL,
    uid     TEXT   NOT NULL,
    state   TEXT   NOT NULL CHECK (state IN
        ('Planned', 'Written', 'Partly', 'Closed', 'Abandoned', 'Undoing', 'Undone', 'RolledBack')),
    version TEXT   NOT NULL,
    PRIMARY KEY (request, event)
) WITHOUT ROWID;
CREATE INDEX journal_open ON journal (request, event) WHERE state IN ('Planned', 'Written', 'Undoing', 'Undone');
CREATE INDEX journal_undo ON journal (request) WHERE state IN ('Undoing', 'Undone');

-- What an entry of the journal is about. It stands apart, so that an entry that goes from state to state is short.
CREATE TABLE original (
    request BIGINT NOT NULL,
    event   TEXT   NOT NULL,
    targets TEXT   NOT NULL,
    record  TEXT   NOT NULL,
    at      BIGINT NOT NULL,
    -- Original and written content, packed together; NULL once the originals are forgotten.
    content BLOB,
    -- What a rollback writes, packed.
    undone  BLOB,
    PRIMARY KEY (request, event),
    FOREIGN KEY (request, event) REFERENCES journal (request, event) ON DELETE CASCADE
);
CREATE INDEX original_kept ON original (at) WHERE content IS NOT NULL;

CREATE TABLE mailing (
    request BIGINT  NOT NULL,
    event   TEXT    NOT NULL,
    -- 1 for the mails of a rollback.
    undo    INTEGER NOT NULL CHECK (undo IN (0, 1)),
    -- The address in lower case; addresses compare without case.
    address TEXT    NOT NULL,
    spelled TEXT    NOT NULL,
    state   TEXT    NOT NULL CHECK (state IN ('Due', 'Committing', 'Sent', 'Refused')),
    PRIMARY KEY (request, event, undo, address),
    FOREIGN KEY (request, event) REFERENCES journal (request, event) ON DELETE CASCADE
) WITHOUT ROWID;

CREATE TABLE setting (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;
