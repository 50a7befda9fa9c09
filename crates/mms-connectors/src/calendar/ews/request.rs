//! What is asked of Exchange: SOAP envelopes with the operations FindFolder, GetFolder, FindItem, GetItem and UpdateItem
//! (learn.microsoft.com/exchange/client-developer/web-service-reference).

use std::fmt::Write as _;

use mms_invite::item::{Changes, Invitee, NamedProperty, PropertyKey, PropertyType};
use mms_invite::recognise::BodyFormat;
use mms_model::Attendee;

use super::event::LISTS;
use super::xml::escaped;

/// Entries of a listing in one answer; Exchange gives no more (EWSFindCountLimit, 1000 by default).
pub(super) const LISTED: u32 = 1000;

/// An item, with the version that is to be changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ItemId {
    pub id: String,
    pub change_key: String,
}

/// Who is told of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Send {
    /// Every attendee; *Changed* would tell those alone that were added or taken out.
    ToAll,
    ToNone,
}

/// Puts an operation into an envelope. `mailbox` is whose mailbox it is about, where the account acts for others.
pub(super) fn envelope(version: &str, mailbox: Option<&str>, operation: &str) -> String {
    let impersonation = mailbox.map_or_else(String::new, |address| {
        format!(
            "<t:ExchangeImpersonation><t:ConnectingSID><t:PrimarySmtpAddress>{}</t:PrimarySmtpAddress></t:ConnectingSID>\
             </t:ExchangeImpersonation>",
            escaped(address)
        )
    });
    // An operation may be some megabytes long: it is copied once, and the memory for it is not found by doubling.
    let mut envelope = String::with_capacity(operation.len() + 1024);
    let _ = write!(
        envelope,
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\
         <soap:Envelope xmlns:soap=\"http://schemas.xmlsoap.org/soap/envelope/\" \
         xmlns:t=\"http://schemas.microsoft.com/exchange/services/2006/types\" \
         xmlns:m=\"http://schemas.microsoft.com/exchange/services/2006/messages\">\
         <soap:Header><t:RequestServerVersion Version=\"{}\"/>{impersonation}\
         <t:TimeZoneContext><t:TimeZoneDefinition Id=\"UTC\"/></t:TimeZoneContext></soap:Header>\
         <soap:Body>{operation}</soap:Body></soap:Envelope>",
        escaped(version)
    );
    envelope
}

/// The default calendar and the folder of what was deleted.
pub(super) fn get_folders() -> String {
    "<m:GetFolder><m:FolderShape><t:BaseShape>IdOnly</t:BaseShape></m:FolderShape><m:FolderIds>\
     <t:DistinguishedFolderId Id=\"calendar\"/><t:DistinguishedFolderId Id=\"deleteditems\"/>\
     </m:FolderIds></m:GetFolder>"
        .to_owned()
}

/// Every folder of the mailbox that holds appointments.
pub(super) fn find_calendars(offset: u32) -> String {
    format!(
        "<m:FindFolder Traversal=\"Deep\"><m:FolderShape><t:BaseShape>IdOnly</t:BaseShape><t:AdditionalProperties>\
         <t:FieldURI FieldURI=\"folder:FolderClass\"/><t:FieldURI FieldURI=\"folder:ParentFolderId\"/>\
         </t:AdditionalProperties></m:FolderShape>\
         <m:IndexedPageFolderView MaxEntriesReturned=\"{LISTED}\" Offset=\"{offset}\" BasePoint=\"Beginning\"/>\
         <m:ParentFolderIds><t:DistinguishedFolderId Id=\"msgfolderroot\"/></m:ParentFolderIds></m:FindFolder>"
    )
}

/// The items of a calendar, a thousand at a time: single ones and masters. A search by start would lose every series that
/// began in the past, and a CalendarView shows occurrences instead of masters.
pub(super) fn find_items(folder: &str, offset: u32) -> String {
    let fields = [
        "calendar:CalendarItemType",
        "calendar:Start",
        "calendar:End",
        "calendar:IsAllDayEvent",
        "calendar:IsCancelled",
        "calendar:MyResponseType",
    ];
    format!(
        "<m:FindItem Traversal=\"Shallow\"><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape><t:AdditionalProperties>{}\
         </t:AdditionalProperties></m:ItemShape>\
         <m:IndexedPageItemView MaxEntriesReturned=\"{LISTED}\" Offset=\"{offset}\" BasePoint=\"Beginning\"/>\
         <m:ParentFolderIds><t:FolderId Id=\"{}\"/></m:ParentFolderIds></m:FindItem>",
        fields.map(field).concat(),
        escaped(folder)
    )
}

