//! Counts of a request, kept right as records replace each other.

use mms_model::{Counts, MeetingOutcome, MeetingRecord};

/// Running counts.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Tally {
    counts: Counts,
    /// Meetings that are to be tried again.
    pub(crate) waiting: u64,
}

impl Tally {
    pub(crate) fn counts(&self) -> Counts {
        self.counts
    }

    /// A record came, or went where `added` is false.
    pub(crate) fn count(&mut self, record: &MeetingRecord, added: bool) {
        let add = |n: &mut u64| *n = if added { *n + 1 } else { n.saturating_sub(1) };
        match record.outcome {
            MeetingOutcome::Migrated | MeetingOutcome::AlreadyThere => {
                add(&mut self.counts.total);
                add(&mut self.counts.succeeded);
            }
            MeetingOutcome::WillRetry | MeetingOutcome::Failed => {
                add(&mut self.counts.total);
                add(&mut self.counts.failed);
            }
            MeetingOutcome::Skipped | MeetingOutcome::RolledBack => {}
        }
        if record.outcome == MeetingOutcome::WillRetry {
            add(&mut self.waiting);
        }
        if record.attendees_told > 0 && record.outcome != MeetingOutcome::RolledBack {
            add(&mut self.counts.invites);
        }
    }
}
