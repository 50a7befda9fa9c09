//! The statements. Placeholders are `$1` …, upserts and `RETURNING` as SQLite and PostgreSQL both have them; what
//! only SQLite has (`json_each`) carries a page of rows into one statement.

/// Request whose trigger this is: made by it or joined by it.
pub(crate) const KNOWN: &str = "SELECT r.* FROM request r WHERE r.id = $1
    UNION ALL SELECT r.* FROM joined j JOIN request r ON r.seq = j.request WHERE j.id = $1 LIMIT 1";
pub(crate) const WAITING: &str =
    "SELECT * FROM request WHERE user_id = $1 AND state = 'Pending' AND claims = 0";
pub(crate) const JOIN: &str = "UPDATE request SET migration = $2, due = $3, modified = $4, user = $5
    WHERE id = $1 RETURNING *";
pub(crate) const NOTE_JOINED: &str =
    "INSERT INTO joined (id, request) SELECT $1, seq FROM request WHERE id = $2";
pub(crate) const NO_LONGER_NEWEST: &str = "UPDATE request SET newest = 0 WHERE user_id = $1 AND newest = 1";
pub(crate) const INSERT: &str = "INSERT INTO request
    (id, user_id, user, migration, state, created, modified, due, requested_by)
    VALUES ($1, $2, $3, $4, 'Pending', $5, $5, $6, $7) RETURNING *";

pub(crate) const TRANSITION: &str = "INSERT INTO transition (request, number, at, state, retries, message)
    SELECT seq, (SELECT count(*) FROM transition t WHERE t.request = r.seq), $2, state, retries, $3
    FROM request r WHERE id = $1";

/// Other processes that hold leases.
pub(crate) const LEASEHOLDERS: &str = "SELECT DISTINCT lease_process FROM request
    WHERE lease_until > $1 AND lease_process IS NOT NULL AND lease_process <> $2";
/// A process has ended, and its leases with it.
pub(crate) const END_LEASES: &str =
    "UPDATE request SET lease_until = $1 WHERE lease_process = $2 AND lease_until > $1";
/// A worker died: its lease ran out, or lies so far ahead that the clock must have been set back since.
pub(crate) const EXPIRED: &str = "SELECT id FROM request
    WHERE state = 'InProgress' AND (lease_until <= $1 OR lease_until > $2) ORDER BY lease_until LIMIT 1";
/// Due, and none of the user's requests is held by anybody.
pub(crate) const DUE: &str = "SELECT id FROM request r WHERE state = 'Pending' AND due <= $1 AND NOT EXISTS
    (SELECT 1 FROM request o WHERE o.user_id = r.user_id AND o.lease_until IS NOT NULL
        AND (o.state = 'InProgress' OR (o.lease_until > $1 AND o.lease_until <= $2)))
    ORDER BY due, seq LIMIT 1";
/// Noted at an instant that has yet to come: the clock was set back since. Its wait of at most a day is over.
pub(crate) const AHEAD: &str = "SELECT id FROM request r WHERE state = 'Pending' AND modified > $3
    AND due - modified <= 86400000000 AND NOT EXISTS
    (SELECT 1 FROM request o WHERE o.user_id = r.user_id AND o.lease_until IS NOT NULL
        AND (o.state = 'InProgress' OR (o.lease_until > $1 AND o.lease_until <= $2)))
    ORDER BY modified LIMIT 1";
/// One request, where it may be claimed.
pub(crate) const CLAIMABLE: &str = "SELECT id FROM request r WHERE id = $3
    AND (state = 'Pending' OR (state = 'InProgress' AND (lease_until <= $1 OR lease_until > $2))) AND NOT EXISTS
    (SELECT 1 FROM request o WHERE o.user_id = r.user_id AND o.seq <> r.seq AND o.lease_until IS NOT NULL
        AND (o.state = 'InProgress' OR (o.lease_until > $1 AND o.lease_until <= $2)))";
/// One request that has ended, where a rollback may begin.
pub(crate) const UNDOABLE: &str = "SELECT id FROM request r WHERE id = $3
    AND state IN ('Failed', 'Succeeded') AND NOT EXISTS
    (SELECT 1 FROM request o WHERE o.user_id = r.user_id AND o.lease_until IS NOT NULL
        AND (o.state = 'InProgress' OR (o.lease_until > $1 AND o.lease_until <= $2)))";
pub(crate) const CLAIM: &str = "UPDATE request SET state = 'InProgress', claims = claims + 1,
    lease_token = lease_token + 1, lease_worker = $2, lease_process = $5, lease_until = $3, modified = $4
    WHERE id = $1 RETURNING *";
