//! How many attendees may be told in the name of one organizer within a day. Exchange Online stops a mailbox that sends
//! to more than 10,000 recipients in 24 hours, and with it the organizer's own mail; 200 meetings with 50 attendees
//! come to that. What is beyond the budget waits for the days after.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// The window in which recipients count.
const WINDOW: SignedDuration = SignedDuration::from_hours(24);

/// What was spent by whom.
pub(super) struct Budget {
    /// 0 for no limit.
    per_day: u32,
    spent: Mutex<HashMap<String, VecDeque<(Timestamp, u32)>>>,
}

impl Budget {
    pub(super) fn new(per_day: u32) -> Self {
        Self { per_day, spent: Mutex::new(HashMap::new()) }
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
        let mut spent = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        let entries = spent.entry(organizer.to_lowercase()).or_default();
        let ends = |at: Timestamp| at.checked_add(WINDOW).unwrap_or(Timestamp::MAX);
        while entries.front().is_some_and(|(at, _)| ends(*at) <= now) {
            entries.pop_front();
        }
        let mut total: u64 = entries.iter().map(|(_, count)| u64::from(*count)).sum();
        let wanted = u64::from(recipients);
        let limit = u64::from(self.per_day).max(wanted);
        if total + wanted <= limit {
            match entries.back_mut() {
                // One entry for each minute is enough to remember.
                Some((at, count)) if at.duration_until(now) < SignedDuration::from_mins(1) => {
                    *count = count.saturating_add(recipients);
                }
                _ => entries.push_back((now, recipients)),
            }
            return Ok(());
        }
        let free_at = entries.iter().find_map(|(at, count)| {
            total = total.saturating_sub(u64::from(*count));
            (total + wanted <= limit).then(|| ends(*at))
        });
        let wait = now.duration_until(free_at.unwrap_or_else(|| ends(now)));
        Err(Duration::try_from(wait).unwrap_or(Duration::from_secs(3600)).max(Duration::from_secs(1)))
    }

    /// Gives back what was spent for a write that did not happen.
    pub(super) fn refund(&self, organizer: &str, recipients: u32) {
        let mut spent = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, count)) = spent.get_mut(&organizer.to_lowercase()).and_then(VecDeque::back_mut) {
            *count = count.saturating_sub(recipients);
        }
    }

    pub(super) fn per_day(&self) -> u32 {
        self.per_day
    }
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
        budget.refund("a@x", 40);
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
}
