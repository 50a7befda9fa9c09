//! `mms status`, `Get-CsMeetingMigrationStatus`

use jiff::Timestamp;
use mms_model::port::RequestFilter;
use mms_model::{Identity, MigrationRequest, MigrationType, State, Summary};

use crate::commands::reason;
use crate::context::Context;
use crate::dates::{self, Bound};
use crate::failure::Failure;
use crate::output::{Format, Rows, Value, tell};
use crate::wiring;

/// Arguments of `mms status`.
#[derive(Debug, Default, clap::Args)]
pub struct Arguments {
    /// Only this user's migrations.
    #[arg(value_name = "IDENTITY")]
    pub identity: Option<Identity>,
    /// Only migrations in this state: Pending, InProgress, Failed or Succeeded.
    #[arg(long, value_name = "STATE")]
    pub state: Option<State>,
    /// Only migrations of this type, such as SfbToTeams or AllToJitsi.
    #[arg(long = "type", value_name = "TYPE")]
    pub migration: Option<MigrationType>,
    /// When.
    #[command(flatten)]
    pub period: Period,
    /// One row for each state with the number of users.
    #[arg(long)]
    pub summary: bool,
}

/// A period, for `status` and `history`.
#[derive(Debug, Default, Clone, Copy, clap::Args)]
pub struct Period {
    /// From here on: ISO 8601 or month/day/year; UTC where no zone is given.
    #[arg(long, value_name = "DATE", value_parser = |s: &str| dates::parse(s, Bound::Start))]
    pub start_time: Option<Timestamp>,
    /// Up to here, inclusive; a bare date means the whole day.
    #[arg(long, value_name = "DATE", value_parser = |s: &str| dates::parse(s, Bound::End))]
    pub end_time: Option<Timestamp>,
}

impl Period {
    /// Checks that the end is not before the start.
    ///
    /// # Errors
    /// It is.
    pub fn check(&self) -> Result<(), Failure> {
        dates::check_order(self.start_time, self.end_time).map_err(Failure::usage)
    }

    /// Whether an instant lies in the period.
    pub fn contains(&self, at: Timestamp) -> bool {
        self.start_time.is_none_or(|start| at >= start) && self.end_time.is_none_or(|end| at <= end)
    }
}

/// Shows the status.
///
/// # Errors
/// The user is unknown, or the store cannot be read.
pub async fn run(context: &Context, arguments: &Arguments) -> Result<(), Failure> {
    arguments.period.check()?;
    let config = context.config()?;
    let user = match &arguments.identity {
        Some(identity) => {
            let directory = wiring::directory(&config)?;
            Some((directory.resolve(identity).await?, directory))
        }
        None => None,
    };
    let filter = RequestFilter {
        user: user.as_ref().map(|(user, _)| user.id),
        states: arguments.state.into_iter().collect(),
        migration: arguments.migration.as_ref().map(|m| m.spelled_as(config.platforms.keys())),
        start: arguments.period.start_time,
        end: arguments.period.end_time,
        ..RequestFilter::default()
    };
    let store = wiring::store(&config).await?;
    if arguments.summary {
        let summary = if is_all(&filter) {
            store.summary().await.map_err(wiring::store_failure)?
        } else {
            summarise(&store.list(&filter).await.map_err(wiring::store_failure)?)
        };
        if summary == Summary::default() {
            tell(nothing(&filter));
        }
        return context.output.print(&summary_rows(&summary), Format::Table, "");
    }
    let requests = store.list(&filter).await.map_err(wiring::store_failure)?;
    let is_of_user_alone = is_all(&RequestFilter { user: None, ..filter.clone() });
    let reason = match &user {
        Some((user, directory)) if is_of_user_alone && requests.is_empty() => {
            Some(reason::of_none(user, &**directory, &*store).await?)
        }
        _ => None,
    };
    context.output.print(
        &record_rows(&requests),
        Format::List,
        reason.as_deref().unwrap_or_else(|| nothing(&filter)),
    )?;
    // For people alone: programs read the records.
    if user.is_some() && is_of_user_alone && context.output.format().is_none() {
        let waits = reason::of_waiting(&requests, &config, &*store).await?;
        waits.iter().for_each(|line| tell(line));
    }
    Ok(())
}

/// What is said where there is nothing to show.
fn nothing(filter: &RequestFilter) -> &'static str {
    if is_all(filter) { "no migrations were found" } else { "no migration matches what was asked for" }
}

fn is_all(filter: &RequestFilter) -> bool {
    filter.user.is_none()
        && filter.states.is_empty()
        && filter.migration.is_none()
        && filter.start.is_none()
        && filter.end.is_none()
}

