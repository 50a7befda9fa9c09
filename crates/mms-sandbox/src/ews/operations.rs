//! The operations on folders and calendar items.

use roxmltree::Node;

use super::answer::{error, response, success};
use super::item::{change_key, version_of};
use super::search::Listed as _;
use super::shape::{Extended, Shape, field_of, schema};
use super::{Fault, account, child, folder, made, search};
use crate::item::{Id, Item};
use crate::mailbox::{Changed, Recipient, Refusal, Role};
use crate::organisation::Kind;
use crate::state::Shared;

/// What refuses one item: a response code and its text.
pub(super) type Refused = (&'static str, &'static str);

pub(super) const NO_FOLDER: Refused =
    ("ErrorFolderNotFound", "The specified folder could not be found in the store.");
pub(super) const NO_ITEM: Refused = ("ErrorItemNotFound", "The specified object was not found in the store.");

/// Answers an operation about a user's mailbox with its response element.
pub(super) fn answer(shared: &Shared, user: usize, operation: Node<'_, '_>) -> Result<String, Fault> {
    match operation.tag_name().name() {
        "ConvertId" => account::convert_id(shared, user, operation),
        "CreateFolder" => made::create_folder(shared, user, operation),
        "CreateItem" => made::create_item(shared, user, operation),
        "DeleteFolder" => made::delete_folder(shared, user, operation),
        "FindFolder" => folder::find_folder(shared, user, operation),
        "FindItem" => search::find_item(shared, user, operation),
        "GetFolder" => folder::get_folder(shared, user, operation),
        "GetItem" => get_item(shared, user, operation),
        "GetUserConfiguration" => account::user_configuration(shared, user, operation),
        "UpdateItem" => update_item(shared, user, operation),
        other => Err(schema(&format!("the sandbox offers no {other}"))),
    }
}

pub(super) fn elements<'r, 'd>(operation: Node<'r, 'd>, name: &str) -> impl Iterator<Item = Node<'r, 'd>> {
    child(operation, name).into_iter().flat_map(|node| node.children()).filter(Node::is_element)
}

pub(super) fn refuse(shared: &Shared, operation: &str, (code, text): Refused) -> String {
    shared.count_refusal(code);
    error(operation, code, text)
}

pub(super) fn root_folder(inside: &str, offset: usize, count: usize, total: usize) -> String {
    let next = offset + count;
    format!(
        "<m:RootFolder IndexedPagingOffset=\"{next}\" TotalItemsInView=\"{total}\" IncludesLastItemInRange=\"{}\">{inside}\
         </m:RootFolder>",
        next >= total
    )
}

fn get_item(shared: &Shared, user: usize, operation: Node<'_, '_>) -> Result<String, Fault> {
    let shape = Shape::read(child(operation, "ItemShape"))?;
    let messages: Vec<String> = elements(operation, "ItemIds")
        .map(|id| {
            let xml = match made::named(shared, user, id) {
                Some(made) => made.map(|item| item.xml(&shape, true)),
                None => item_named(shared, user, Some(id)).map(|(_, item)| item.xml(&shape, true)),
            };
            match xml {
                Ok(xml) => success("GetItem", &format!("<m:Items>{xml}</m:Items>")),
                Err(refused) => refuse(shared, "GetItem", refused),
            }
        })
        .collect();
    Ok(response("GetItem", &messages))
}

fn item_named<'s>(
    shared: &'s Shared,
    user: usize,
    id: Option<Node<'_, '_>>,
) -> Result<(Id, Item<'s>), Refused> {
    let text = id.and_then(|id| id.attribute("Id")).unwrap_or_default();
    let id = Id::parse(text).ok_or(("ErrorInvalidIdMalformed", "Id is malformed."))?;
    if id.user != user {
        return Err(("ErrorAccessDenied", "Access is denied. Check credentials and try again."));
    }
    Item::read(&shared.organisation, id).map(|item| (id, item)).ok_or(NO_ITEM)
}

/// Whom a write tells.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sends {
    All,
    /// Those alone that were invited or taken out with the same write.
    Changed,
    Nobody,
}

fn update_item(shared: &Shared, user: usize, operation: Node<'_, '_>) -> Result<String, Fault> {
    let sends = match operation.attribute("SendMeetingInvitationsOrCancellations") {
        Some("SendToAllAndSaveCopy" | "SendOnlyToAll") => Some(Sends::All),
        Some("SendOnlyToChanged" | "SendToChangedAndSaveCopy") => Some(Sends::Changed),
        Some("SendToNone") => Some(Sends::Nobody),
        Some(_) => return Err(schema("SendMeetingInvitationsOrCancellations has an unknown value")),
        None => None,
    };
    let careful = match operation.attribute("ConflictResolution") {
        Some("NeverOverwrite") => true,
        Some("AutoResolve" | "AlwaysOverwrite") => false,
        _ => return Err(schema("the ConflictResolution is missing or none")),
    };
    let mut messages = Vec::new();
    for change in elements(operation, "ItemChanges") {
        let fields = changes(change)?;
        let written = sends
            .ok_or((
                "ErrorSendMeetingInvitationsOrCancellationsRequired",
                "SendMeetingInvitationsOrCancellations attribute is required for calendar items.",
            ))
            .and_then(|sends| write(shared, user, child(change, "ItemId"), fields, sends, careful));
        messages.push(match written {
            Ok(id) => success(
                "UpdateItem",
                &format!(
                    "<m:Items><t:CalendarItem>{id}</t:CalendarItem></m:Items><m:ConflictResults><t:Count>0</t:Count>\
                     </m:ConflictResults>"
                ),
            ),
            Err(refused) => refuse(shared, "UpdateItem", refused),
        });
    }
    Ok(response("UpdateItem", &messages))
}

