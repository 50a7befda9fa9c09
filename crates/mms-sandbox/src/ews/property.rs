//! What a request names a property by, and what its value is.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use roxmltree::Node;

use super::shape::{Extended, field_of, schema};
use super::{Fault, child};
use crate::item::Item;
use crate::organisation::Kind;

/// A property as a request names it.
#[derive(Debug)]
pub(super) enum Path<'r> {
    /// A field of the schema.
    Field(&'r str),
    Extended(Extended),
}

/// A property's value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Value {
    Flag(bool),
    Number(i64),
    Time(Timestamp),
    Text(String),
}

impl std::fmt::Display for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Flag(flag) => flag.fmt(f),
            Self::Number(number) => number.fmt(f),
            Self::Time(time) => time.fmt(f),
            Self::Text(text) => text.fmt(f),
        }
    }
}

impl Value {
    pub(super) fn text(text: impl Into<String>) -> Option<Self> {
        Some(Self::Text(text.into()))
    }
}

/// What has properties: items and folders.
pub(super) trait Valued {
    /// The value of a property; none where it has no such property.
    fn value(&self, path: &Path<'_>) -> Option<Value>;
}

impl<'r> Path<'r> {
    /// The property that the first element in `node` names.
    ///
    /// # Errors
    /// It names none, or one by which Exchange neither restricts nor sorts.
    pub(super) fn read(node: Node<'r, '_>) -> Result<Self, Fault> {
        if let Some(uri) = child(node, "FieldURI") {
            let name = field_of(uri)?;
            return if SEARCHED.contains(&name) {
                Ok(Self::Field(name))
            } else {
                Err(Fault::new(
                    "ErrorUnsupportedPathForQuery",
                    "The property can not be used with this type of restriction.",
                ))
            };
        }
        match child(node, "ExtendedFieldURI") {
            Some(uri) => Ok(Self::Extended(Extended::read(uri)?)),
            None => Err(schema(&format!("{} names no property", node.tag_name().name()))),
        }
    }

    /// Whether its values are points in time.
    pub(super) fn is_time(&self) -> bool {
        match self {
            Self::Field(name) => TIMES.contains(name),
            Self::Extended(extended) => extended.uri.contains("PropertyType=\"SystemTime\""),
        }
    }
}

const TIMES: &[&str] = &["calendar:Start", "calendar:End", "item:DateTimeCreated", "item:LastModifiedTime"];

/// The fields by which items and folders can be searched and sorted here. Exchange knows more of them, but not all:
/// those that it works out for the answer, such as `calendar:UID`, are refused there as well.
const SEARCHED: &[&str] = &[
    "item:Subject",
    "item:ItemClass",
    "item:Sensitivity",
    "item:DateTimeCreated",
    "item:LastModifiedTime",
    "calendar:Start",
    "calendar:End",
    "calendar:Location",
    "calendar:IsAllDayEvent",
    "calendar:IsCancelled",
    "calendar:IsRecurring",
    "calendar:MyResponseType",
    "folder:DisplayName",
    "folder:FolderClass",
    "folder:TotalCount",
    "folder:ChildFolderCount",
];

impl Valued for Item<'_> {
    fn value(&self, path: &Path<'_>) -> Option<Value> {
        match path {
            Path::Field(field) => self.searched(field),
            Path::Extended(extended) => self.extended(&extended.key),
        }
    }
}

impl Item<'_> {
    fn searched(&self, field: &str) -> Option<Value> {
        match field {
            "item:Subject" => Value::text(self.subject()),
            "item:ItemClass" => Value::text("IPM.Appointment"),
            "item:Sensitivity" => Value::text(if self.was.confidential { "Confidential" } else { "Normal" }),
            "item:DateTimeCreated" => Some(Value::Time(self.created())),
            "item:LastModifiedTime" => Some(Value::Time(self.modified())),
            "calendar:Start" => Some(Value::Time(self.start())),
            "calendar:End" => Some(Value::Time(self.end())),
            "calendar:Location" => Value::text(self.location()),
            "calendar:IsAllDayEvent" | "calendar:IsCancelled" => Some(Value::Flag(false)),
            "calendar:IsRecurring" => Some(Value::Flag(self.id.occurrence.is_some())),
            "calendar:MyResponseType" => Value::text(self.my_response()),
            _ => None,
        }
    }

    /// The answer of the mailbox's owner.
    pub(super) fn my_response(&self) -> &'static str {
        match self.kind() {
            Kind::Attending => "Accept",
            Kind::Plain => "Unknown",
            _ => "Organizer",
        }
    }

    /// The value of a property by its tag (MS-OXPROPS), or by its set and its name or id.
    pub(super) fn extended(&self, key: &str) -> Option<Value> {
        match key {
            "0x1a" => Value::text("IPM.Appointment"),
            "0x36" => Some(Value::Number(if self.was.confidential { 3 } else { 0 })),
            "0x37" => Value::text(self.subject()),
            // PidTagInternetArticleNumber, by which DavMail sorts.
            "0xe23" => Some(Value::Number(i64::try_from(self.id.event).ok()? + 1)),
            "0x3007" => Some(Value::Time(self.created())),
            "0x3008" => Some(Value::Time(self.modified())),
            // PidLidLocation, PidLidAppointmentStartWhole, PidLidAppointmentEndWhole, PidLidRecurring.
            "Appointment/33288" => Value::text(self.location()),
            "Appointment/33293" => Some(Value::Time(self.start())),
            "Appointment/33294" => Some(Value::Time(self.end())),
            "Appointment/33315" => Some(Value::Flag(self.kind() == Kind::Series)),
            // PidLidGlobalObjectId, PidLidCleanGlobalObjectId.
            "Meeting/3" | "Meeting/35" => Value::text(STANDARD.encode(bytes_of(&self.was.uid))),
            name => Value::text(self.property(name)?),
        }
    }
}

/// The bytes that hexadecimal digits stand for.
fn bytes_of(hexadecimal: &str) -> Vec<u8> {
    let digits: Vec<u8> =
        hexadecimal.chars().filter_map(|c| c.to_digit(16)).filter_map(|d| u8::try_from(d).ok()).collect();
    digits.chunks_exact(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)).collect()
}

/// A point in time as XML Schema writes it; without an offset it is UTC.
pub(super) fn time(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    text.parse().ok().or_else(|| {
        let local = text.parse::<jiff::civil::DateTime>().ok()?;
        Some(local.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_with_and_without_an_offset() {
        for text in ["2030-01-07T08:00:00Z", "2030-01-07T09:00:00+01:00", " 2030-01-07T08:00:00 "] {
            assert_eq!(time(text).map(|t| t.to_string()).as_deref(), Some("2030-01-07T08:00:00Z"));
        }
        assert_eq!(time("soon"), None);
    }

    #[test]
    fn hexadecimal_digits_are_bytes() {
        assert_eq!(bytes_of("0400FF"), [4, 0, 255]);
        assert!(bytes_of("0").is_empty());
    }
}