pub(crate) const CLAIM_ROLLBACK: &str = "UPDATE request SET lease_token = lease_token + 1, lease_worker = $2,
    lease_process = $4, lease_until = $3 WHERE id = $1 RETURNING *";
pub(crate) const BEGIN_ATTEMPT: &str = "INSERT INTO attempt (request, token, started)
    SELECT seq, lease_token, $2 FROM request WHERE id = $1";
pub(crate) const END_ATTEMPT: &str =
    "UPDATE attempt SET ended = $3, message = $4 WHERE request = $1 AND token = $2";
pub(crate) const END_ROLLBACK: &str =
    "UPDATE request SET lease_worker = NULL, lease_until = NULL, modified = $2, last_message = $3
    WHERE seq = $1";
pub(crate) const INTERRUPTED_ROLLBACKS: &str = "SELECT DISTINCT r.id FROM journal j JOIN request r ON r.seq = j.request
    WHERE j.state IN ('Undoing', 'Undone') AND (r.lease_until IS NULL OR r.lease_until <= $1 OR r.lease_until > $2)";

/// The row that a lease names, where it still holds.
pub(crate) const HELD: &str =
    "SELECT seq FROM request WHERE id = $1 AND lease_token = $2 AND lease_until IS NOT NULL";
pub(crate) const HEARTBEAT: &str = "UPDATE request SET lease_until = $2 WHERE seq = $1";
pub(crate) const PROGRESS: &str = "UPDATE request SET total = $2, succeeded = $3, failed = $4, invites = $5,
    modified = $6 WHERE seq = $1";
pub(crate) const FINISH: &str = "UPDATE request SET state = $2, total = $3, succeeded = $4, failed = $5,
    invites = $6, last_message = $7, modified = $8, due = COALESCE($9, due), retries = retries + $10,
    lease_worker = NULL, lease_until = NULL WHERE seq = $1";
pub(crate) const CANCEL: &str = "UPDATE request SET state = 'Failed', last_message = $2, modified = $3
    WHERE id = $1 AND state = 'Pending'";

pub(crate) const NEXT_DUE: &str = "SELECT min(at) FROM (
    SELECT min(due) AS at FROM request WHERE state = 'Pending'
    UNION ALL SELECT min(lease_until) FROM request WHERE lease_until IS NOT NULL) AS waits";
pub(crate) const PENDING_BEFORE: &str = "SELECT count(*) FROM request WHERE state = 'Pending' AND due < $1";
pub(crate) const SUMMARY: &str =
    "SELECT state, count(*) AS users FROM request WHERE newest = 1 GROUP BY state";
pub(crate) const TRANSITIONS: &str =
    "SELECT t.at, t.state, t.retries, t.message FROM transition t JOIN request r ON r.seq = t.request
    WHERE r.id = $1 ORDER BY t.number";
pub(crate) const ATTEMPTS: &str =
    "SELECT a.started, a.ended, a.message FROM attempt a JOIN request r ON r.seq = a.request
    WHERE r.id = $1 ORDER BY a.token";

/// A JSON array of `[event, detail]`.
pub(crate) const RECORD: &str = "INSERT INTO record (request, event, detail)
    SELECT $1, value ->> 0, value ->> 1 FROM json_each($2) WHERE true
    ON CONFLICT (request, event) DO UPDATE SET detail = excluded.detail";
pub(crate) const RECORDS: &str = "SELECT detail FROM record
    WHERE request = (SELECT seq FROM request WHERE id = $1) AND event > $2 ORDER BY event LIMIT $3";
/// The first one too, whose name may be empty.
pub(crate) const RECORDS_FROM_START: &str = "SELECT detail FROM record
    WHERE request = (SELECT seq FROM request WHERE id = $1) ORDER BY event LIMIT $2";
pub(crate) const RECORDS_OF: &str = "SELECT detail FROM record
    WHERE request = (SELECT seq FROM request WHERE id = $1) AND event IN (SELECT value FROM json_each($2))
    ORDER BY event";

/// Followed by rows.
pub(crate) const JOURNAL: &str = "INSERT INTO journal (request, event, uid, state, version) ";
pub(crate) const JOURNAL_AGAIN: &str =
    " ON CONFLICT (request, event) DO UPDATE SET uid = excluded.uid, state = excluded.state,
        version = excluded.version
    WHERE journal.state IN ('Planned', 'Partly', 'Abandoned')";
/// Followed by rows.
pub(crate) const ORIGINAL: &str =
    "INSERT OR REPLACE INTO original (request, event, targets, record, at, content) ";
