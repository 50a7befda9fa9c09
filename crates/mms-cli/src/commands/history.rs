//! `mms history`, `Get-CsMeetingMigrationTransactionHistory`

use mms_model::port::{RequestFilter, RequestStore};
use mms_model::{EventId, Identity, MeetingRecord, RequestId, Transition};
use uuid::Uuid;

use super::status::Period;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Format, Rows, Value};
use crate::wiring;

/// Arguments of `mms history`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The user.
    #[arg(value_name = "IDENTITY")]
    pub identity: Identity,
    /// Only the migration with this CorrelationId.
    #[arg(long, value_name = "GUID")]
    pub correlation_id: Option<Uuid>,
    /// When.
    #[command(flatten)]
    pub period: Period,
    /// Only the outcomes of meetings, not the changes of state.
    #[arg(long)]
    pub meetings: bool,
}

/// Rows of a page of meeting outcomes.
const PAGE: u32 = 500;

/// Shows the history: newest migration first, within it in the order of time.
///
/// # Errors
/// The user is unknown, or the store cannot be read.
pub async fn run(context: &Context, arguments: &Arguments) -> Result<(), Failure> {
    arguments.period.check()?;
    let config = context.config()?;
    let user = wiring::directory(&config)?.resolve(&arguments.identity).await?;
    let store = wiring::store(&config).await?;
    let filter = RequestFilter {
        user: Some(user.id),
        id: arguments.correlation_id.map(RequestId),
        start: arguments.period.start_time,
        end: arguments.period.end_time,
        ..RequestFilter::default()
    };
    let requests = store.list(&filter).await.map_err(wiring::store_failure)?;
    let mut rows = history_rows();
    for request in &requests {
        let mut entries = Vec::new();
        if !arguments.meetings {
            let transitions = store.transitions(request.id).await.map_err(wiring::store_failure)?;
            entries.extend(transitions.into_iter().map(Entry::State));
        }
        entries.extend(meetings(store.as_ref(), request.id).await?.into_iter().map(Entry::Meeting));
        entries.retain(|entry| arguments.period.contains(entry.at()));
        entries.sort_by_key(Entry::at);
        for entry in entries {
            rows.push(entry.row(request.id));
        }
    }
    context.output.print(&rows, Format::List, &format!("no migrations of {} were found", user.upn))
}

/// Every meeting outcome of a request.
///
/// # Errors
/// The store cannot be read.
pub async fn meetings(store: &dyn RequestStore, id: RequestId) -> Result<Vec<MeetingRecord>, Failure> {
    let mut all = Vec::new();
    let mut after: Option<EventId> = None;
    loop {
        let page = store.records(id, after.as_ref(), PAGE).await.map_err(wiring::store_failure)?;
        let Some(last) = page.last() else { return Ok(all) };
        after = Some(last.event.clone());
        all.extend(page);
    }
}

enum Entry {
    State(Transition),
    Meeting(MeetingRecord),
}

fn history_rows() -> Rows {
    Rows::new(&[
        "Date",
        "CorrelationId",
        "Entry",
        "Outcome",
        "Subject",
        "Uid",
        "Platform",
        "OldJoinUrl",
        "NewJoinUrl",
        "AttendeesTold",
        "Message",
    ])
}

impl Entry {
    fn at(&self) -> jiff::Timestamp {
        match self {
            Self::State(transition) => transition.at,
            Self::Meeting(record) => record.at,
        }
    }

    fn row(&self, id: RequestId) -> Vec<Value> {
        let mut row = vec![Value::text(mms_model::record_date(self.at())), Value::text(id.to_string())];
        match self {
            Self::State(transition) => {
                row.extend([Value::text("State"), Value::text(transition.state.name())]);
                row.extend([const { Value::Null }; 6]);
                row.push(Value::text(transition.message.clone()));
            }
            Self::Meeting(record) => row.extend([
                Value::text("Meeting"),
                Value::text(record.outcome.name()),
                Value::text(record.subject.clone()),
                Value::text(record.uid.clone()),
                Value::optional(record.platform.clone()),
                Value::optional(record.old_url.clone()),
                Value::optional(record.new_url.clone()),
                Value::Number(u64::from(record.attendees_told)),
                Value::text(reason(record)),
            ]),
        }
        row
    }
}

/// Why a meeting ended as it did: its code and sentence.
pub fn reason(record: &MeetingRecord) -> String {
    match &record.code {
        Some(code) if record.message.is_empty() => code.clone(),
        Some(code) if !record.message.starts_with(code.as_str()) => format!("{code}: {}", record.message),
        _ => record.message.clone(),
    }
}
