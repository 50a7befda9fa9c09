//! The store in one SQLite file.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use mms_model::port::{
    Enqueue, Enqueued, Finish, JournalEntry, JournalState, Lease, Mailing, MailingState, RequestFilter,
    RequestStore, SecretDigest, StoreError, TokenStore, UndoEntry,
};
use mms_model::{
    Address, ApiToken, Attempt, AuditEntry, Counts, EventId, MeetingRecord, MigrationRequest, RequestId,
    State, Summary, Transition,
};
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous,
};
use sqlx::{QueryBuilder, Row, SqlSafeStr, Sqlite, Transaction};

use crate::lock::{DaemonLock, SignOfLife, has_ended};
use crate::row::{from_json, instant, journal_name, json, mailing_name, micros};
use crate::{content, failure, row, sql};

/// Rows of the journal in one statement: SQLite takes 32,766 parameters.
const JOURNAL_ROWS: usize = 100;

/// How a process uses the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// `mms serve`: one at a time.
    Daemon,
    /// A command that changes something, beside a daemon or without; leases keep them apart.
    Command,
    /// A command that only looks. The file must be there and current.
    ReadOnly,
}

/// The store in one SQLite file.
///
/// One connection writes, so that writers queue here and not on SQLite's busy lock; four read.
#[derive(Debug)]
pub struct SqliteStore {
    path: PathBuf,
    write: SqlitePool,
    read: SqlitePool,
    _lock: Option<DaemonLock>,
    /// None where the store is only read.
    alive: Option<SignOfLife>,
}

/// A lease this far ahead of what any clock could have granted was granted before the clock was set back.
fn lease_horizon(now: Timestamp, lease: Duration) -> i64 {
    let slack = lease.saturating_mul(4).max(Duration::from_secs(3600));
    micros(now).saturating_add(i64::try_from(slack.as_micros()).unwrap_or(i64::MAX))
}

fn after(now: Timestamp, wait: Duration) -> Timestamp {
    now.checked_add(wait).unwrap_or(Timestamp::MAX)
}