/// Items with everything that a migration looks at. The body comes as it is kept, text or HTML.
pub(super) fn get_items<'i>(ids: impl Iterator<Item = &'i str>) -> String {
    let fields = [
        "item:Subject",
        "item:Sensitivity",
        "item:Body",
        "calendar:UID",
        "calendar:CalendarItemType",
        "calendar:Start",
        "calendar:End",
        "calendar:IsAllDayEvent",
        "calendar:IsCancelled",
        "calendar:MyResponseType",
        "calendar:Organizer",
        "calendar:RequiredAttendees",
        "calendar:OptionalAttendees",
        "calendar:Resources",
        "calendar:Location",
        "calendar:RecurrenceId",
        "calendar:Recurrence",
        "calendar:LastOccurrence",
        "calendar:ModifiedOccurrences",
        "calendar:JoinOnlineMeetingUrl",
    ];
    let named: String = NamedProperty::ALL.iter().map(|property| extended_field(*property)).collect();
    let mut request = format!(
        "<m:GetItem><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape><t:BodyType>Best</t:BodyType><t:AdditionalProperties>\
         {}{named}</t:AdditionalProperties></m:ItemShape><m:ItemIds>",
        fields.map(field).concat()
    );
    for id in ids {
        let _ = write!(request, "<t:ItemId Id=\"{}\"/>", escaped(id));
    }
    request + "</m:ItemIds></m:GetItem>"
}

/// Changes of items, each under the version that was read. `NeverOverwrite` refuses one that is another by now.
pub(super) fn update_items<'c>(
    send: Send,
    changes: impl Iterator<Item = (&'c ItemId, &'c Changes)>,
) -> String {
    let send = match send {
        Send::ToAll => "SendToAllAndSaveCopy",
        Send::ToNone => "SendToNone",
    };
    let mut request = format!(
        "<m:UpdateItem ConflictResolution=\"NeverOverwrite\" MessageDisposition=\"SaveOnly\" \
         SendMeetingInvitationsOrCancellations=\"{send}\"><m:ItemChanges>"
    );
    for (item, changes) in changes {
        let _ = write!(
            request,
            "<t:ItemChange><t:ItemId Id=\"{}\" ChangeKey=\"{}\"/><t:Updates>",
            escaped(&item.id),
            escaped(&item.change_key)
        );
        write_fields(&mut request, changes);
        request += "</t:Updates></t:ItemChange>";
    }
    request + "</m:ItemChanges></m:UpdateItem>"
}

/// One SetItemField or DeleteItemField for each field that changes, and for no other.
fn write_fields(request: &mut String, changes: &Changes) {
    if let Some(body) = &changes.body {
        let kind = match body.format {
            BodyFormat::Html => "HTML",
            BodyFormat::Text => "Text",
        };
        let body = format_args!("<t:Body BodyType=\"{kind}\">{}</t:Body>", escaped(&body.content));
        set(request, &field("item:Body"), body);
    }
    match changes.location.as_deref() {
        Some("") => delete(request, &field("calendar:Location")),
        Some(location) => {
            let location = format_args!("<t:Location>{}</t:Location>", escaped(location));
            set(request, &field("calendar:Location"), location);
        }
        None => {}
    }
    for (role, list) in LISTS {
        let invitees = || changes.attendees.iter().flatten().filter(|invitee| invitee.role == role);
        let attendees: String = invitees().filter(|_| !invitees().any(|i| i.fixed)).map(attendee).collect();
        if !attendees.is_empty() {
            let list_of = format_args!("<t:{list}>{attendees}</t:{list}>");
            set(request, &field(&format!("calendar:{list}")), list_of);
        }
    }
    for (property, value) in &changes.set {
        let uri = extended_field(*property);
        let value = format_args!(
            "<t:ExtendedProperty>{uri}<t:Value>{}</t:Value></t:ExtendedProperty>",
            escaped(value)
        );
        set(request, &uri, value);
    }
    for property in &changes.delete {
        delete(request, &extended_field(*property));
    }
}

fn set(request: &mut String, uri: &str, value: std::fmt::Arguments<'_>) {
    let _ = write!(request, "<t:SetItemField>{uri}<t:CalendarItem>{value}</t:CalendarItem></t:SetItemField>");
}

fn delete(request: &mut String, uri: &str) {
    let _ = write!(request, "<t:DeleteItemField>{uri}</t:DeleteItemField>");
}

/// An attendee of a list. The answer is not for a client to set: Exchange keeps that of an address that it knows.
fn attendee(invitee: &Invitee) -> String {
    let Attendee { address, name, .. } = &invitee.attendee;
    let name = name.as_deref().map(|name| format!("<t:Name>{}</t:Name>", escaped(name))).unwrap_or_default();
    format!(
        "<t:Attendee><t:Mailbox>{name}<t:EmailAddress>{}</t:EmailAddress><t:RoutingType>{}</t:RoutingType></t:Mailbox>\
         </t:Attendee>",
        escaped(address.as_str()),
        escaped(invitee.routing.as_deref().unwrap_or("SMTP"))
    )
}

fn field(name: &str) -> String {
    format!("<t:FieldURI FieldURI=\"{name}\"/>")
}

