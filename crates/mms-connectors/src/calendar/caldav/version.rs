use mms_model::Version;
use serde::{Deserialize, Serialize};

/// What a conditional write refers to.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Tags {
    /// `ETag`, with its quotes and its `W/`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    /// `Schedule-Tag` (RFC 6638 section 3.2.10), with its quotes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule_tag: Option<String>,
}

/// A condition of a write.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Condition {
    /// `If-Match`.
    ETag(String),
    /// `If-Schedule-Tag-Match`.
    ScheduleTag(String),
}

impl Tags {
    /// Reads a version that [`Tags::version`] made; anything else has no tags.
    pub fn of(version: &Version) -> Self {
        serde_json::from_str(&version.0).unwrap_or_default()
    }

    /// The version to hand out.
    pub fn version(&self) -> Version {
        Version(serde_json::to_string(self).unwrap_or_default())
    }

    /// The condition under which a write loses nobody's edit.
    ///
    /// The ETag comes first, though RFC 6638 section 3.2.10 recommends the Schedule-Tag: a
    /// Schedule-Tag stays as it is not only when an answer comes in, but on some servers also when
    /// the organizer edits what the server does not count as scheduling. Xandikos leaves it unchanged
    /// when `X-ALT-DESC`, an alarm or an attachment is edited: a write that only it guards would
    /// overwrite that edit. The price is a conflict, read and planned again, when an answer comes
    /// in between. A Schedule-Tag is used where the ETag is weak, which `If-Match` never matches
    /// (RFC 9110 section 13.1.1).
    pub fn condition(&self) -> Option<Condition> {
        match (&self.etag, &self.schedule_tag) {
            (Some(etag), _) if !etag.starts_with("W/") => Some(Condition::ETag(etag.clone())),
            (_, Some(tag)) => Some(Condition::ScheduleTag(tag.clone())),
            // Proxies that compress make a server's strong tag weak on the way; the strong form is the
            // server's own.
            (Some(weak), None) => Some(Condition::ETag(weak.trim_start_matches("W/").to_owned())),
            (None, None) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(etag: Option<&str>, schedule_tag: Option<&str>) -> Tags {
        Tags { etag: etag.map(str::to_owned), schedule_tag: schedule_tag.map(str::to_owned) }
    }

    #[test]
    fn versions_go_there_and_back() {
        for tags in [tags(Some("\"a\\\"b\""), Some("\"s\"")), tags(None, None), tags(Some("W/\"x\""), None)] {
            assert_eq!(Tags::of(&tags.version()), tags);
        }
        assert_eq!(Tags::of(&Version("not ours".into())), Tags::default());
    }

    #[test]
    fn the_strongest_condition_is_taken() {
        let condition = |e, s| tags(e, s).condition();
        assert_eq!(condition(Some("\"e\""), Some("\"s\"")), Some(Condition::ETag("\"e\"".into())));
        assert_eq!(condition(Some("W/\"e\""), Some("\"s\"")), Some(Condition::ScheduleTag("\"s\"".into())));
        assert_eq!(condition(Some("W/\"e\""), None), Some(Condition::ETag("\"e\"".into())));
        assert_eq!(condition(None, Some("\"s\"")), Some(Condition::ScheduleTag("\"s\"".into())));
        assert_eq!(condition(None, None), None);
    }
}
