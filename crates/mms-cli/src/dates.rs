//! The dates of `-StartTime` and `-EndTime`.
//!
//! ISO 8601 with or without zone, or month/day/year as the original's documents have it, whatever
//! the locale. No zone means UTC. A start that is a bare date means the first instant of the day,
//! an end the last.

use jiff::civil::{Date, DateTime, Time};
use jiff::{Timestamp, tz::TimeZone};

/// Which end of a period a date stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// A bare date means its first instant.
    Start,
    /// A bare date means its last instant.
    End,
}

/// The instant that `text` names as the start or end of a period.
///
/// # Errors
/// A sentence that says what cannot be read, and how to write it.
pub fn parse(text: &str, bound: Bound) -> Result<Timestamp, String> {
    let text = text.trim();
    let (date, time) = if text.contains('/') { us(text)? } else { iso(text)? };
    let at = match time {
        Clock::Instant(at) => return Ok(at),
        Clock::Time(time) => date.to_datetime(time),
        Clock::Bare if bound == Bound::Start => date.to_datetime(Time::midnight()),
        Clock::Bare => date.to_datetime(LAST_OF_DAY),
    };
    in_utc(at, text)
}

/// A start and an end that are both given must be in order.
///
/// # Errors
/// A sentence that names both.
pub fn check_order(start: Option<Timestamp>, end: Option<Timestamp>) -> Result<(), String> {
    match (start, end) {
        (Some(start), Some(end)) if end < start => {
            Err(format!("the end time {end} is before the start time {start}: exchange them"))
        }
        _ => Ok(()),
    }
}

const LAST_OF_DAY: Time = Time::constant(23, 59, 59, 999_999_999);

enum Clock {
    Bare,
    Time(Time),
    Instant(Timestamp),
}

fn iso(text: &str) -> Result<(Date, Clock), String> {
    let unreadable = || {
        format!(
            "\"{text}\" is not a date: write ISO 8601 (2018-10-01, 2018-10-01T15:00:00Z) or month/day/year \
             (10/1/2018, 10/1/2018 3:00 PM)"
        )
    };
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok((Date::ZERO, Clock::Instant(at)));
    }
    let Some((date, time)) = text.split_once(['T', 't', ' ']) else {
        return Ok((text.parse().map_err(|_| unreadable())?, Clock::Bare));
    };
    let date: Date = date.parse().map_err(|_| unreadable())?;
    let time = clock_time(time.trim()).ok_or_else(unreadable)?;
    Ok((date, Clock::Time(time)))
}

fn us(text: &str) -> Result<(Date, Clock), String> {
    let unreadable = || format!("\"{text}\" is not a date: write month/day/year, as in 10/1/2018 3:00 PM");
    let (date, time) = match text.split_once(char::is_whitespace) {
        Some((date, time)) => (date, Some(time.trim())),
        None => (text, None),
    };
    let mut numbers = date.split('/').map(|part| {
        let digits = !part.is_empty() && part.len() <= 4 && part.bytes().all(|b| b.is_ascii_digit());
        if digits { part.parse::<i16>().map_err(|_| unreadable()) } else { Err(unreadable()) }
    });
    let mut next = || numbers.next().unwrap_or_else(|| Err(unreadable()));
    let (month, day, year) = (next()?, next()?, next()?);
    if numbers.next().is_some() {
        return Err(unreadable());
    }
    if year < 1000 {
        return Err(format!(
            "\"{text}\" has a year of fewer than four digits: write it out, as in 10/1/2018"
        ));
    }
    if month > 12 && day <= 12 {
        return Err(format!(
            "\"{text}\" reads day first, but dates are month/day/year here: write {day}/{month}/{year} or \
             {year:04}-{day:02}-{month:02}"
        ));
    }
    let date = i8::try_from(month)
        .ok()
        .zip(i8::try_from(day).ok())
        .and_then(|(month, day)| Date::new(year, month, day).ok())
        .ok_or_else(|| {
            format!("\"{text}\" is no day of the calendar: write month/day/year, as in 10/1/2018")
        })?;
    match time {
        None => Ok((date, Clock::Bare)),
        Some(time) => Ok((date, Clock::Time(clock_time(time).ok_or_else(unreadable)?))),
    }
}

