use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// For how long answers are used again. Tickets are good for hours; groups and locks are to show sooner.
const KEPT: Duration = Duration::from_secs(10 * 60);

/// What the domain controller answered lately, in the order in which it was asked. sspi keeps no tickets: with these answers
/// it comes to the same ones again, and makes a proof of its own for each sign-in. They are encrypted as they came.
#[derive(Default)]
pub(super) struct Tickets(Mutex<Option<(Instant, Answers)>>);

/// The answers that led to a ticket.
pub(super) type Answers = Arc<Vec<Vec<u8>>>;

impl Tickets {
    /// Answers that need not be asked for again.
    pub(super) fn kept(&self) -> Option<Answers> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.as_ref().filter(|(since, _)| since.elapsed() < KEPT).map(|(_, answers)| Arc::clone(answers))
    }

    /// Keeps the answers of a sign-in that worked.
    pub(super) fn keep(&self, answers: Vec<Vec<u8>>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), Arc::new(answers)));
    }

    /// Forgets them, because they did not serve.
    pub(super) fn forget(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}
