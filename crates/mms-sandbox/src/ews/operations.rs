//! The operations on folders and calendar items.

use roxmltree::Node;

use super::answer::{error, response, success};
use super::folder::Folder;
use super::item::{change_key, version_of};
use super::shape::{Extended, Shape, field_of, schema};
use super::{Fault, child};
use crate::item::{Id, Item};
use crate::mailbox::{Changed, Recipient, Refusal, Role};
use crate::organisation::Kind;
use crate::state::Shared;

/// Entries of a listing in one answer (`EWSFindCountLimit`).
const LISTED: usize = 1000;

/// What refuses one item: a response code and its text.
type Refused = (&'static str, &'static str);

const NO_FOLDER: Refused = ("ErrorFolderNotFound", "The specified folder could not be found in the store.");
const NO_ITEM: Refused = ("ErrorItemNotFound", "The specified object was not found in the store.");

/// Answers an operation about a user's mailbox with its response element.
pub(super) fn answer(shared: &Shared, user: usize, operation: Node<'_, '_>) -> Result<String, Fault> {
    match operation.tag_name().name() {
        "GetFolder" => get_folder(shared, user, operation),
        "FindFolder" => find_folder(shared, user, operation),
        "FindItem" => find_item(shared, user, operation),
        "GetItem" => get_item(shared, user, operation),
        "UpdateItem" => update_item(shared, user, operation),
        other => Err(schema(&format!("the sandbox offers no {other}"))),
    }
}

fn elements<'r, 'd>(operation: Node<'r, 'd>, name: &str) -> impl Iterator<Item = Node<'r, 'd>> {
    child(operation, name).into_iter().flat_map(|node| node.children()).filter(Node::is_element)
}

fn refuse(shared: &Shared, operation: &str, (code, text): Refused) -> String {
    shared.count_refusal(code);
    error(operation, code, text)
}

fn get_folder(shared: &Shared, user: usize, operation: Node<'_, '_>) -> Result<String, Fault> {
    let messages: Vec<String> = elements(operation, "FolderIds")
        .map(|id| match Folder::named(user, id) {
            Some(folder) => {
                let folder = folder.xml(&shared.organisation, user);
                success("GetFolder", &format!("<m:Folders>{folder}</m:Folders>"))
            }
            None => refuse(shared, "GetFolder", NO_FOLDER),
        })
        .collect();
    Ok(response("GetFolder", &messages))
}

fn find_folder(shared: &Shared, user: usize, operation: Node<'_, '_>) -> Result<String, Fault> {
    let deep = match operation.attribute("Traversal") {
        Some("Deep") => true,
        Some("Shallow") => false,
        _ => return Err(schema("the Traversal is missing or none")),
    };
    let messages: Vec<String> = elements(operation, "ParentFolderIds")
        .map(|id| match Folder::named(user, id) {
            Some(folder) => {
                let all = folder.inside(deep);
                let inside: String =
                    all.iter().map(|folder| folder.xml(&shared.organisation, user)).collect();
                success(
                    "FindFolder",
                    &root_folder(&format!("<t:Folders>{inside}</t:Folders>"), 0, all.len(), all.len()),
                )
            }
            None => refuse(shared, "FindFolder", NO_FOLDER),
        })
        .collect();
    Ok(response("FindFolder", &messages))
}

fn root_folder(inside: &str, offset: usize, count: usize, total: usize) -> String {
    let next = offset + count;
    format!(
        "<m:RootFolder IndexedPagingOffset=\"{next}\" TotalItemsInView=\"{total}\" IncludesLastItemInRange=\"{}\">{inside}\
         </m:RootFolder>",
        next >= total
    )
}

fn find_item(shared: &Shared, user: usize, operation: Node<'_, '_>) -> Result<String, Fault> {
    let shape = Shape::read(child(operation, "ItemShape"))?;
    if let Some(other) = ["CalendarView", "Restriction", "QueryString", "GroupBy", "SortOrder"]
        .iter()
        .find(|name| child(operation, name).is_some())
    {
        return Err(Fault::new("ErrorInvalidRequest", format!("The sandbox offers no {other}.")));
    }
    let view = child(operation, "IndexedPageItemView");
    let number =
        |name: &str| view.and_then(|view| view.attribute(name)).and_then(|value| value.parse::<usize>().ok());
    let (offset, most) =
        (number("Offset").unwrap_or(0), number("MaxEntriesReturned").unwrap_or(LISTED).min(LISTED));
    let organisation = &shared.organisation;
    let messages: Vec<String> = elements(operation, "ParentFolderIds")
        .map(|id| {
            let Some(folder) = Folder::named(user, id) else { return refuse(shared, "FindItem", NO_FOLDER) };
            let all = (0..organisation.mailbox(user).len())
                .filter(|event| folder.holds(organisation.kind(user, *event)))
                .collect::<Vec<_>>();
            let page: Vec<String> = all
                .iter()
                .skip(offset)
                .take(most)
                .filter_map(|event| Item::read(organisation, Id::new(user, *event)))
                .map(|item| item.xml(&shape, false))
                .collect();
            let items = format!("<t:Items>{}</t:Items>", page.concat());
            success("FindItem", &root_folder(&items, offset, page.len(), all.len()))
        })
        .collect();
    Ok(response("FindItem", &messages))
}

fn get_item(shared: &Shared, user: usize, operation: Node<'_, '_>) -> Result<String, Fault> {
    let shape = Shape::read(child(operation, "ItemShape"))?;
    let messages: Vec<String> = elements(operation, "ItemIds")
        .map(|id| match item_named(shared, user, Some(id)) {
            Ok((_, item)) => success("GetItem", &format!("<m:Items>{}</m:Items>", item.xml(&shape, true))),
            Err(refused) => refuse(shared, "GetItem", refused),
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
            changed.properties.insert(Extended::read(uri)?.key, value);
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
