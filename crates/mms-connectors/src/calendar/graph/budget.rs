//! How many attendees may be told in the name of one organizer within a day. Exchange Online stops a mailbox that sends
//! to more than 10,000 recipients in 24 hours, and with it the organizer's own mail; 200 meetings with 50 attendees
//! come to that. What is beyond the budget waits for the days after.

use std::collections::{HashMap, VecDeque};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::spending::Spending;

/// The window in which recipients count.
const WINDOW: SignedDuration = SignedDuration::from_hours(24);

/// What was spent by whom.
pub(super) struct Budget {
    /// 0 for no limit.
    per_day: u32,
    spent: Mutex<Spent>,
}

#[derive(Default)]
struct Spent {
    by_organizer: HashMap<String, VecDeque<(Timestamp, i64)>>,
    /// What this process and others wrote down; none where it is not kept.
    kept: Option<Spending>,
}

impl Budget {
    pub(super) fn new(per_day: u32) -> Self {
        Self { per_day, spent: Mutex::new(Spent::default()) }
    }

    /// The same, with what is spent kept in files whose names begin with `path`, so that another process, or this one
    /// after a restart, does not spend it again.
    pub(super) fn kept_in(self, path: &Path, now: Timestamp) -> Self {
        self.locked().kept = Some(Spending::open(path, now));
        self
    }

    fn locked(&self) -> MutexGuard<'_, Spent> {
        self.spent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Spends `recipients` in the name of `organizer`.
    ///
    /// A meeting with more recipients than a whole day's budget is written when nothing else was, or it never were.
    ///
    /// # Errors
    /// How long to wait where the budget does not suffice.
    pub(super) fn spend(&self, organizer: &str, recipients: u32, now: Timestamp) -> Result<(), Duration> {
        if self.per_day == 0 || recipients == 0 {
            return Ok(());
        }
        let mut spent = self.locked();
        spent.catch_up(now);
        let entries = spent.entries(organizer, now);
        let mut total: i64 = entries.iter().map(|(_, count)| count).sum();
        let wanted = i64::from(recipients);
        let limit = i64::from(self.per_day).max(wanted);
        if total + wanted <= limit {
            spent.note(organizer, wanted, now);
            return Ok(());
        }
        let free_at = entries.iter().find_map(|(at, count)| {
            total -= count;
            (total + wanted <= limit).then(|| end_of_window(*at))
        });
        let wait = now.duration_until(free_at.unwrap_or_else(|| end_of_window(now)));
        Err(Duration::try_from(wait).unwrap_or(Duration::from_secs(3600)).max(Duration::from_secs(1)))
    }

    /// Gives back what was spent for a write that did not happen.
    pub(super) fn refund(&self, organizer: &str, recipients: u32, now: Timestamp) {
        if self.per_day != 0 && recipients != 0 {
            self.locked().note(organizer, -i64::from(recipients), now);
        }
    }

    pub(super) fn per_day(&self) -> u32 {
        self.per_day
    }
}

impl Spent {
    /// What an organizer spent within the window, oldest first.
    fn entries(&mut self, organizer: &str, now: Timestamp) -> &VecDeque<(Timestamp, i64)> {
        let entries = self.by_organizer.entry(organizer.to_lowercase()).or_default();
        while entries.front().is_some_and(|(at, _)| end_of_window(*at) <= now) {
            entries.pop_front();
        }
        entries
    }

    /// Writes down and, where that does not work, remembers.
    fn note(&mut self, organizer: &str, recipients: i64, now: Timestamp) {
        let organizer = organizer.to_lowercase();
        let is_kept = self.kept.as_mut().is_some_and(|kept| kept.note(&organizer, recipients, now));
        if !is_kept {
            self.add(organizer, recipients, now);
        }
    }

    /// Takes over what was written down since the last time, by this process or another.
    fn catch_up(&mut self, now: Timestamp) {
        let Some(kept) = &mut self.kept else { return };
        for (organizer, recipients, at) in kept.news(now) {
            self.add(organizer, recipients, at);
        }
    }

    fn add(&mut self, organizer: String, recipients: i64, at: Timestamp) {
        let entries = self.by_organizer.entry(organizer).or_default();
        match entries.back_mut() {
            // One entry for each minute is enough to remember.
            Some((last, count)) if last.duration_until(at) < SignedDuration::from_mins(1) => {
                *count += recipients
            }
            _ => entries.push_back((at, recipients)),
        }
    }
}

fn end_of_window(at: Timestamp) -> Timestamp {
    at.checked_add(WINDOW).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn what_is_over_the_budget_waits_until_enough_is_free() {
        let budget = Budget::new(100);
        assert_eq!(budget.spend("a@x", 60, at("2026-11-23T10:00:00Z")), Ok(()));
        assert_eq!(budget.spend("A@x", 40, at("2026-11-23T12:00:00Z")), Ok(()));
        let now = at("2026-11-23T13:00:00Z");
        assert_eq!(budget.spend("a@x", 1, now), Err(Duration::from_secs(21 * 3600)));
        assert_eq!(budget.spend("a@x", 61, now), Err(Duration::from_secs(23 * 3600)));
        assert_eq!(budget.spend("b@x", 100, now), Ok(()), "others have their own");
        assert_eq!(budget.spend("a@x", 0, now), Ok(()), "nobody is told");
        budget.refund("a@x", 40, now);
        assert_eq!(budget.spend("a@x", 40, now), Ok(()));
        assert_eq!(budget.spend("a@x", 60, at("2026-11-24T10:00:00Z")), Ok(()));
    }

    #[test]
    fn a_meeting_larger_than_the_budget_gets_a_day_of_its_own() {
        let budget = Budget::new(100);
        let now = at("2026-11-23T10:00:00Z");
        assert_eq!(budget.spend("a@x", 400, now), Ok(()));
        assert!(budget.spend("a@x", 1, now).is_err());
        assert_eq!(Budget::new(0).spend("a@x", u32::MAX, now), Ok(()));
    }

    #[test]
    fn what_another_process_spent_counts() {
        let folder = tempfile::tempdir().unwrap();
        let now = at("2026-11-23T23:50:00Z");
        let budget = |now| Budget::new(100).kept_in(&folder.path().join("mms.db-recipients"), now);
        let (daemon, command) = (budget(now), budget(now));
        assert_eq!(daemon.spend("a@x", 60, now), Ok(()));
        assert!(command.spend("A@x", 60, now).is_err(), "the daemon spent it");
        assert_eq!(command.spend("a@x", 40, now), Ok(()));
        drop(daemon);
        let later = at("2026-11-24T10:00:00Z");
        let restarted = budget(later);
        assert!(restarted.spend("a@x", 1, later).is_err(), "before midnight counts after it");
        restarted.refund("a@x", 40, later);
        assert_eq!(restarted.spend("a@x", 40, later), Ok(()));
        let next = at("2026-11-25T12:00:00Z");
        assert_eq!(budget(next).spend("a@x", 100, next), Ok(()));
        let files: Vec<_> =
            std::fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
        assert_eq!(files.len(), 2, "of days past only the last is kept: {files:?}");
    }
}