/// Users of some requests (newest first) under the state of their newest one.
pub fn summarise(requests: &[MigrationRequest]) -> Summary {
    let mut seen = std::collections::HashSet::new();
    let mut summary = Summary::default();
    for request in requests.iter().filter(|request| seen.insert(request.user.id)) {
        match request.state {
            State::Pending => summary.pending += 1,
            State::InProgress => summary.in_progress += 1,
            State::Failed => summary.failed += 1,
            State::Succeeded => summary.succeeded += 1,
        }
    }
    summary
}

/// The summary: all four states, in their order.
pub fn summary_rows(summary: &Summary) -> Rows {
    let mut rows = Rows::new(&["State", "UserCount"]);
    for state in State::ALL {
        let count = match state {
            State::Pending => summary.pending,
            State::InProgress => summary.in_progress,
            State::Failed => summary.failed,
            State::Succeeded => summary.succeeded,
        };
        rows.push(vec![Value::text(state.name()), Value::Number(count)]);
    }
    rows
}

/// The thirteen properties of the status record, in the order of the seed.
pub fn record_rows(requests: &[MigrationRequest]) -> Rows {
    let mut rows = Rows::new(&[
        "CorrelationId",
        "CreateDate",
        "FailedMeeting",
        "InvitesUpdate",
        "LastMessage",
        "MigrationType",
        "ModifiedDate",
        "RetryCount",
        "State",
        "SucceededMeeting",
        "TotalMeeting",
        "UserId",
        "UserPrincipalName",
    ]);
    for request in requests {
        rows.push(vec![
            Value::text(request.id.to_string()),
            Value::text(mms_model::record_date(request.created)),
            Value::Number(request.counts.failed),
            Value::Number(request.counts.invites),
            Value::text(request.last_message.clone()),
            Value::text(request.migration.to_string()),
            Value::text(mms_model::record_date(request.modified)),
            Value::Number(u64::from(request.retries)),
            Value::text(request.state.name()),
            Value::Number(request.counts.succeeded),
            Value::Number(request.counts.total),
            Value::text(request.user.id.to_string()),
            Value::text(request.user.upn.clone()),
        ]);
    }
    rows
}

#[cfg(test)]
mod tests {
    use mms_model::{Counts, RequestId, User};
    use uuid::Uuid;

    use super::*;

    fn request(user: u128, state: State) -> MigrationRequest {
        let at: Timestamp = "2024-04-27T00:24:00.1442688Z".parse().unwrap();
        MigrationRequest {
            id: RequestId("849d3e3b-3e1d-465f-8dde-785aa9e3f856".parse().unwrap()),
            user: User {
                skype: None,
                id: Uuid::from_u128(user),
                upn: "syntest1@contoso.example".into(),
                sip: None,
                logon: None,
                display_name: None,
                distinguished_name: None,
                addresses: Vec::new(),
                calendar: None,
            },
            migration: "AllToTeams".parse().unwrap(),
            state,
            created: at,
            modified: at,
            due: at,
            retries: 0,
            counts: Counts::default(),
            last_message: String::new(),
            requested_by: "test".into(),
        }
    }

    #[test]
    fn a_record_has_the_properties_of_the_seed_in_its_order() {
        let rows = record_rows(&[request(1, State::Pending)]);
        assert_eq!(rows.columns().len(), 13);
        let text: Vec<String> = rows
            .iter()
            .flat_map(|row| {
                rows.columns().iter().zip(row).map(|(n, v)| format!("{n}: {}", v.plain())).collect::<Vec<_>>()
            })
            .collect();
        insta::assert_snapshot!(text.join("\n"), @r"
        CorrelationId: 849d3e3b-3e1d-465f-8dde-785aa9e3f856
        CreateDate: 2024-04-27T00:24:00.1442688Z
        FailedMeeting: 0
        InvitesUpdate: 0
        LastMessage: 
        MigrationType: AllToTeams
        ModifiedDate: 2024-04-27T00:24:00.1442688Z
        RetryCount: 0
        State: Pending
        SucceededMeeting: 0
        TotalMeeting: 0
        UserId: 00000000-0000-0000-0000-000000000001
        UserPrincipalName: syntest1@contoso.example
        ");
    }

    #[test]
    fn a_user_counts_once_under_the_newest_request() {
        let summary =
            summarise(&[request(1, State::Failed), request(1, State::Succeeded), request(2, State::Pending)]);
        assert_eq!(summary, Summary { pending: 1, in_progress: 0, failed: 1, succeeded: 0 });
        let rows = summary_rows(&summary);
        let states: Vec<String> = rows.iter().map(|row| row[0].plain()).collect();
        assert_eq!(states, ["Pending", "InProgress", "Failed", "Succeeded"]);
    }
}