impl SqliteStore {
    /// Opens the store at `path`; makes it (mode 0600) and brings it up to date unless it is only read.
    ///
    /// # Errors
    /// [`StoreError::InUse`] where another daemon has it; else what is wrong with the file and what to do.
    pub async fn open(path: &Path, access: Access) -> Result<Self, StoreError> {
        let lock = if access == Access::Daemon { Some(DaemonLock::take(path)?) } else { None };
        if access == Access::ReadOnly {
            if !path.exists() {
                return Err(StoreError::Database(format!(
                    "there is no store at {} yet: start mms serve or a migration first",
                    path.display()
                )));
            }
        } else {
            create(path)?;
        }
        let alive = if access == Access::ReadOnly { None } else { Some(SignOfLife::give(path)?) };
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(false)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(10));
        let reading = options.clone().read_only(access == Access::ReadOnly);
        let writing = if access == Access::ReadOnly {
            reading.clone()
        } else {
            options.journal_mode(SqliteJournalMode::Wal).synchronous(SqliteSynchronous::Full)
        };
        let pool = |connections| {
            SqlitePoolOptions::new().max_connections(connections).acquire_timeout(Duration::from_secs(60))
        };
        let fail = |error| failure::describe(path, &error);
        let write = pool(1).connect_with(writing).await.map_err(fail)?;
        let read = pool(4).connect_lazy_with(reading);
        let store = Self { path: path.to_owned(), write, read, _lock: lock, alive };
        store.bring_up_to_date(access).await?;
        Ok(store)
    }

    /// Writes all that is kept, as of one moment, to a new file with mode 0600, while others go on working.
    ///
    /// # Errors
    /// The file is there already or cannot be written; what the database says.
    pub async fn back_up(&self, to: &Path) -> Result<(), StoreError> {
        let unwritable = |error: &dyn std::fmt::Display| {
            StoreError::Database(format!(
                "the backup {} cannot be written: {error}; name a file that is not there yet, in a folder with room for it",
                to.display()
            ))
        };
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(to).map_err(|error| unwritable(&error))?;
        let name = to.to_str().ok_or_else(|| unwritable(&"its name is not UTF-8"))?;
        if let Err(error) = sqlx::query(sql::BACK_UP).bind(name).execute(&self.read).await {
            // A part of a backup would be taken for one.
            let _ = std::fs::remove_file(to);
            return Err(unwritable(&error));
        }
        Ok(())
    }

    /// Closes the store's connections.
    pub async fn close(self) {
        self.read.close().await;
        self.write.close().await;
    }

    async fn bring_up_to_date(&self, access: Access) -> Result<(), StoreError> {
        if access == Access::ReadOnly {
            sqlx::query(sql::SUMMARY).fetch_all(&self.read).await.map_err(|e| self.fail(&e))?;
            return Ok(());
        }
        let migration = |version, name: &'static str, sql: &'static str| {
            Migration::new(version, name.into(), MigrationType::Simple, sql.into_sql_str(), false)
        };
        let migrations = vec![
            migration(1, "requests", include_str!("../migrations/sqlite/0001_requests.sql")),
            migration(2, "access", include_str!("../migrations/sqlite/0002_access.sql")),
        ];
        Migrator::with_migrations(migrations).run(&self.write).await.map_err(|error| match error {
            sqlx::migrate::MigrateError::Execute(error) => self.fail(&error),
            sqlx::migrate::MigrateError::VersionMissing(_) => StoreError::Database(format!(
                "the store {} was written by a newer mms: use that one",
                self.path.display()
            )),
            error => {
                StoreError::Database(format!("the store {} cannot be updated: {error}", self.path.display()))
            }
        })
    }

    fn fail(&self, error: &sqlx::Error) -> StoreError {
        failure::describe(&self.path, error)
    }

    async fn begin(&self) -> Result<Transaction<'_, Sqlite>, StoreError> {
        self.write.begin_with("BEGIN IMMEDIATE").await.map_err(|e| self.fail(&e))
    }

    async fn commit(&self, transaction: Transaction<'_, Sqlite>) -> Result<(), StoreError> {
        transaction.commit().await.map_err(|e| self.fail(&e))
    }

    /// The row of the lease, where it is still the newest.
    async fn held(&self, connection: &mut SqliteConnection, lease: &Lease) -> Result<i64, StoreError> {
        sqlx::query_scalar(sql::HELD)
            .bind(lease.request.to_string())
            .bind(lease.token)
            .fetch_optional(connection)
            .await
            .map_err(|e| self.fail(&e))?
            .ok_or(StoreError::LeaseLost(lease.request))
    }

    async fn transition(
        &self,
        connection: &mut SqliteConnection,
        id: RequestId,
        now: Timestamp,
        message: &str,
    ) -> Result<(), StoreError> {
        sqlx::query(sql::TRANSITION)
            .bind(id.to_string())
            .bind(micros(now))
            .bind(message)
            .execute(connection)
            .await
            .map(drop)
            .map_err(|e| self.fail(&e))
    }

    /// Claims the request that one of `candidates` finds.
    async fn take(
        &self,
        candidates: &[&'static str],
        id: Option<RequestId>,
        worker: &str,
        now: Timestamp,
        lease: Duration,
        rollback: bool,
    ) -> Result<Option<(MigrationRequest, Lease)>, StoreError> {
        let mut transaction = self.begin().await?;
        let process = self.alive.as_ref().map(SignOfLife::process);
        self.end_leases_of_the_dead(&mut transaction, process.as_deref(), now).await?;
        let mut found: Option<String> = None;
        for candidate in candidates {
            let query = sqlx::query_scalar(*candidate).bind(micros(now)).bind(lease_horizon(now, lease));
            let query = match id {
                Some(id) => query.bind(id.to_string()),
                None if *candidate == sql::AHEAD => query.bind(micros(after(now, Duration::from_secs(600)))),
                None => query,
            };
            found = query.fetch_optional(&mut *transaction).await.map_err(|e| self.fail(&e))?;
            if found.is_some() {
                break;
            }
        }
        let Some(found) = found else { return Ok(None) };
        let until = after(now, lease);
        let claim = sqlx::query(if rollback { sql::CLAIM_ROLLBACK } else { sql::CLAIM })
            .bind(&found)
            .bind(worker)
            .bind(micros(until));
        let claim = if rollback { claim } else { claim.bind(micros(now)) }.bind(&process);
        let claimed = claim.fetch_one(&mut *transaction).await.map_err(|e| self.fail(&e))?;
        let request = row::request(&claimed)?;
        let token = claimed.try_get("lease_token").map_err(|e| self.fail(&e))?;
        sqlx::query(sql::BEGIN_ATTEMPT)
            .bind(&found)
            .bind(micros(now))
            .execute(&mut *transaction)
            .await
            .map_err(|e| self.fail(&e))?;
        let what = if rollback { "Rollback begun" } else { "Begun" };
        self.transition(&mut transaction, request.id, now, &format!("{what} by {worker}.")).await?;
        self.commit(transaction).await?;
        let lease = Lease { request: request.id, token, until };
        Ok(Some((request, lease)))
    }

    /// A worker whose process was killed holds its lease for nobody: its request can be taken up at once.
    async fn end_leases_of_the_dead(
        &self,
        connection: &mut SqliteConnection,
        process: Option<&str>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let holders: Vec<String> = sqlx::query_scalar(sql::LEASEHOLDERS)
            .bind(micros(now))
            .bind(process.unwrap_or_default())
            .fetch_all(&mut *connection)
            .await
            .map_err(|e| self.fail(&e))?;
        for holder in holders.iter().filter(|holder| has_ended(&self.path, holder)) {
            sqlx::query(sql::END_LEASES)
                .bind(micros(now))
                .bind(holder)
                .execute(&mut *connection)
                .await
                .map_err(|e| self.fail(&e))?;
        }
        Ok(())
    }

    /// Notes entries by one statement.
    async fn put_journal(
        &self,
        connection: &mut SqliteConnection,
        seq: i64,
        request: RequestId,
        entries: &[(JournalEntry, Vec<Address>)],
    ) -> Result<(), StoreError> {
        let mut query = QueryBuilder::<Sqlite>::new(sql::JOURNAL);
        query.push_values(entries, |mut row, (entry, _)| {
            row.push_bind(seq)
                .push_bind(&entry.event.0)
                .push_bind(&entry.uid)
                .push_bind(journal_name(entry.state))
                .push_bind(&entry.version.0);
        });
        query.push(sql::JOURNAL_AGAIN);
        let noted =
            query.build().persistent(false).execute(&mut *connection).await.map_err(|e| self.fail(&e))?;
        if noted.rows_affected() < entries.len() as u64 {
            return Err(StoreError::Database(format!(
                "an event of request {request} was migrated already; its journal entry is not replaced"
            )));
        }
        let originals = entries
            .iter()
            .map(|(entry, _)| {
                let content = content::pack(&entry.original, &entry.written)?;
                Ok((entry, json(&entry.targets)?, json(&entry.record)?, content))
            })
            .collect::<Result<Vec<_>, StoreError>>()?;
        let mut query = QueryBuilder::<Sqlite>::new(sql::ORIGINAL);
        query.push_values(originals, |mut row, (entry, targets, record, content)| {
            row.push_bind(seq)
                .push_bind(&entry.event.0)
                .push_bind(targets)
                .push_bind(record)
                .push_bind(micros(entry.at))
                .push_bind(content);
        });
        query.build().persistent(false).execute(connection).await.map_err(|e| self.fail(&e))?;
        Ok(())
    }

    async fn put_records<'r>(
        &self,
        connection: &mut SqliteConnection,
        request: i64,
        records: impl Iterator<Item = &'r MeetingRecord>,
    ) -> Result<(), StoreError> {
        let rows =
            records.map(|r| Ok((r.event.0.as_str(), json(r)?))).collect::<Result<Vec<_>, StoreError>>()?;
        if rows.is_empty() {
            return Ok(());
        }
        sqlx::query(sql::RECORD)
            .bind(request)
            .bind(json(&rows)?)
            .execute(connection)
            .await
            .map(drop)
            .map_err(|e| self.fail(&e))
    }

    /// Replaces the mails due of these events.
    async fn put_mailings(
        &self,
        connection: &mut SqliteConnection,
        request: i64,
        undo: bool,
        mails: &[(&EventId, &[Address])],
    ) -> Result<(), StoreError> {
        let events: Vec<&str> = mails.iter().map(|(event, _)| event.0.as_str()).collect();
        let rows: Vec<(&str, String, &str)> = mails
            .iter()
            .flat_map(|(event, to)| {
                to.iter().map(|a| (event.0.as_str(), a.as_str().to_ascii_lowercase(), a.as_str()))
            })
            .collect();
        for (statement, rows) in [(sql::FORGET_MAILINGS, json(&events)?), (sql::ADD_MAILINGS, json(&rows)?)] {
            sqlx::query(statement)
                .bind(request)
                .bind(rows)
                .bind(undo)
                .execute(&mut *connection)
                .await
                .map_err(|e| self.fail(&e))?;
        }
        Ok(())
    }

    async fn details(
        &self,
        query: sqlx::query::Query<'_, Sqlite, <Sqlite as sqlx::Database>::Arguments>,
    ) -> Result<Vec<MeetingRecord>, StoreError> {
        let rows = query.fetch_all(&self.read).await.map_err(|e| self.fail(&e))?;
        rows.iter().map(|row| from_json(row.try_get(0).map_err(|e| self.fail(&e))?)).collect()
    }
}

