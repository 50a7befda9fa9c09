//! What a request names of items: fields of the schema and named properties.

use roxmltree::Node;

use super::answer::escaped;
use super::{Fault, child};

/// The fields that a request asks for.
#[derive(Debug, Default)]
pub(super) struct Shape<'r> {
    pub(super) fields: Vec<&'r str>,
    pub(super) extended: Vec<Extended>,
    /// Whether the MIME content is asked for.
    pub(super) has_mime: bool,
}

/// A named property as a request names it.
#[derive(Debug, Clone)]
pub(super) struct Extended {
    /// Its name for a string of PublicStrings; else its set and name or id.
    pub(super) key: String,
    /// The element, to be repeated in the answer.
    pub(super) uri: String,
}

impl<'r> Shape<'r> {
    /// # Errors
    /// What Exchange's schema does not know, or what the sandbox does not offer.
    pub(super) fn read(shape: Option<Node<'r, '_>>) -> Result<Self, Fault> {
        let Some(shape) = shape else { return Err(schema("an ItemShape is missing")) };
        let mut read = Self::default();
        match child(shape, "BaseShape").and_then(|base| base.text()) {
            Some("IdOnly") => {}
            Some("Default" | "AllProperties") => read.fields.extend(super::item::ORDER),
            _ => return Err(schema("the BaseShape is missing or none")),
        }
        if child(shape, "BodyType").and_then(|kind| kind.text()) == Some("Text") {
            return Err(Fault::new(
                "ErrorInvalidRequest",
                "The sandbox keeps bodies as HTML and converts none.",
            ));
        }
        read.has_mime = child(shape, "IncludeMimeContent").and_then(|include| include.text()) == Some("true");
        read.add(shape)?;
        read.has_mime |= read.fields.contains(&"item:MimeContent");
        Ok(read)
    }

    /// The shape of a folder.
    ///
    /// # Errors
    /// The same.
    pub(super) fn of_folder(shape: Option<Node<'r, '_>>) -> Result<Self, Fault> {
        let Some(shape) = shape else { return Err(schema("a FolderShape is missing")) };
        let mut read = Self::default();
        match child(shape, "BaseShape").and_then(|base| base.text()) {
            Some("IdOnly") => {}
            Some("Default") => {
                read.fields.extend(["folder:DisplayName", "folder:TotalCount", "folder:ChildFolderCount"]);
            }
            Some("AllProperties") => {
                read.fields.extend(super::folder::ORDER);
                read.fields.push("folder:ParentFolderId");
            }
            _ => return Err(schema("the BaseShape is missing or none")),
        }
        read.add(shape)?;
        Ok(read)
    }

    /// Adds the properties that are asked for beside the base shape.
    fn add(&mut self, shape: Node<'r, '_>) -> Result<(), Fault> {
        let more = child(shape, "AdditionalProperties");
        for field in more.into_iter().flat_map(|more| more.children()).filter(Node::is_element) {
            match field.tag_name().name() {
                "FieldURI" => self.fields.push(field_of(field)?),
                "ExtendedFieldURI" => self.extended.push(Extended::read(field)?),
                "IndexedFieldURI" => {}
                other => return Err(schema(&format!("{other} is no property"))),
            }
        }
        Ok(())
    }
}

impl Extended {
    /// # Errors
    /// It names no property, or one that Exchange refuses.
    pub(super) fn read(uri: Node<'_, '_>) -> Result<Self, Fault> {
        let invalid = || Fault::new("ErrorInvalidExtendedProperty", "The extended property is not valid.");
        let set = uri.attribute("DistinguishedPropertySetId").or(uri.attribute("PropertySetId"));
        let property = uri.attribute("PropertyName").or(uri.attribute("PropertyId"));
        let kind = uri.attribute("PropertyType").ok_or_else(invalid)?;
        if let (None, None, Some(tag)) = (set, property, uri.attribute("PropertyTag")) {
            let tag = number(tag).ok_or_else(invalid)?;
            let attributes = format!("PropertyTag=\"0x{tag:x}\" PropertyType=\"{}\"", escaped(kind));
            return Ok(Self {
                key: format!("0x{tag:x}"),
                uri: format!("<t:ExtendedFieldURI {attributes}/>"),
            });
        }
        let (Some(set), Some(property)) = (set, property) else { return Err(invalid()) };
        let known = SETS.iter().find(|(id, _)| id.eq_ignore_ascii_case(set));
        let set = known.map_or(set, |(_, name)| name);
        let key = if set == "PublicStrings" { property.to_owned() } else { format!("{set}/{property}") };
        let attributes: String =
            uri.attributes().map(|a| format!(" {}=\"{}\"", a.name(), escaped(a.value()))).collect();
        Ok(Self { key, uri: format!("<t:ExtendedFieldURI{attributes}/>") })
    }

    /// Whether it is named by a tag, and thus one of those that every item has.
    pub(super) fn is_tag(&self) -> bool {
        self.uri.starts_with("<t:ExtendedFieldURI PropertyTag=")
    }
}

