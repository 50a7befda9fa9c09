//! Many users at a pace. A batch that is resumed starts nobody twice: each user's request has an id that follows
//! from the batch's.

use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Time;
use jiff::tz::TimeZone;
use mms_model::port::Enqueued;
use mms_model::{MigrationType, RequestId, User};
use uuid::Uuid;

use crate::trigger::{Start, Trigger};
use crate::{Engine, EngineError};

/// Hours of the day in which no migration of a batch begins.
#[derive(Debug, Clone, PartialEq)]
pub struct QuietHours {
    /// From here …
    pub from: Time,
    /// … up to here; earlier than `from` where they span midnight.
    pub to: Time,
    /// In this time zone.
    pub zone: TimeZone,
}

impl QuietHours {
    /// `at`, or the end of the quiet hours that it lies in.
    fn after(&self, at: Timestamp) -> Timestamp {
        let local = at.to_zoned(self.zone.clone());
        let time = local.time();
        let quiet = if self.from <= self.to {
            self.from <= time && time < self.to
        } else {
            time >= self.from || time < self.to
        };
        if !quiet {
            return at;
        }
        let date = if time < self.to { Some(local.date()) } else { local.date().tomorrow().ok() };
        date.and_then(|date| date.to_datetime(self.to).to_zoned(self.zone.clone()).ok())
            .map_or(at, |end| end.timestamp().max(at))
    }
}

/// How fast a batch goes.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Pace {
    /// Users an hour; 0 for no limit.
    pub users_per_hour: u32,
    /// When nothing begins.
    pub quiet: Option<QuietHours>,
}

impl Pace {
    /// The instants at which a batch's users begin, from `start` on.
    pub fn instants(&self, start: Timestamp) -> impl Iterator<Item = Timestamp> + '_ {
        let gap = match self.users_per_hour {
            0 => Duration::ZERO,
            users => Duration::from_secs(3600) / users,
        };
        let mut next = start;
        std::iter::from_fn(move || {
            let at = self.quiet.as_ref().map_or(next, |quiet| quiet.after(next));
            next = at.checked_add(gap).unwrap_or(at);
            Some(at)
        })
    }
}

/// A batch.
#[derive(Debug, Clone)]
pub struct Batch {
    /// The same for a batch that is resumed.
    pub id: Uuid,
    /// When it was first started; the pace counts from here.
    pub started: Timestamp,
    /// From what to where.
    pub migration: MigrationType,
    /// How fast.
    pub pace: Pace,
    /// Who asks.
    pub requested_by: String,
}

impl Engine {
    /// Starts a request for each of `users`, in their order, at the batch's pace. Users that were started before
    /// are [`Enqueued::Known`].
    ///
    /// # Errors
    /// As [`Engine::start`]; what was started before the error stays, and the batch can be resumed.
    pub async fn start_batch(&self, batch: &Batch, users: &[User]) -> Result<Vec<Enqueued>, EngineError> {
        let mut enqueued = Vec::with_capacity(users.len());
        for (user, at) in users.iter().zip(batch.pace.instants(batch.started)) {
            let start = Start {
                user: user.clone(),
                migration: batch.migration.clone(),
                trigger: Trigger::Manual,
                at_once: true,
                not_before: Some(at),
                id: Some(RequestId(Uuid::new_v5(&batch.id, user.id.as_bytes()))),
                requested_by: batch.requested_by.clone(),
            };
            enqueued.extend(self.start(start).await?);
        }
        Ok(enqueued)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pace_leaves_the_quiet_hours_out() {
        let quiet = QuietHours {
            from: Time::constant(22, 0, 0, 0),
            to: Time::constant(6, 0, 0, 0),
            zone: TimeZone::UTC,
        };
        let pace = Pace { users_per_hour: 2, quiet: Some(quiet) };
        let start: Timestamp = "2026-03-01T21:00:00Z".parse().unwrap();
        let instants: Vec<String> = pace.instants(start).take(4).map(|at| at.to_string()).collect();
        assert_eq!(
            instants,
            ["2026-03-01T21:00:00Z", "2026-03-01T21:30:00Z", "2026-03-02T06:00:00Z", "2026-03-02T06:30:00Z"]
        );
        assert_eq!(Pace::default().instants(start).nth(1_000), Some(start));
    }
}