/// Makes the file so that only its owner can read it; SQLite gives its WAL the same mode.
fn create(path: &Path) -> Result<(), StoreError> {
    let mut options = std::fs::OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop).map_err(|error| {
        StoreError::Database(format!("the store {} cannot be opened for writing: {error}", path.display()))
    })
}

#[async_trait]
impl RequestStore for SqliteStore {
    async fn enqueue(&self, trigger: Enqueue) -> Result<Enqueued, StoreError> {
        let fail = |error| self.fail(&error);
        let id = trigger.id.to_string();
        let mut transaction = self.begin().await?;
        let known =
            sqlx::query(sql::KNOWN).bind(&id).fetch_optional(&mut *transaction).await.map_err(fail)?;
        if let Some(known) = known {
            return Ok(Enqueued::Known(row::request(&known)?));
        }
        let user = trigger.user.id.to_string();
        let settled = after(trigger.now, trigger.grace);
        let waiting =
            sqlx::query(sql::WAITING).bind(&user).fetch_optional(&mut *transaction).await.map_err(fail)?;
        let enqueued = if let Some(waiting) = waiting {
            let waiting = row::request(&waiting)?;
            let latest = after(waiting.created, trigger.grace.saturating_mul(4)).max(trigger.now);
            let due = match trigger.not_before {
                // A batch's pace never holds up what was asked for sooner.
                Some(not_before) => waiting.due.min(settled.max(not_before)),
                None => settled.min(latest),
            };
            let joined = sqlx::query(sql::JOIN)
                .bind(waiting.id.to_string())
                .bind(waiting.migration.join(&trigger.migration).to_string())
                .bind(micros(due))
                .bind(micros(trigger.now))
                .bind(json(&trigger.user)?)
                .fetch_one(&mut *transaction)
                .await
                .map_err(fail)?;
            sqlx::query(sql::NOTE_JOINED)
                .bind(&id)
                .bind(waiting.id.to_string())
                .execute(&mut *transaction)
                .await
                .map_err(fail)?;
            let message = format!("Joined by {} of {}.", trigger.migration, trigger.requested_by);
            self.transition(&mut transaction, waiting.id, trigger.now, &message).await?;
            Enqueued::Joined(row::request(&joined)?)
        } else {
            sqlx::query(sql::NO_LONGER_NEWEST).bind(&user).execute(&mut *transaction).await.map_err(fail)?;
            let due = trigger.not_before.map_or(settled, |not_before| settled.max(not_before));
            let made = sqlx::query(sql::INSERT)
                .bind(&id)
                .bind(&user)
                .bind(json(&trigger.user)?)
                .bind(trigger.migration.to_string())
                .bind(micros(trigger.now))
                .bind(micros(due))
                .bind(&trigger.requested_by)
                .fetch_one(&mut *transaction)
                .await
                .map_err(fail)?;
            let message = format!("Requested by {}.", trigger.requested_by);
            self.transition(&mut transaction, trigger.id, trigger.now, &message).await?;
            Enqueued::New(row::request(&made)?)
        };
        self.commit(transaction).await?;
        Ok(enqueued)
    }

