use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};

/// The longest pause a server may ask for; beyond it the answer is taken for a mistake.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// How long a server asks to wait (RFC 9110 section 10.2.3): seconds, or a date, which is measured
/// from the answer's own `Date` so that a wrong clock on either side does no harm, and from `now`
/// where there is none. At most a day.
pub fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds).min(LONGEST));
    }
    let until = http_date(text)?;
    let from = headers.get(DATE).and_then(|d| d.to_str().ok()).and_then(http_date).unwrap_or(now);
    let seconds = until.as_second().saturating_sub(from.as_second()).max(0);
    Some(Duration::from_secs(seconds.unsigned_abs()).min(LONGEST))
}

fn http_date(text: &str) -> Option<Timestamp> {
    static PARSER: DateTimeParser = DateTimeParser::new().relaxed_weekday(true);
    PARSER.parse_timestamp(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(pairs: &[(&'static str, &str)]) -> Option<Duration> {
        let headers =
            pairs.iter().map(|(n, v)| (n.parse().unwrap(), v.parse().unwrap())).collect::<HeaderMap>();
        retry_after(&headers, "2026-11-23T10:00:00Z".parse().unwrap())
    }

    #[test]
    fn reads_seconds_and_dates() {
        assert_eq!(wait(&[("retry-after", "120")]), Some(Duration::from_secs(120)));
        assert_eq!(
            wait(&[("retry-after", "Mon, 23 Nov 2026 10:00:30 GMT")]),
            Some(Duration::from_secs(30)),
            "measured from our clock"
        );
        assert_eq!(
            wait(&[
                ("retry-after", "Fri, 20 Nov 2026 10:01:00 GMT"),
                ("date", "Fri, 20 Nov 2026 10:00:00 GMT")
            ]),
            Some(Duration::from_secs(60)),
            "measured from the server's clock"
        );
        assert_eq!(wait(&[("retry-after", "Mon, 23 Nov 2026 09:00:00 GMT")]), Some(Duration::ZERO));
    }

    #[test]
    fn nonsense_and_ages_are_tamed() {
        assert_eq!(wait(&[("retry-after", "soon")]), None);
        assert_eq!(wait(&[("retry-after", "-5")]), None);
        assert_eq!(wait(&[]), None);
        assert_eq!(wait(&[("retry-after", "99999999999")]), Some(LONGEST));
    }
}