/// Sets of properties that have a name beside their id.
const SETS: [(&str, &str); 4] = [
    ("00020329-0000-0000-C000-000000000046", "PublicStrings"),
    ("00062002-0000-0000-C000-000000000046", "Appointment"),
    ("00062008-0000-0000-C000-000000000046", "Common"),
    ("6ED8DA90-450B-101B-98DA-00AA003F1305", "Meeting"),
];

/// A tag as requests write it, in decimal or in hexadecimal.
fn number(text: &str) -> Option<u16> {
    let hexadecimal = text.strip_prefix("0x").or(text.strip_prefix("0X"));
    hexadecimal.map_or_else(|| text.parse().ok(), |digits| u16::from_str_radix(digits, 16).ok())
}

/// The field that a `FieldURI` names.
///
/// # Errors
/// The schema knows no such field.
pub(super) fn field_of<'r>(uri: Node<'r, '_>) -> Result<&'r str, Fault> {
    let name = uri.attribute("FieldURI").unwrap_or_default();
    let known = name.split_once(':').is_some_and(|(kind, field)| match kind {
        "item" => ITEM.contains(&field),
        "calendar" => CALENDAR.contains(&field),
        // Fields of other kinds of items and of folders may be asked for; no calendar item has them.
        "contacts" | "distributionlist" | "folder" | "meeting" | "meetingRequest" | "message"
        | "postitem" | "task" => true,
        _ => false,
    });
    if known {
        Ok(name)
    } else {
        Err(schema(&format!("The value '{name}' is invalid according to its datatype")))
    }
}

pub(super) fn schema(what: &str) -> Fault {
    Fault::new("ErrorSchemaValidation", format!("The request failed schema validation: {what}"))
}

/// Fields of items (UnindexedFieldURIType of Exchange's types.xsd).
const ITEM: &[&str] = &[
    "ItemId",
    "ParentFolderId",
    "ItemClass",
    "MimeContent",
    "Attachments",
    "Subject",
    "DateTimeReceived",
    "Size",
    "Categories",
    "HasAttachments",
    "Importance",
    "InReplyTo",
    "InternetMessageHeaders",
    "IsAssociated",
    "IsDraft",
    "IsFromMe",
    "IsResend",
    "IsSubmitted",
    "IsUnmodified",
    "DateTimeSent",
    "DateTimeCreated",
    "Body",
    "ResponseObjects",
    "Sensitivity",
    "ReminderDueBy",
    "ReminderIsSet",
    "ReminderNextTime",
    "ReminderMinutesBeforeStart",
    "DisplayTo",
    "DisplayCc",
    "DisplayBcc",
    "Culture",
    "EffectiveRights",
    "LastModifiedName",
    "LastModifiedTime",
    "ConversationId",
    "UniqueBody",
    "Flag",
    "StoreEntryId",
    "InstanceKey",
    "NormalizedBody",
    "EntityExtractionResult",
    "PolicyTag",
    "ArchiveTag",
    "RetentionDate",
    "Preview",
    "RightsManagementLicenseData",
    "BlockStatus",
    "HasBlockedImages",
    "WebClientReadFormQueryString",
    "WebClientEditFormQueryString",
    "TextBody",
    "IconIndex",
    "MimeContentUTF8",
];

/// Fields of calendar items (the same).
const CALENDAR: &[&str] = &[
    "Start",
    "End",
    "OriginalStart",
    "StartWallClock",
    "EndWallClock",
    "StartTimeZoneId",
    "EndTimeZoneId",
    "IsAllDayEvent",
    "LegacyFreeBusyStatus",
    "Location",
    "EnhancedLocation",
    "When",
    "IsMeeting",
    "IsCancelled",
    "IsRecurring",
    "MeetingRequestWasSent",
    "IsResponseRequested",
    "CalendarItemType",
    "MyResponseType",
    "Organizer",
    "RequiredAttendees",
    "OptionalAttendees",
    "Resources",
    "ConflictingMeetingCount",
    "AdjacentMeetingCount",
    "ConflictingMeetings",
    "AdjacentMeetings",
    "InboxReminders",
    "Duration",
    "TimeZone",
    "AppointmentReplyTime",
    "AppointmentSequenceNumber",
    "AppointmentState",
    "Recurrence",
    "FirstOccurrence",
    "LastOccurrence",
    "ModifiedOccurrences",
    "DeletedOccurrences",
    "MeetingTimeZone",
    "ConferenceType",
    "AllowNewTimeProposal",
    "IsOnlineMeeting",
    "MeetingWorkspaceUrl",
    "NetShowUrl",
    "UID",
    "RecurrenceId",
    "DateTimeStamp",
    "StartTimeZone",
    "EndTimeZone",
    "JoinOnlineMeetingUrl",
    "OnlineMeetingSettings",
    "IsOrganizer",
    "CalendarActivityData",
    "DoNotForwardMeeting",
];