/// A named property, by set and name or id: Exchange refuses tags beyond 0x8000.
fn extended_field(property: NamedProperty) -> String {
    let key = match property.key() {
        PropertyKey::Name(name) => format!("PropertyName=\"{name}\""),
        PropertyKey::Id(id) => format!("PropertyId=\"{id}\""),
    };
    let kind = match property.kind() {
        PropertyType::String => "String",
        PropertyType::Boolean => "Boolean",
    };
    format!(
        "<t:ExtendedFieldURI DistinguishedPropertySetId=\"{}\" {key} PropertyType=\"{kind}\"/>",
        property.set().distinguished()
    )
}

#[cfg(test)]
mod tests {
    use mms_invite::item::{Body, Role};
    use mms_model::{Address, InstanceId, Participation};

    use super::super::xml::Element;
    use super::*;

    fn changes() -> Changes {
        Changes {
            instance: InstanceId::Master,
            body: Some(Body { format: BodyFormat::Html, content: "<p>a & b</p>".to_owned() }),
            location: Some(String::new()),
            locations: None,
            attendees: None,
            set: vec![(NamedProperty::SkypeTeamsMeetingUrl, "https://x/?a=1&b=2".to_owned())],
            delete: vec![NamedProperty::NetShowUrl],
            changes_online_meeting: false,
        }
    }

    #[test]
    fn attendees_are_written_by_role_and_as_they_were_routed() {
        let invitee = |address: &str, role, routing: Option<&str>| Invitee {
            attendee: Attendee {
                address: Address::new(address),
                name: Some("A & B".to_owned()),
                participation: Participation::Accepted,
            },
            role,
            routing: routing.map(str::to_owned),
            fixed: role == Role::Optional,
        };
        let attendees = vec![
            invitee("a@x.test", Role::Required, None),
            invitee("/o=x/cn=gone", Role::Required, Some("EX")),
            invitee("room@x.test", Role::Resource, None),
            invitee("stays@x.test", Role::Optional, None),
        ];
        let mut request = String::new();
        write_fields(&mut request, &Changes { attendees: Some(attendees), ..changes() });
        let xml = format!("<r xmlns:t=\"t\">{request}</r>");
        let root = Element::parse(xml.as_bytes()).unwrap();
        let required = root.find("RequiredAttendees").unwrap();
        let mailboxes: Vec<_> = required.all("Attendee").filter_map(|a| a.child("Mailbox")).collect();
        assert_eq!(mailboxes[0].text_of("Name"), Some("A & B"));
        assert_eq!(
            (mailboxes[0].text_of("EmailAddress"), mailboxes[0].text_of("RoutingType")),
            (Some("a@x.test"), Some("SMTP"))
        );
        assert_eq!(mailboxes[1].text_of("RoutingType"), Some("EX"));
        assert_eq!(root.find("Resources").unwrap().all("Attendee").count(), 1);
        assert!(root.find("OptionalAttendees").is_none(), "{request}");
        assert!(request.contains("<t:FieldURI FieldURI=\"calendar:Resources\"/>"), "{request}");
    }

    #[test]
    fn a_change_names_its_fields_and_no_other() {
        let id = ItemId { id: "A+/=\"".to_owned(), change_key: "K".to_owned() };
        let changes = changes();
        let request = update_items(Send::ToAll, std::iter::once((&id, &changes)));
        let xml = envelope("Exchange2013_SP1", Some("a&b@x.test"), &request);
        let root = Element::parse(xml.as_bytes()).unwrap();
        let sid = root.find("ConnectingSID").unwrap();
        assert_eq!(sid.text_of("PrimarySmtpAddress"), Some("a&b@x.test"));
        let update = root.find("UpdateItem").unwrap();
        assert_eq!(update.attribute("ConflictResolution"), Some("NeverOverwrite"));
        assert_eq!(update.attribute("SendMeetingInvitationsOrCancellations"), Some("SendToAllAndSaveCopy"));
        let change = update.find("ItemChange").unwrap();
        assert_eq!(change.child("ItemId").unwrap().attribute("Id"), Some("A+/=\""));
        let names: Vec<_> = change.child("Updates").unwrap().children.iter().map(|c| &*c.name).collect();
        assert_eq!(names, ["SetItemField", "DeleteItemField", "SetItemField", "DeleteItemField"]);
        assert_eq!(change.find("Body").unwrap().text, "<p>a & b</p>");
        assert_eq!(change.find("Value").unwrap().text, "https://x/?a=1&b=2");
        let last = &change.child("Updates").unwrap().children[3].children[0];
        assert_eq!(last.attribute("PropertyId"), Some("33352"), "0x8248, in decimal");
    }

    #[test]
    fn without_impersonation_there_is_no_header_for_it() {
        let root = Element::parse(envelope("Exchange2016", None, &get_folders()).as_bytes()).unwrap();
        assert!(root.find("ExchangeImpersonation").is_none());
        assert_eq!(root.find("RequestServerVersion").unwrap().attribute("Version"), Some("Exchange2016"));
    }

    #[test]
    fn every_named_property_is_asked_for() {
        let root = Element::parse(envelope("v", None, &get_items(["1"].into_iter())).as_bytes()).unwrap();
        let asked = root.find("AdditionalProperties").unwrap().all("ExtendedFieldURI").count();
        assert_eq!(asked, NamedProperty::ALL.len());
    }
}