pub(crate) const UNDO: &str = "UPDATE journal SET state = 'Undoing', version = $3
    WHERE request = $1 AND event = $2 AND state IN ('Planned', 'Written', 'Partly', 'Closed', 'Undoing')";
pub(crate) const UNDONE: &str = "UPDATE original SET undone = $3 WHERE request = $1 AND event = $2";
/// Mails of these events, a JSON array; `$3` is 1 for those of a rollback.
pub(crate) const FORGET_MAILINGS: &str = "DELETE FROM mailing WHERE request = $1 AND undo = $3
    AND event IN (SELECT value FROM json_each($2))";
/// A JSON array of `[event, address, address as spelled]`.
pub(crate) const ADD_MAILINGS: &str = "INSERT INTO mailing (request, event, undo, address, spelled, state)
    SELECT $1, value ->> 0, $3, value ->> 1, value ->> 2, 'Due' FROM json_each($2) WHERE true
    ON CONFLICT (request, event, undo, address) DO NOTHING";
pub(crate) const ADVANCE: &str = "UPDATE journal SET state = $3
    WHERE request = $1 AND event IN (SELECT value FROM json_each($2))";
pub(crate) const JOURNALLED: &str = "SELECT * FROM journal JOIN original USING (request, event)
    WHERE request = (SELECT seq FROM request WHERE id = $1)
    AND state IN (SELECT value FROM json_each($2)) AND ($3 IS NULL OR event > $3) ORDER BY event LIMIT $4";
pub(crate) const MAILINGS: &str = "SELECT m.* FROM mailing m JOIN request r ON r.seq = m.request
    JOIN journal j ON j.request = m.request AND j.event = m.event
    WHERE r.id = $1 AND m.event IN (SELECT value FROM json_each($2))
    AND m.undo = (j.state IN ('Undoing', 'Undone', 'RolledBack')) ORDER BY m.event, m.address";
pub(crate) const MAILED: &str = "UPDATE mailing SET state = $4
    WHERE request = $1 AND event = $2 AND address = $3 AND undo =
    (SELECT state IN ('Undoing', 'Undone', 'RolledBack') FROM journal WHERE request = $1 AND event = $2)";

pub(crate) const PRUNE_ORIGINALS: &str = "UPDATE original SET content = NULL, undone = NULL
    WHERE content IS NOT NULL AND at < $1 AND EXISTS
    (SELECT 1 FROM journal j JOIN request r ON r.seq = j.request
        WHERE j.request = original.request AND j.event = original.event
        AND j.state NOT IN ('Undoing', 'Undone') AND r.state IN ('Failed', 'Succeeded') AND r.lease_until IS NULL)";
pub(crate) const PRUNE_HISTORY: &str = "DELETE FROM request
    WHERE state IN ('Failed', 'Succeeded') AND lease_until IS NULL AND modified < $1";
/// Users whose newest request was pruned while an older one waits.
pub(crate) const MARK_NEWEST: &str = "UPDATE request SET newest = 1 WHERE seq IN
    (SELECT max(seq) FROM request GROUP BY user_id HAVING max(newest) = 0)";

pub(crate) const AUDIT: &str =
    "INSERT INTO audit (at, actor, action, target, detail) VALUES ($1, $2, $3, $4, $5)";
pub(crate) const AUDIT_TRAIL: &str =
    "SELECT * FROM audit WHERE $1 IS NULL OR number < $1 ORDER BY number DESC LIMIT $2";
pub(crate) const PRUNE_AUDIT: &str = "DELETE FROM audit WHERE at < $1";

/// An expired token gives its name up.
pub(crate) const FREE_TOKEN_NAME: &str = "UPDATE api_token SET revoked = expires
    WHERE name = $1 AND revoked IS NULL AND expires <= $2";
pub(crate) const ADD_TOKEN: &str = "INSERT INTO api_token (id, name, role, secret, created, expires)
    VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING";
pub(crate) const TOKEN_OF: &str = "SELECT * FROM api_token WHERE secret = $1";
pub(crate) const TOKENS: &str = "SELECT * FROM api_token ORDER BY created DESC, id";
pub(crate) const REVOKE_TOKEN: &str =
    "UPDATE api_token SET revoked = $2 WHERE (name = $1 OR id = $1) AND revoked IS NULL RETURNING *";

pub(crate) const BACK_UP: &str = "VACUUM INTO $1";

pub(crate) const SETTING: &str = "SELECT value FROM setting WHERE name = $1";
pub(crate) const SET_SETTING: &str = "INSERT INTO setting (name, value) VALUES ($1, $2)
    ON CONFLICT (name) DO UPDATE SET value = excluded.value";
