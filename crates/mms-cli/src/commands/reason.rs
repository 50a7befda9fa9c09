//! Why a user's migration did not run, and when it does: what `mms status` says of one user beside the records.

use jiff::SignedDuration;
use mms_engine::Switch;
use mms_model::port::{Directory, RequestStore};
use mms_model::{Clock as _, MigrationRequest, State, SystemClock, User};

use crate::config::Config;
use crate::daemon;
use crate::failure::Failure;
use crate::wiring::store_failure;

/// Why `user` has no migration.
///
/// # Errors
/// The store's.
pub async fn of_none(
    user: &User,
    directory: &dyn Directory,
    store: &dyn RequestStore,
) -> Result<String, Failure> {
    let upn = &user.upn;
    if !Switch::MeetingMigration.is_on(store).await.map_err(store_failure)? {
        return Ok(format!(
            "{upn} has no migration, and none starts: MeetingMigrationEnabled is off (`mms config tenant \
             --meeting-migration-enabled true` switches it on)"
        ));
    }
    if user.calendar.is_none() {
        let why = directory.why_no_calendar(user).await;
        let why = why.unwrap_or_else(|| "give the directory a calendar for this user".to_owned());
        return Ok(format!("{upn} has no migration, and no calendar that could have one: {why}"));
    }
    Ok(format!(
        "{upn} has no migration: nobody asked for one, and no event started one (`mms start {upn}` does)"
    ))
}

/// When the newest of a user's requests goes on, where it waits.
///
/// # Errors
/// The store's.
pub async fn of_waiting(
    requests: &[MigrationRequest],
    config: &Config,
    store: &dyn RequestStore,
) -> Result<Option<String>, Failure> {
    let Some(request) = requests.first().filter(|request| request.state == State::Pending) else {
        return Ok(None);
    };
    let upn = &request.user.upn;
    if !daemon::is_running(&config.socket_path()) {
        return Ok(Some(format!(
            "{upn} waits, and no daemon runs that would go on: start it with `mms serve`"
        )));
    }
    let ahead = store.pending_before(request.due).await.map_err(store_failure)?;
    let left = request.due.duration_since(SystemClock.now());
    let why = if request.retries > 0 { "tried again" } else { "due" };
    Ok(Some(if left > SignedDuration::ZERO {
        let minutes = left.as_mins() + 1;
        format!(
            "{upn} is {why} in {minutes} min, at {}; {ahead} of those that wait are due before",
            mms_model::record_date(request.due)
        )
    } else {
        format!("{upn} is due and waits for a worker; {ahead} of those that wait are due before")
    }))
}
