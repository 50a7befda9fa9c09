//! When a request is tried again: nine retries within 24 hours, with growing gaps and jitter.

use std::time::Duration;

/// Retries of a request.
pub const MAX_RETRIES: u32 = 9;

/// The gaps in minutes. They sum up to 1200, so that with a jitter of at most a fifth more the last retry still
/// falls within 24 hours.
const GAPS: [u64; MAX_RETRIES as usize] = [2, 5, 13, 30, 60, 120, 200, 320, 450];

/// How long to wait before the next retry after `retries` of at most `limit`; none where they are used up.
/// `fraction` in `0.0..1.0` spreads the wait from four to six fifths of its gap.
pub fn delay(retries: u32, limit: u32, fraction: f64) -> Option<Duration> {
    if retries >= limit {
        return None;
    }
    let gap = GAPS.get(usize::try_from(retries).ok()?)?;
    let fraction = if fraction.is_finite() { fraction.clamp(0.0, 1.0) } else { 0.5 };
    Some(Duration::from_secs(gap * 60).mul_f64(0.8 + 0.4 * fraction))
}

/// What a server asked for, within reason: a hostile or broken one cannot park a request for years.
pub(crate) fn asked(wait: Duration) -> Duration {
    wait.clamp(Duration::from_secs(1), Duration::from_secs(86_400))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nine_retries_with_growing_gaps_fill_a_day() {
        for fraction in [0.0, 0.5, 1.0] {
            let gaps: Vec<_> = (0..).map_while(|n| delay(n, 9, fraction)).collect();
            assert_eq!(gaps.len(), 9);
            assert!(gaps.is_sorted());
            let total: Duration = gaps.iter().sum();
            assert!(
                total <= Duration::from_secs(86_400) && total >= Duration::from_secs(15 * 3600),
                "{total:?}"
            );
        }
        assert_eq!(delay(2, 2, 0.5), None);
        assert_eq!(delay(0, 9, f64::NAN), delay(0, 9, 0.5));
    }
}
