//! What a request names of items: fields of the schema and named properties.

use roxmltree::Node;

use super::answer::escaped;
use super::{Fault, child};

/// The fields that a request asks for.
#[derive(Debug, Default)]
pub(super) struct Shape<'r> {
    pub(super) fields: Vec<&'r str>,
    pub(super) extended: Vec<Extended>,
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
        let more = child(shape, "AdditionalProperties");
        for field in more.into_iter().flat_map(|more| more.children()).filter(Node::is_element) {
            match field.tag_name().name() {
                "FieldURI" => read.fields.push(field_of(field)?),
                "ExtendedFieldURI" => read.extended.push(Extended::read(field)?),
                "IndexedFieldURI" => {}
                other => return Err(schema(&format!("{other} is no property"))),
            }
        }
        Ok(read)
    }
}

impl Extended {
    /// # Errors
    /// It names no property, or one that Exchange refuses.
    pub(super) fn read(uri: Node<'_, '_>) -> Result<Self, Fault> {
        let set = uri.attribute("DistinguishedPropertySetId").or(uri.attribute("PropertySetId"));
        let property = uri.attribute("PropertyName").or(uri.attribute("PropertyId"));
        let (Some(set), Some(property), Some(_)) = (set, property, uri.attribute("PropertyType")) else {
            // Tags of properties below 0x8000 may be asked for; the sandbox has none of them.
            if uri.attribute("PropertyTag").is_some() && uri.attribute("PropertyType").is_some() {
                return Ok(Self { key: String::new(), uri: String::new() });
            }
            return Err(Fault::new("ErrorInvalidExtendedProperty", "The extended property is not valid."));
        };
        let key = if set == "PublicStrings" { property.to_owned() } else { format!("{set}/{property}") };
        let attributes: String =
            uri.attributes().map(|a| format!(" {}=\"{}\"", a.name(), escaped(a.value()))).collect();
        Ok(Self { key, uri: format!("<t:ExtendedFieldURI{attributes}/>") })
    }
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