/// What a change sets, or why its item refuses it.
fn changes(change: Node<'_, '_>) -> Result<Result<Changed, Refused>, Fault> {
    let mut changed = Changed::default();
    for field in elements(change, "Updates") {
        let value = match field.tag_name().name() {
            "SetItemField" => child(field, "CalendarItem").or_else(|| child(field, "Item")),
            "DeleteItemField" => None,
            other => return Err(schema(&format!("{other} changes no item"))),
        };
        let text = |name: &str| {
            let element = value.and_then(|value| child(value, name));
            element.map(|element| element.text().unwrap_or_default().to_owned())
        };
        if let Some(uri) = child(field, "ExtendedFieldURI") {
            let property = value.and_then(|value| child(value, "ExtendedProperty"));
            let value = property.and_then(|property| child(property, "Value"));
            let value = value.map(|value| value.text().unwrap_or_default().to_owned());
            let property = Extended::read(uri)?;
            if property.is_tag() {
                return Ok(Err(("ErrorInvalidRequest", "The sandbox changes no properties by their tags.")));
            }
            changed.properties.insert(property.key, value);
            continue;
        }
        let Some(uri) = child(field, "FieldURI") else { return Err(schema("a FieldURI is missing")) };
        match field_of(uri)? {
            "item:Body" => changed.body = Some(text("Body").unwrap_or_default()),
            "item:Subject" => changed.subject = Some(text("Subject").unwrap_or_default()),
            "calendar:Location" => changed.location = Some(text("Location").unwrap_or_default()),
            "calendar:RequiredAttendees" => list(&mut changed, Role::Required, value)?,
            "calendar:OptionalAttendees" => list(&mut changed, Role::Optional, value)?,
            "calendar:Resources" => list(&mut changed, Role::Resource, value)?,
            // Read-only, as most that Exchange works out by itself (the sandbox lets no other be changed either).
            _ => {
                return Ok(Err(("ErrorInvalidPropertySet", "Set action is invalid for property.")));
            }
        }
    }
    Ok(Ok(changed))
}

/// A list of attendees that a change sets or, without a value, empties.
fn list(changed: &mut Changed, role: Role, value: Option<Node<'_, '_>>) -> Result<(), Fault> {
    let attendees = value.and_then(|value| value.first_element_child());
    let mut recipients = Vec::new();
    for attendee in attendees.into_iter().flat_map(|list| list.children()).filter(Node::is_element) {
        let mailbox = child(attendee, "Mailbox").ok_or_else(|| schema("an Attendee has no Mailbox"))?;
        let text =
            |name: &str| child(mailbox, name).and_then(|e| e.text()).unwrap_or_default().trim().to_owned();
        recipients.push(Recipient { name: text("Name"), address: text("EmailAddress") });
    }
    changed.attendees.insert(role, recipients);
    Ok(())
}

/// Mails what a write of `before` has to say: an update or an invitation to those who are on the list, a cancellation to
/// those who are not any more.
fn mail(shared: &Shared, before: &Item<'_>, sends: Sends) {
    let Some(now) = Item::read(&shared.organisation, before.id).filter(|_| sends != Sends::Nobody) else {
        return;
    };
    let (was, is) = (before.attendees(), now.attendees());
    let told = is.iter().filter(|address| sends == Sends::All || !was.contains(address));
    shared.mail(&before.id.text(), told.cloned());
    let gone = was.into_iter().filter(|address| !is.contains(address));
    shared.mail(&format!("{} cancelled", before.id.text()), gone);
}

fn write(
    shared: &Shared,
    user: usize,
    id: Option<Node<'_, '_>>,
    changes: Result<Changed, Refused>,
    sends: Sends,
    careful: bool,
) -> Result<String, Refused> {
    let stated = id.and_then(|id| id.attribute("ChangeKey"));
    let (id, item) = item_named(shared, user, id)?;
    let changes = changes?;
    if id.occurrence.is_some() && !id.is_exception() {
        return Err(("ErrorInvalidRequest", "The sandbox makes no exceptions beside the ones it has."));
    }
    let mailbox = shared.organisation.mailbox(user);
    if fastrand::f64() < shared.faults().answers_meanwhile {
        mailbox.answer(id.event);
    }
    let version = match stated {
        None if careful => {
            return Err((
                "ErrorChangeKeyRequiredForWriteOperations",
                "The change key is required for this operation.",
            ));
        }
        Some(stated) if careful => {
            version_of(stated).ok_or(("ErrorInvalidChangeKey", "The change key is invalid."))?
        }
        _ => mailbox.event(id.event).ok_or(NO_ITEM)?.version,
    };
    let version = mailbox.change(id.event, id.is_exception(), version, |changed| changed.take_over(changes)).map_err(
        |refusal| match refusal {
            Refusal::NotFound => NO_ITEM,
            Refusal::Conflict => (
                "ErrorIrresolvableConflict",
                "The send or update operation could not be performed because the change key passed in the request does \
                 not match the current change key for the item.",
            ),
        },
    )?;
    if item.kind() != Kind::Attending {
        mail(shared, &item, sends);
    }
    Ok(format!("<t:ItemId Id=\"{}\" ChangeKey=\"{}\"/>", id.text(), change_key(version)))
}