    async fn claim(
        &self,
        worker: &str,
        now: Timestamp,
        lease: Duration,
    ) -> Result<Option<(MigrationRequest, Lease)>, StoreError> {
        self.take(&[sql::EXPIRED, sql::DUE, sql::AHEAD], None, worker, now, lease, false).await
    }

    async fn claim_request(
        &self,
        id: RequestId,
        worker: &str,
        now: Timestamp,
        lease: Duration,
    ) -> Result<Option<(MigrationRequest, Lease)>, StoreError> {
        self.take(&[sql::CLAIMABLE], Some(id), worker, now, lease, false).await
    }

    async fn claim_rollback(
        &self,
        id: RequestId,
        worker: &str,
        now: Timestamp,
        lease: Duration,
    ) -> Result<Option<(MigrationRequest, Lease)>, StoreError> {
        self.take(&[sql::UNDOABLE], Some(id), worker, now, lease, true).await
    }

    async fn end_rollback(&self, lease: &Lease, message: &str, now: Timestamp) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        let seq = self.held(&mut transaction, lease).await?;
        sqlx::query(sql::END_ROLLBACK)
            .bind(seq)
            .bind(micros(now))
            .bind(message)
            .execute(&mut *transaction)
            .await
            .map_err(|e| self.fail(&e))?;
        sqlx::query(sql::END_ATTEMPT)
            .bind(seq)
            .bind(lease.token)
            .bind(micros(now))
            .bind(message)
            .execute(&mut *transaction)
            .await
            .map_err(|e| self.fail(&e))?;
        self.transition(&mut transaction, lease.request, now, message).await?;
        self.commit(transaction).await
    }

    async fn interrupted_rollbacks(&self, now: Timestamp) -> Result<Vec<RequestId>, StoreError> {
        let ids: Vec<String> = sqlx::query_scalar(sql::INTERRUPTED_ROLLBACKS)
            .bind(micros(now))
            .bind(lease_horizon(now, Duration::ZERO))
            .fetch_all(&self.read)
            .await
            .map_err(|e| self.fail(&e))?;
        ids.iter().map(|id| id.parse().map(RequestId).map_err(row::damaged)).collect()
    }

    async fn heartbeat(&self, lease: &Lease, until: Timestamp) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        let seq = self.held(&mut transaction, lease).await?;
        sqlx::query(sql::HEARTBEAT)
            .bind(seq)
            .bind(micros(until))
            .execute(&mut *transaction)
            .await
            .map_err(|e| self.fail(&e))?;
        self.commit(transaction).await
    }

    async fn progress(&self, lease: &Lease, counts: Counts, now: Timestamp) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        let seq = self.held(&mut transaction, lease).await?;
        let mut query = sqlx::query(sql::PROGRESS).bind(seq);
        for count in columns(counts) {
            query = query.bind(count);
        }
        query.bind(micros(now)).execute(&mut *transaction).await.map_err(|e| self.fail(&e))?;
        self.commit(transaction).await
    }

    async fn finish(
        &self,
        lease: &Lease,
        how: Finish,
        counts: Counts,
        message: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let (state, due, counted, word) = match how {
            Finish::Succeeded => (State::Succeeded, None, false, "Succeeded"),
            Finish::Failed => (State::Failed, None, false, "Failed"),
            Finish::Retry { at, counted } => (State::Pending, Some(at), counted, "To be tried again"),
            Finish::HandedBack => (State::Pending, Some(now), false, "Handed back"),
        };
        let mut transaction = self.begin().await?;
        let seq = self.held(&mut transaction, lease).await?;
        let mut query = sqlx::query(sql::FINISH).bind(seq).bind(state.name());
        for count in columns(counts) {
            query = query.bind(count);
        }
        query
            .bind(message)
            .bind(micros(now))
            .bind(due.map(micros))
            .bind(i64::from(counted))
            .execute(&mut *transaction)
            .await
            .map_err(|e| self.fail(&e))?;
        let said = if message.is_empty() { format!("{word}.") } else { format!("{word}: {message}") };
        sqlx::query(sql::END_ATTEMPT)
            .bind(seq)
            .bind(lease.token)
            .bind(micros(now))
            .bind(&said)
            .execute(&mut *transaction)
            .await
            .map_err(|e| self.fail(&e))?;
        self.transition(&mut transaction, lease.request, now, &said).await?;
        self.commit(transaction).await
    }

    async fn cancel(&self, id: RequestId, message: &str, now: Timestamp) -> Result<bool, StoreError> {
        let mut transaction = self.begin().await?;
        let cancelled = sqlx::query(sql::CANCEL)
            .bind(id.to_string())
            .bind(message)
            .bind(micros(now))
            .execute(&mut *transaction)
            .await
            .map_err(|e| self.fail(&e))?
            .rows_affected()
            > 0;
        if cancelled {
            self.transition(&mut transaction, id, now, message).await?;
        }
        self.commit(transaction).await?;
        Ok(cancelled)
    }

    async fn next_due(&self) -> Result<Option<Timestamp>, StoreError> {
        let at: Option<i64> =
            sqlx::query_scalar(sql::NEXT_DUE).fetch_one(&self.read).await.map_err(|e| self.fail(&e))?;
        at.map(instant).transpose()
    }

    async fn pending_before(&self, due: Timestamp) -> Result<u64, StoreError> {
        let count: i64 = sqlx::query_scalar(sql::PENDING_BEFORE)
            .bind(micros(due))
            .fetch_one(&self.read)
            .await
            .map_err(|e| self.fail(&e))?;
        Ok(count.unsigned_abs())
    }

    async fn list(&self, filter: &RequestFilter) -> Result<Vec<MigrationRequest>, StoreError> {
        let mut query = QueryBuilder::<Sqlite>::new("SELECT * FROM request WHERE true");
        if let Some(user) = filter.user {
            query.push(" AND user_id = ").push_bind(user.to_string());
        }
        if let Some(id) = filter.id {
            query.push(" AND id = ").push_bind(id.to_string());
        }
        if !filter.states.is_empty() {
            query.push(" AND state IN (");
            let mut states = query.separated(", ");
            for state in &filter.states {
                states.push_bind(state.name());
            }
            query.push(")");
        }
        if let Some(migration) = &filter.migration {
            query.push(" AND migration = ").push_bind(migration.to_string());
        }
        if let Some(start) = filter.start {
            query.push(" AND modified >= ").push_bind(micros(start));
        }
        if let Some(end) = filter.end {
            query.push(" AND created <= ").push_bind(micros(end));
        }
        if let Some(after) = filter.after {
            query
                .push(" AND (created, seq) < (SELECT created, seq FROM request WHERE id = ")
                .push_bind(after.to_string())
                .push(")");
        }
        query.push(" ORDER BY created DESC, seq DESC");
        if let Some(limit) = filter.limit {
            query.push(" LIMIT ").push_bind(i64::from(limit));
        }
        let rows = query.build().fetch_all(&self.read).await.map_err(|e| self.fail(&e))?;
        rows.iter().map(row::request).collect()
    }

    async fn summary(&self) -> Result<Summary, StoreError> {
        let rows = sqlx::query(sql::SUMMARY).fetch_all(&self.read).await.map_err(|e| self.fail(&e))?;
        let mut summary = Summary::default();
        for row in &rows {
            let state: &str = row.try_get("state").map_err(|e| self.fail(&e))?;
            let users: i64 = row.try_get("users").map_err(|e| self.fail(&e))?;
            let users = u64::try_from(users).map_err(row::damaged)?;
            match state.parse::<State>().map_err(row::damaged)? {
                State::Pending => summary.pending = users,
                State::InProgress => summary.in_progress = users,
                State::Failed => summary.failed = users,
                State::Succeeded => summary.succeeded = users,
            }
        }
        Ok(summary)
    }

    async fn transitions(&self, id: RequestId) -> Result<Vec<Transition>, StoreError> {
        let rows: Vec<(i64, String, u32, String)> = sqlx::query_as(sql::TRANSITIONS)
            .bind(id.to_string())
            .fetch_all(&self.read)
            .await
            .map_err(|e| self.fail(&e))?;
        rows.into_iter()
            .map(|(at, state, retries, message)| {
                Ok(Transition {
                    at: instant(at)?,
                    state: state.parse().map_err(row::damaged)?,
                    retries,
                    message,
                })
            })
            .collect()
    }

    async fn attempts(&self, id: RequestId) -> Result<Vec<Attempt>, StoreError> {
        let rows: Vec<(i64, Option<i64>, String)> = sqlx::query_as(sql::ATTEMPTS)
            .bind(id.to_string())
            .fetch_all(&self.read)
            .await
            .map_err(|e| self.fail(&e))?;
        rows.into_iter()
            .map(|(started, ended, message)| {
                Ok(Attempt { started: instant(started)?, ended: ended.map(instant).transpose()?, message })
            })
            .collect()
    }

    async fn record(&self, lease: &Lease, records: &[MeetingRecord]) -> Result<(), StoreError> {
        if records.is_empty() {
            return Ok(());
        }
        let mut transaction = self.begin().await?;
        let seq = self.held(&mut transaction, lease).await?;
        self.put_records(&mut transaction, seq, records.iter()).await?;
        self.commit(transaction).await
    }

    async fn records(
        &self,
        id: RequestId,
        after: Option<&EventId>,
        limit: u32,
    ) -> Result<Vec<MeetingRecord>, StoreError> {
        let id = id.to_string();
        self.details(match after {
            Some(after) => sqlx::query(sql::RECORDS).bind(id).bind(after.0.clone()).bind(limit),
            None => sqlx::query(sql::RECORDS_FROM_START).bind(id).bind(limit),
        })
        .await
    }

    async fn records_of(&self, id: RequestId, events: &[EventId]) -> Result<Vec<MeetingRecord>, StoreError> {
        let events: Vec<&str> = events.iter().map(|e| e.0.as_str()).collect();
        self.details(sqlx::query(sql::RECORDS_OF).bind(id.to_string()).bind(json(&events)?)).await
    }

    async fn journal(
        &self,
        lease: &Lease,
        entries: &[(JournalEntry, Vec<Address>)],
    ) -> Result<(), StoreError> {
        if entries.is_empty() {
            return Ok(());
        }
        let mut transaction = self.begin().await?;
        let seq = self.held(&mut transaction, lease).await?;
        for entries in entries.chunks(JOURNAL_ROWS) {
            self.put_journal(&mut transaction, seq, lease.request, entries).await?;
        }
        let mails: Vec<_> = entries.iter().map(|(entry, to)| (&entry.event, to.as_slice())).collect();
        self.put_mailings(&mut transaction, seq, false, &mails).await?;
        self.commit(transaction).await
    }

    async fn undo(&self, lease: &Lease, entries: &[UndoEntry]) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        let seq = self.held(&mut transaction, lease).await?;
        for entry in entries {
            let noted = sqlx::query(sql::UNDO)
                .bind(seq)
                .bind(&entry.event.0)
                .bind(&entry.version.0)
                .execute(&mut *transaction)
                .await
                .map_err(|e| self.fail(&e))?;
            if noted.rows_affected() == 0 {
                return Err(StoreError::Database(format!(
                    "the event {} of request {} is not one to roll back",
                    entry.event.0, lease.request
                )));
            }
            sqlx::query(sql::UNDONE)
                .bind(seq)
                .bind(&entry.event.0)
                .bind(content::pack(&entry.undone, &[])?)
                .execute(&mut *transaction)
                .await
                .map_err(|e| self.fail(&e))?;
        }
        let mails: Vec<_> = entries.iter().map(|entry| (&entry.event, entry.tell.as_slice())).collect();
        self.put_mailings(&mut transaction, seq, true, &mails).await?;
        self.commit(transaction).await
    }

    async fn advance(
        &self,
        lease: &Lease,
        to: JournalState,
        entries: &[(EventId, Option<MeetingRecord>)],
    ) -> Result<(), StoreError> {
        if entries.is_empty() {
            return Ok(());
        }
        let mut transaction = self.begin().await?;
        let seq = self.held(&mut transaction, lease).await?;
        let events: Vec<&str> = entries.iter().map(|(event, _)| event.0.as_str()).collect();
        sqlx::query(sql::ADVANCE)
            .bind(seq)
            .bind(json(&events)?)
            .bind(journal_name(to))
            .execute(&mut *transaction)
            .await
            .map_err(|e| self.fail(&e))?;
        self.put_records(&mut transaction, seq, entries.iter().filter_map(|(_, record)| record.as_ref()))
            .await?;
        self.commit(transaction).await
    }

    async fn journalled(
        &self,
        id: RequestId,
        states: &[JournalState],
        after: Option<&EventId>,
        limit: u32,
    ) -> Result<Vec<JournalEntry>, StoreError> {
        let states: Vec<&str> = states.iter().copied().map(journal_name).collect();
        let rows = sqlx::query(sql::JOURNALLED)
            .bind(id.to_string())
            .bind(json(&states)?)
            .bind(after.map(|event| event.0.clone()))
            .bind(limit)
            .fetch_all(&self.read)
            .await
            .map_err(|e| self.fail(&e))?;
        rows.iter().map(|row| row::journal_entry(id, row)).collect()
    }

    async fn mailings(
        &self,
        id: RequestId,
        events: &[EventId],
    ) -> Result<HashMap<EventId, Vec<Mailing>>, StoreError> {
        let events: Vec<&str> = events.iter().map(|event| event.0.as_str()).collect();
        let rows = sqlx::query(sql::MAILINGS)
            .bind(id.to_string())
            .bind(json(&events)?)
            .fetch_all(&self.read)
            .await
            .map_err(|e| self.fail(&e))?;
        let mut mailings: HashMap<EventId, Vec<Mailing>> = HashMap::new();
        for row in &rows {
            let (event, mailing) = row::mailing(row)?;
            mailings.entry(event).or_default().push(mailing);
        }
        Ok(mailings)
    }

    async fn mailed(
        &self,
        lease: &Lease,
        event: &EventId,
        to: &Address,
        state: MailingState,
    ) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        let seq = self.held(&mut transaction, lease).await?;
        let noted = sqlx::query(sql::MAILED)
            .bind(seq)
            .bind(&event.0)
            .bind(to.as_str().to_ascii_lowercase())
            .bind(mailing_name(state))
            .execute(&mut *transaction)
            .await
            .map_err(|e| self.fail(&e))?;
        if noted.rows_affected() == 0 {
            return Err(StoreError::Database(format!("no mail of event {} to {to} was noted", event.0)));
        }
        self.commit(transaction).await
    }

    async fn prune(&self, originals_before: Timestamp, history_before: Timestamp) -> Result<u64, StoreError> {
        let mut transaction = self.begin().await?;
        let mut pruned = 0;
        for (statement, before) in [
            (sql::PRUNE_ORIGINALS, originals_before),
            (sql::PRUNE_HISTORY, history_before),
            (sql::PRUNE_AUDIT, history_before),
        ] {
            let done = sqlx::query(statement)
                .bind(micros(before))
                .execute(&mut *transaction)
                .await
                .map_err(|e| self.fail(&e))?;
            pruned += done.rows_affected();
        }
        sqlx::query(sql::MARK_NEWEST).execute(&mut *transaction).await.map_err(|e| self.fail(&e))?;
        self.commit(transaction).await?;
        Ok(pruned)
    }

    async fn audit(&self, entry: &AuditEntry) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        sqlx::query(sql::AUDIT)
            .bind(micros(entry.at))
            .bind(&entry.actor)
            .bind(&entry.action)
            .bind(&entry.target)
            .bind(&entry.detail)
            .execute(&mut *transaction)
            .await
            .map_err(|e| self.fail(&e))?;
        self.commit(transaction).await
    }

    async fn audit_trail(
        &self,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<(i64, AuditEntry)>, StoreError> {
        let rows = sqlx::query(sql::AUDIT_TRAIL).bind(before).bind(limit).fetch_all(&self.read);
        rows.await.map_err(|e| self.fail(&e))?.iter().map(row::audit_entry).collect()
    }

    async fn setting(&self, name: &str) -> Result<Option<String>, StoreError> {
        sqlx::query_scalar(sql::SETTING)
            .bind(name)
            .fetch_optional(&self.read)
            .await
            .map_err(|e| self.fail(&e))
    }

    async fn set_setting(&self, name: &str, value: &str) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        sqlx::query(sql::SET_SETTING)
            .bind(name)
            .bind(value)
            .execute(&mut *transaction)
            .await
            .map_err(|e| self.fail(&e))?;
        self.commit(transaction).await
    }
}

