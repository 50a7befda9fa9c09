//! Rows and columns of the database as domain types, and back.

use jiff::Timestamp;
use mms_model::port::{JournalEntry, JournalState, Mailing, MailingState, StoreError};
use mms_model::{
    Address, ApiToken, AuditEntry, Counts, EventId, MigrationRequest, RequestId, Role, State, Version,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use uuid::Uuid;

use crate::content;

pub(crate) fn damaged(what: impl std::fmt::Display) -> StoreError {
    StoreError::Database(format!(
        "the store holds what this version cannot read ({what}): was it written by a newer one?"
    ))
}

pub(crate) fn micros(at: Timestamp) -> i64 {
    at.as_microsecond()
}

pub(crate) fn instant(micros: i64) -> Result<Timestamp, StoreError> {
    Timestamp::from_microsecond(micros).map_err(damaged)
}

pub(crate) fn json<T: Serialize + ?Sized>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(damaged)
}

pub(crate) fn from_json<T: DeserializeOwned>(text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(damaged)
}

fn get<'r, T>(row: &'r SqliteRow, column: &str) -> Result<T, StoreError>
where
    T: sqlx::Decode<'r, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite>,
{
    row.try_get(column).map_err(damaged)
}

fn count(row: &SqliteRow, column: &str) -> Result<u64, StoreError> {
    u64::try_from(get::<i64>(row, column)?).map_err(damaged)
}

pub(crate) fn request(row: &SqliteRow) -> Result<MigrationRequest, StoreError> {
    Ok(MigrationRequest {
        id: RequestId(get::<&str>(row, "id")?.parse::<Uuid>().map_err(damaged)?),
        user: from_json(get(row, "user")?)?,
        migration: get::<&str>(row, "migration")?.parse().map_err(damaged)?,
        state: get::<&str>(row, "state")?.parse::<State>().map_err(damaged)?,
        created: instant(get(row, "created")?)?,
        modified: instant(get(row, "modified")?)?,
        due: instant(get(row, "due")?)?,
        retries: u32::try_from(get::<i64>(row, "retries")?).map_err(damaged)?,
        counts: Counts {
            total: count(row, "total")?,
            succeeded: count(row, "succeeded")?,
            failed: count(row, "failed")?,
            invites: count(row, "invites")?,
        },
        last_message: get(row, "last_message")?,
        requested_by: get(row, "requested_by")?,
    })
}

pub(crate) fn journal_entry(id: RequestId, row: &SqliteRow) -> Result<JournalEntry, StoreError> {
    let (original, written) = match get::<Option<&[u8]>>(row, "content")? {
        Some(blob) => content::unpack(blob)?,
        None => (Vec::new(), Vec::new()),
    };
    let undone = match get::<Option<&[u8]>>(row, "undone")? {
        Some(blob) => content::unpack(blob)?.0,
        None => Vec::new(),
    };
    Ok(JournalEntry {
        request: id,
        event: EventId(get(row, "event")?),
        uid: get(row, "uid")?,
        state: journal_state(get(row, "state")?)?,
        version: Version(get(row, "version")?),
        original,
        written,
        undone,
        targets: from_json(get(row, "targets")?)?,
        record: from_json(get(row, "record")?)?,
        at: instant(get(row, "at")?)?,
    })
}

pub(crate) fn mailing(row: &SqliteRow) -> Result<(EventId, Mailing), StoreError> {
    let state = match get::<&str>(row, "state")? {
        "Due" => MailingState::Due,
        "Committing" => MailingState::Committing,
        "Sent" => MailingState::Sent,
        "Refused" => MailingState::Refused,
        other => return Err(damaged(other)),
    };
    Ok((EventId(get(row, "event")?), Mailing { to: Address::new(get(row, "spelled")?), state }))
}

pub(crate) fn audit_entry(row: &SqliteRow) -> Result<(i64, AuditEntry), StoreError> {
    let entry = AuditEntry {
        at: instant(get(row, "at")?)?,
        actor: get(row, "actor")?,
        action: get(row, "action")?,
        target: get(row, "target")?,
        detail: get(row, "detail")?,
    };
    Ok((get(row, "number")?, entry))
}

pub(crate) fn token(row: &SqliteRow) -> Result<ApiToken, StoreError> {
    Ok(ApiToken {
        id: get::<&str>(row, "id")?.parse().map_err(damaged)?,
        name: get(row, "name")?,
        role: get::<&str>(row, "role")?.parse::<Role>().map_err(damaged)?,
        created: instant(get(row, "created")?)?,
        expires: get::<Option<i64>>(row, "expires")?.map(instant).transpose()?,
        revoked: get::<Option<i64>>(row, "revoked")?.map(instant).transpose()?,
    })
}

pub(crate) fn mailing_name(state: MailingState) -> &'static str {
    match state {
        MailingState::Due => "Due",
        MailingState::Committing => "Committing",
        MailingState::Sent => "Sent",
        MailingState::Refused => "Refused",
    }
}

pub(crate) fn journal_name(state: JournalState) -> &'static str {
    match state {
        JournalState::Planned => "Planned",
        JournalState::Written => "Written",
        JournalState::Partly => "Partly",
        JournalState::Closed => "Closed",
        JournalState::Abandoned => "Abandoned",
        JournalState::Undoing => "Undoing",
        JournalState::Undone => "Undone",
        JournalState::RolledBack => "RolledBack",
    }
}

fn journal_state(name: &str) -> Result<JournalState, StoreError> {
    Ok(match name {
        "Planned" => JournalState::Planned,
        "Written" => JournalState::Written,
        "Partly" => JournalState::Partly,
        "Closed" => JournalState::Closed,
        "Abandoned" => JournalState::Abandoned,
        "Undoing" => JournalState::Undoing,
        "Undone" => JournalState::Undone,
        "RolledBack" => JournalState::RolledBack,
        other => return Err(damaged(other)),
    })
}
