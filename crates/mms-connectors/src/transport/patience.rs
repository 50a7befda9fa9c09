use std::time::Duration;

/// For how long in all a request waits for a busy server before it is given up for later.
const IN_ALL: Duration = Duration::from_secs(30);
/// The first pause of one's own; it doubles.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// How much longer a request waits for a busy server.
pub(crate) struct Patience {
    left: Duration,
    pause: Duration,
}

impl Patience {
    pub(crate) fn new() -> Self {
        Self { left: IN_ALL, pause: FIRST_PAUSE }
    }

    /// What is left of it.
    pub(crate) fn left(&self) -> Duration {
        self.left
    }

    /// Waits as long as the server says; where it says nothing, or less than a pause of one's own, longer each time and
    /// not in step with others. False where that would be too long: no server makes a request go round without a pause.
    pub(crate) async fn wait(&mut self, asked: Option<Duration>) -> bool {
        let asked = asked.unwrap_or_default();
        let pause = if asked >= self.pause {
            asked
        } else {
            let own = self.pause.mul_f64(0.75 + fastrand::f64() / 2.0);
            self.pause *= 2;
            own.max(asked)
        };
        let Some(left) = self.left.checked_sub(pause) else { return false };
        self.left = left;
        tokio::time::sleep(pause).await;
        true
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    /// How often a server is asked that always says this, and for how long.
    async fn asked(wait: Option<Duration>) -> (u32, Duration) {
        let (mut patience, began, mut times) = (Patience::new(), Instant::now(), 1);
        while times < 1000 && patience.wait(wait).await {
            times += 1;
        }
        (times, began.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_asks_for_no_pause_is_given_one_and_given_up() {
        for wait in [None, Some(Duration::ZERO), Some(Duration::from_millis(1))] {
            let (times, took) = asked(wait).await;
            assert!((4..=7).contains(&times), "{wait:?}: {times}");
            assert!(took > Duration::from_secs(10) && took <= IN_ALL, "{wait:?}: {took:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_that_is_asked_for_is_made() {
        let (times, took) = asked(Some(Duration::from_secs(8))).await;
        assert_eq!((times, took.as_secs()), (4, 24));
        assert_eq!(asked(Some(Duration::from_secs(3600))).await, (1, Duration::ZERO));
    }
}