#[async_trait]
impl TokenStore for SqliteStore {
    async fn add_token(&self, token: &ApiToken, secret: &SecretDigest) -> Result<bool, StoreError> {
        let mut transaction = self.begin().await?;
        sqlx::query(sql::FREE_TOKEN_NAME)
            .bind(&token.name)
            .bind(micros(token.created))
            .execute(&mut *transaction)
            .await
            .map_err(|e| self.fail(&e))?;
        let added = sqlx::query(sql::ADD_TOKEN)
            .bind(token.id.to_string())
            .bind(&token.name)
            .bind(token.role.name())
            .bind(secret.as_slice())
            .bind(micros(token.created))
            .bind(token.expires.map(micros))
            .execute(&mut *transaction)
            .await
            .map_err(|e| self.fail(&e))?;
        self.commit(transaction).await?;
        Ok(added.rows_affected() == 1)
    }

    async fn token_of(&self, secret: &SecretDigest) -> Result<Option<ApiToken>, StoreError> {
        let row = sqlx::query(sql::TOKEN_OF).bind(secret.as_slice()).fetch_optional(&self.read);
        row.await.map_err(|e| self.fail(&e))?.as_ref().map(row::token).transpose()
    }

    async fn tokens(&self) -> Result<Vec<ApiToken>, StoreError> {
        let rows = sqlx::query(sql::TOKENS).fetch_all(&self.read).await.map_err(|e| self.fail(&e))?;
        rows.iter().map(row::token).collect()
    }

    async fn revoke_token(&self, name: &str, now: Timestamp) -> Result<Option<ApiToken>, StoreError> {
        let mut transaction = self.begin().await?;
        let row = sqlx::query(sql::REVOKE_TOKEN)
            .bind(name)
            .bind(micros(now))
            .fetch_optional(&mut *transaction)
            .await
            .map_err(|e| self.fail(&e))?;
        self.commit(transaction).await?;
        row.as_ref().map(row::token).transpose()
    }
}

/// The counts in the order of the columns.
fn columns(counts: Counts) -> [i64; 4] {
    [counts.total, counts.succeeded, counts.failed, counts.invites]
        .map(|n| i64::try_from(n).unwrap_or(i64::MAX))
}
