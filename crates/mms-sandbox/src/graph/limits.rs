//! The limits of Exchange Online for one application and mailbox: four requests at a time, and ten thousand in ten minutes.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

const AT_A_TIME: u32 = 4;
const IN_WINDOW: u32 = 10_000;
const WINDOW: Duration = Duration::from_secs(600);

#[derive(Default)]
pub(crate) struct Limits {
    mailboxes: Mutex<HashMap<usize, Used>>,
    /// For how long places were taken, all together, in microseconds.
    in_flight: AtomicU64,
}

struct Used {
    in_flight: u32,
    since: Instant,
    requests: u32,
}

/// A request on its way; gives its place back when it ends.
pub(crate) struct Slot<'l> {
    limits: &'l Limits,
    user: usize,
    since: Instant,
}

impl Limits {
    /// For how long requests to mailboxes were in flight, all together: four seconds in a second are the most of a mailbox.
    pub(crate) fn in_flight(&self) -> Duration {
        Duration::from_micros(self.in_flight.load(Ordering::Relaxed))
    }

    fn locked(&self) -> MutexGuard<'_, HashMap<usize, Used>> {
        self.mailboxes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a place for a request to a mailbox.
    ///
    /// # Errors
    /// The limit that it is over.
    pub(super) fn take(&self, user: usize) -> Result<Slot<'_>, &'static str> {
        let mut mailboxes = self.locked();
        let used = mailboxes.entry(user).or_insert_with(|| Used {
            in_flight: 0,
            since: Instant::now(),
            requests: 0,
        });
        if used.since.elapsed() >= WINDOW {
            (used.since, used.requests) = (Instant::now(), 0);
        }
        if used.in_flight >= AT_A_TIME {
            return Err("MailboxConcurrency");
        }
        if used.requests >= IN_WINDOW {
            return Err("RequestsPerMailbox");
        }
        used.in_flight += 1;
        used.requests += 1;
        Ok(Slot { limits: self, user, since: Instant::now() })
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        let held = u64::try_from(self.since.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.limits.in_flight.fetch_add(held, Ordering::Relaxed);
        if let Some(used) = self.limits.locked().get_mut(&self.user) {
            used.in_flight = used.in_flight.saturating_sub(1);
        }
    }
}