/// `15:00`, `15:00:30`, `15:00:30.5`, `3:00 PM`, `3 pm`.
fn clock_time(text: &str) -> Option<Time> {
    let lower = text.to_ascii_lowercase();
    let (numbers, half) = match lower.strip_suffix("am") {
        Some(rest) => (rest.trim_end(), Some(0)),
        None => match lower.strip_suffix("pm") {
            Some(rest) => (rest.trim_end(), Some(12)),
            None => (lower.as_str(), None),
        },
    };
    let mut parts = numbers.split(':');
    let hour: i8 = number(parts.next()?)?;
    let minute: i8 = match parts.next() {
        Some(minute) => number(minute)?,
        None if half.is_some() => 0,
        None => return None,
    };
    let (second, nanosecond) = match parts.next() {
        None => (0, 0),
        Some(second) => match second.split_once('.') {
            None => (number(second)?, 0),
            Some((second, fraction)) => (number(second)?, nanoseconds(fraction)?),
        },
    };
    if parts.next().is_some() {
        return None;
    }
    let hour = match half {
        None => hour,
        Some(_) if !(1..=12).contains(&hour) => return None,
        Some(half) => hour % 12 + half,
    };
    Time::new(hour, minute, second, nanosecond).ok()
}

fn number(text: &str) -> Option<i8> {
    let digits = (1..=2).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    if digits { text.parse().ok() } else { None }
}

fn nanoseconds(fraction: &str) -> Option<i32> {
    let digits = (1..=9).contains(&fraction.len()) && fraction.bytes().all(|b| b.is_ascii_digit());
    if digits { format!("{fraction:0<9}").parse().ok() } else { None }
}

fn in_utc(at: DateTime, text: &str) -> Result<Timestamp, String> {
    at.to_zoned(TimeZone::UTC)
        .map(|zoned| zoned.timestamp())
        .map_err(|_| format!("\"{text}\" is out of the range of dates"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(text: &str) -> String {
        parse(text, Bound::Start).map_or_else(|e| e, |t| t.to_string())
    }

    #[test]
    fn iso_dates_with_and_without_zone() {
        assert_eq!(start("2018-10-01"), "2018-10-01T00:00:00Z");
        assert_eq!(start("2018-10-01T15:00"), "2018-10-01T15:00:00Z");
        assert_eq!(start("2018-10-01 15:00:01.5"), "2018-10-01T15:00:01.5Z");
        assert_eq!(start("2018-10-01T15:00:00Z"), "2018-10-01T15:00:00Z");
        assert_eq!(start("2018-10-01T15:00:00+02:00"), "2018-10-01T13:00:00Z");
    }

    #[test]
    fn us_dates_are_month_first() {
        assert_eq!(start("10/1/2018"), "2018-10-01T00:00:00Z");
        assert_eq!(start("10/1/2018 3:00 PM"), "2018-10-01T15:00:00Z");
        assert_eq!(start("10/1/2018 12:05 am"), "2018-10-01T00:05:00Z");
        assert_eq!(start("10/1/2018 12pm"), "2018-10-01T12:00:00Z");
        assert_eq!(start("10/1/2018 15:30"), "2018-10-01T15:30:00Z");
    }

    #[test]
    fn a_date_that_only_reads_day_first_is_named_so() {
        assert_eq!(
            start("25/12/2018"),
            "\"25/12/2018\" reads day first, but dates are month/day/year here: write 12/25/2018 or 2018-12-25"
        );
    }

    #[test]
    fn an_end_that_is_a_bare_date_means_the_whole_day() {
        let end = |t: &str| parse(t, Bound::End).unwrap().to_string();
        assert_eq!(end("2018-10-01"), "2018-10-01T23:59:59.999999999Z");
        assert_eq!(end("10/1/2018"), "2018-10-01T23:59:59.999999999Z");
        assert_eq!(end("10/1/2018 3:00 PM"), "2018-10-01T15:00:00Z");
    }

    #[test]
    fn nonsense_is_an_error_that_shows_how() {
        for text in [
            "",
            "yesterday",
            "2018-13-01",
            "10/1/18",
            "2/30/2018",
            "1/2/3/2018",
            "10/1/2018 25:00",
            "+1/1/2018",
            "///",
            "10/1/2018 13:00 PM",
        ] {
            let error = parse(text, Bound::Start).unwrap_err();
            assert!(error.contains(text) && error.contains(':'), "{error}");
        }
    }

    #[test]
    fn order_is_checked() {
        let at = |s: &str| Some(s.parse::<Timestamp>().unwrap());
        assert!(check_order(at("2024-01-01T00:00:00Z"), at("2024-01-01T00:00:00Z")).is_ok());
        assert!(check_order(at("2024-01-02T00:00:00Z"), at("2024-01-01T00:00:00Z")).is_err());
        assert!(check_order(None, at("2024-01-01T00:00:00Z")).is_ok());
    }
}
