//! `mms start`, `Start-CsExMeetingMigration`

use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Time;
use jiff::tz::TimeZone;
use mms_engine::{Batch, Pace, QuietHours, Start};
use mms_model::port::{Enqueued, RequestStore};
use mms_model::{
    Clock as _, MigrationRequest, MigrationType, SourceMeetingType, State, SystemClock, TargetMeetingType,
    User,
};
use uuid::Uuid;

use crate::context::{Context, administrator};
use crate::daemon;
use crate::failure::Failure;
use crate::output::{Format, Rows, Value, tell};
use crate::users::Choice;
use crate::wiring::{self, Installation, engine_failure};

/// Arguments of `mms start`.
#[derive(Debug, Default, clap::Args)]
pub struct Arguments {
    /// Whose meetings.
    #[command(flatten)]
    pub users: Choice,
    /// Which meetings: All, SfB, Teams, Zoom, Webex …
    #[arg(long, value_name = "SOURCE", default_value_t)]
    pub from: SourceMeetingType,
    /// Where to: Current (refreshes each meeting where it is) or a configured platform.
    #[arg(long, value_name = "TARGET", default_value_t)]
    pub to: TargetMeetingType,
    /// Do not wait for the grace period.
    #[arg(long)]
    pub now: bool,
    /// How many users fall due in an hour, as in 20/h.
    #[arg(long, value_name = "PACE")]
    pub pace: Option<UsersPerHour>,
    /// Hours of the day in which no user falls due, as in 08:00-18:00.
    #[arg(long, value_name = "HOURS")]
    pub quiet_hours: Option<Hours>,
    /// The time zone of the quiet hours [default: that of this machine].
    #[arg(long, value_name = "ZONE", value_parser = zone)]
    pub zone: Option<TimeZone>,
    /// The name of the batch [default: the name of --file]. Users who are in it already are not asked for again.
    #[arg(long, value_name = "NAME")]
    pub batch: Option<String>,
}

fn zone(name: &str) -> Result<TimeZone, String> {
    TimeZone::get(name).map_err(|_| format!("\"{name}\" is not a time zone: write it as in Europe/Berlin"))
}

/// Asks for migrations. They stand in the store, where a daemon finds them within a second or two;
/// where none runs, they wait for it.
///
/// # Errors
/// A user is unknown, the target is not configured, or migrations are disabled.
pub async fn run(context: &Context, arguments: &Arguments) -> Result<(), Failure> {
    let installation = wiring::open(context.config()?).await?;
    let migration = installation.migration(&arguments.from, &arguments.to)?;
    let users = arguments.users.resolve(installation.directory.as_ref()).await?;
    let enqueued = match arguments.batch_name() {
        Some(name) => {
            let batch = arguments.batch(&installation, &name, migration).await?;
            let enqueued = installation.engine.start_batch(&batch, &users).await.map_err(engine_failure)?;
            tell_of_known(&name, &batch, &enqueued);
            enqueued
        }
        None => start_each(&installation, users, &migration, arguments.now).await?,
    };
    let mut rows =
        Rows::new(&["UserPrincipalName", "CorrelationId", "MigrationType", "State", "DueDate", "Joined"]);
    for enqueued in &enqueued {
        match enqueued {
            Enqueued::New(request) => rows.push(row(request, false)),
            Enqueued::Joined(request) => rows.push(row(request, true)),
            // In the batch since an earlier run.
            Enqueued::Known(_) => {}
        }
    }
    let format = if rows.len() > 1 { Format::Table } else { Format::List };
    context.output.print(
        &rows,
        format,
        "nobody is left to be asked for: every user is in the batch already",
    )?;
    if enqueued.iter().any(|one| one.request().state == State::Pending)
        && !daemon::is_running(&installation.config.socket_path())
    {
        tell(
            "no daemon runs, so these migrations wait: start it with `mms serve`, or do them now with `mms migrate`",
        );
    }
    Ok(())
}

/// Says that the batch goes on, where it does.
fn tell_of_known(name: &str, batch: &Batch, enqueued: &[Enqueued]) {
    let known = enqueued.iter().filter(|one| matches!(one, Enqueued::Known(_))).count();
    if known > 0 {
        tell(&format!(
            "the batch \"{name}\" of {} is gone on with: {known} of {} users are in it already and are not asked for \
             again (`mms status` shows them); to ask for everybody once more, name another --batch",
            mms_model::record_date(batch.started),
            enqueued.len()
        ));
    }
}

