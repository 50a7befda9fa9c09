//! At most so many mails a minute.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Spaces mails evenly.
#[derive(Debug)]
pub(super) struct Pace {
    interval: Duration,
    next: Mutex<Option<Instant>>,
}

impl Pace {
    /// 0 for no limit.
    pub(super) fn per_minute(mails: u32) -> Self {
        let interval = Duration::from_secs(60).checked_div(mails).unwrap_or_default();
        Self { interval, next: Mutex::new(None) }
    }

    /// Waits for this mail's turn. Those who wait at the same time get turns one after the other.
    pub(super) async fn wait(&self) {
        if self.interval.is_zero() {
            return;
        }
        let turn = {
            let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
            let now = Instant::now();
            let turn = next.map_or(now, |next| next.max(now));
            *next = Some(turn + self.interval);
            turn
        };
        tokio::time::sleep_until(turn).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn mails_are_spaced_evenly() {
        let pace = Pace::per_minute(30);
        let start = Instant::now();
        futures_util::future::join_all((0..5).map(|_| pace.wait())).await;
        assert_eq!(start.elapsed(), Duration::from_secs(8));
        tokio::time::advance(Duration::from_secs(60)).await;
        let later = Instant::now();
        pace.wait().await;
        assert_eq!(later.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn no_limit_waits_for_nothing() {
        let pace = Pace::per_minute(0);
        let start = Instant::now();
        for _ in 0..1000 {
            pace.wait().await;
        }
        assert_eq!(start.elapsed(), Duration::ZERO);
    }
}
