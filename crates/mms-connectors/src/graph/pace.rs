//! How many requests go to a tenant at a time: as many as it takes without throttling (additive increase,
//! multiplicative decrease). Which of Exchange Online's limits are per application, per mailbox or per tenant is told
//! differently in different places, so it is found out.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// A cap that adapts.
pub(super) struct Pace {
    state: Mutex<State>,
    freed: Notify,
    most: f64,
}

struct State {
    cap: f64,
    in_flight: usize,
    /// Counts the decreases: the requests that were under way together are throttled together, and that is one sign.
    epoch: u64,
}

/// Leave for one request.
pub(super) struct Leave {
    pace: Arc<Pace>,
    epoch: u64,
}

impl Pace {
    pub(super) fn new(most: usize) -> Arc<Self> {
        let most = u32::try_from(most.max(1)).map_or(f64::from(u32::MAX), f64::from);
        let state = State { cap: most.min(16.0), in_flight: 0, epoch: 0 };
        Arc::new(Self { state: Mutex::new(state), freed: Notify::new(), most })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until another request may go.
    pub(super) async fn leave(self: &Arc<Self>) -> Leave {
        loop {
            let freed = self.freed.notified();
            {
                let mut state = self.state();
                if (state.in_flight as f64) < state.cap.floor().max(1.0) {
                    state.in_flight += 1;
                    return Leave { pace: Arc::clone(self), epoch: state.epoch };
                }
            }
            freed.await;
        }
    }

    #[cfg(test)]
    fn cap(&self) -> f64 {
        self.state().cap
    }
}

impl Leave {
    /// The request was answered without throttling.
    pub(super) fn answered(&self) {
        let mut state = self.pace.state();
        state.cap = (state.cap + 1.0 / state.cap.max(1.0)).min(self.pace.most);
    }

    /// The request, or part of it, was throttled.
    pub(super) fn throttled(&self) {
        let mut state = self.pace.state();
        if state.epoch == self.epoch {
            state.cap = (state.cap / 2.0).max(1.0);
            state.epoch += 1;
        }
    }
}

impl Drop for Leave {
    fn drop(&mut self) {
        self.pace.state().in_flight -= 1;
        self.pace.freed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn throttling_halves_the_cap_once_for_those_under_way_together() {
        let pace = Pace::new(64);
        assert_eq!(pace.cap(), 16.0);
        let together = [pace.leave().await, pace.leave().await, pace.leave().await];
        together.iter().for_each(Leave::throttled);
        assert_eq!(pace.cap(), 8.0);
        drop(together);
        let later = pace.leave().await;
        later.throttled();
        assert_eq!(pace.cap(), 4.0);
        for _ in 0..10_000 {
            later.answered();
        }
        assert_eq!(pace.cap(), 64.0);
    }

    #[tokio::test]
    async fn one_request_may_always_go_and_the_next_waits_for_it() {
        let pace = Pace::new(1);
        let first = pace.leave().await;
        first.throttled();
        let waiting = tokio::spawn({
            let pace = Arc::clone(&pace);
            async move { drop(pace.leave().await) }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(first);
        waiting.await.unwrap();
    }
}