async fn start_each(
    installation: &Installation,
    users: Vec<User>,
    migration: &MigrationType,
    at_once: bool,
) -> Result<Vec<Enqueued>, Failure> {
    let mut enqueued = Vec::with_capacity(users.len());
    for user in users {
        let start = Start { at_once, ..Start::manual(user, migration.clone(), administrator()) };
        enqueued.extend(installation.engine.start(start).await.map_err(engine_failure)?);
    }
    Ok(enqueued)
}

impl Arguments {
    /// The name under which these users are a batch; none where they are asked for one by one.
    fn batch_name(&self) -> Option<String> {
        let is_paced = self.pace.is_some() || self.quiet_hours.is_some();
        let of_file = || self.users.file.as_deref().map(name_of);
        self.batch.clone().or_else(of_file).or_else(|| is_paced.then(|| "command line".to_owned()))
    }

    /// The batch, the same each time that it is started under its name for the same migration.
    async fn batch(
        &self,
        installation: &Installation,
        name: &str,
        migration: MigrationType,
    ) -> Result<Batch, Failure> {
        let id = Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("batch\0{name}\0{migration}").as_bytes());
        let grace = if self.now { Duration::ZERO } else { installation.engine.settings().grace };
        let begins = SystemClock.now().saturating_add(grace).unwrap_or(Timestamp::MAX);
        let started = first_start(installation.store.as_ref(), id, begins).await?;
        let quiet = self.quiet_hours.map(|hours| QuietHours {
            from: hours.from,
            to: hours.to,
            zone: self.zone.clone().unwrap_or_else(TimeZone::system),
        });
        let pace = engine_pace(self.pace, quiet);
        Ok(Batch {
            id,
            started,
            migration,
            pace,
            requested_by: format!("{} (batch {name})", administrator()),
        })
    }
}

fn engine_pace(pace: Option<UsersPerHour>, quiet: Option<QuietHours>) -> Pace {
    Pace { users_per_hour: pace.map_or(0, |pace| pace.0), quiet }
}

/// When the batch was first started: its pace goes on from there.
async fn first_start(store: &dyn RequestStore, id: Uuid, begins: Timestamp) -> Result<Timestamp, Failure> {
    let name = format!("batch.{id}");
    let known = store.setting(&name).await.map_err(wiring::store_failure)?;
    if let Some(started) = known.and_then(|text| text.parse().ok()) {
        return Ok(started);
    }
    store.set_setting(&name, &begins.to_string()).await.map_err(wiring::store_failure)?;
    Ok(begins)
}

/// Users per hour: `20/h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UsersPerHour(u32);

impl FromStr for UsersPerHour {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.trim().strip_suffix("/h").unwrap_or(text.trim()).parse() {
            Ok(users) if users > 0 => Ok(Self(users)),
            _ => Err(format!("\"{text}\" is not a pace: write users per hour, as in 20/h")),
        }
    }
}

/// Hours of each day: `08:00-18:00`; `22:00-06:00` goes over midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hours {
    from: Time,
    to: Time,
}

impl FromStr for Hours {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let hours = text.split_once('-').and_then(|(from, to)| {
            Some(Self { from: from.trim().parse().ok()?, to: to.trim().parse().ok()? })
        });
        match hours {
            Some(hours) if hours.from != hours.to => Ok(hours),
            _ => Err(format!("\"{text}\" are no quiet hours: write them as in 08:00-18:00")),
        }
    }
}

fn name_of(file: &Path) -> String {
    file.file_stem().unwrap_or(file.as_os_str()).to_string_lossy().into_owned()
}

fn row(request: &MigrationRequest, joined: bool) -> Vec<Value> {
    vec![
        Value::text(request.user.upn.clone()),
        Value::text(request.id.to_string()),
        Value::text(request.migration.to_string()),
        Value::text(request.state.name()),
        Value::text(mms_model::record_date(request.due)),
        Value::Boolean(joined),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paces_and_hours() {
        assert_eq!("20/h".parse(), Ok(UsersPerHour(20)));
        assert_eq!("20".parse(), Ok(UsersPerHour(20)));
        assert!("0/h".parse::<UsersPerHour>().is_err());
        assert!("fast".parse::<UsersPerHour>().is_err());
        assert!("22:00-06:00".parse::<Hours>().is_ok());
        assert!("8-18".parse::<Hours>().is_err());
        assert!("08:00-08:00".parse::<Hours>().is_err());
    }
}
