//! Durations as people write them: `90min`, `30d`, `1h 30m`.

use std::fmt;
use std::str::FromStr;

use jiff::{Span, SpanRelativeTo};
use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize};

/// A duration of the configuration; a day has 24 hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(into = "String")]
pub struct Duration(std::time::Duration);

impl Duration {
    /// From seconds.
    pub const fn seconds(seconds: u64) -> Self {
        Self(std::time::Duration::from_secs(seconds))
    }

    /// As the standard library has it.
    pub fn get(self) -> std::time::Duration {
        self.0
    }
}

impl FromStr for Duration {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid =
            || format!("\"{text}\" is not a duration: write it as in \"90min\", \"12h\" or \"30d\"");
        let trimmed = text.trim();
        if trimmed == "0" {
            return Ok(Self::seconds(0));
        }
        let span: Span = trimmed.parse().map_err(|_| invalid())?;
        let signed = span.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|_| invalid())?;
        std::time::Duration::try_from(signed).map(Self).map_err(|_| invalid())
    }
}

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Duration;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a duration in quotes, as in \"90min\", \"12h\" or \"30d\"")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Duration, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Text)
    }
}

impl From<Duration> for String {
    fn from(duration: Duration) -> Self {
        duration.to_string()
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        match seconds {
            0 => f.write_str("0s"),
            s if s.is_multiple_of(86_400) => write!(f, "{}d", s / 86_400),
            s if s.is_multiple_of(3_600) => write!(f, "{}h", s / 3_600),
            s if s.is_multiple_of(60) => write!(f, "{}min", s / 60),
            s => write!(f, "{s}s"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_prints() {
        for (text, seconds, printed) in [
            ("90min", 5400, "90min"),
            ("30d", 2_592_000, "30d"),
            ("1h 30m", 5400, "90min"),
            ("0", 0, "0s"),
            ("2h", 7200, "2h"),
        ] {
            let duration: Duration = text.parse().unwrap();
            assert_eq!((duration.get().as_secs(), duration.to_string().as_str()), (seconds, printed));
        }
        for text in ["", "90", "-3h", "soon", "1y"] {
            assert!(text.parse::<Duration>().is_err(), "{text}");
        }
    }
}
