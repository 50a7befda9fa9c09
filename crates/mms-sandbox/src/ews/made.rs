//! Folders that clients make for a while, and what they put there: DavMail learns a time zone's rules that way.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use roxmltree::Node;

use super::answer::{escaped, response, success};
use super::folder::{Folder, Folders};
use super::mime;
use super::operations::{NO_FOLDER, NO_ITEM, Refused, elements, refuse};
use super::property::time;
use super::search::Listed;
use super::shape::{Shape, schema};
use super::{Fault, child};
use crate::state::Shared;

/// Folders that clients may have made in one mailbox at a time, and items in one such folder.
const MOST: usize = 16;
/// Characters of a name or a subject.
const LONGEST: usize = 255;

const FULL: Refused = ("ErrorQuotaExceeded", "The mailbox has exceeded its quota.");

/// What clients made in all mailboxes.
#[derive(Default)]
pub(crate) struct Made {
    mailboxes: Mutex<BTreeMap<usize, Vec<MadeFolder>>>,
}

/// A folder that a client made.
#[derive(Debug, Clone)]
pub(super) struct MadeFolder {
    pub(super) key: String,
    pub(super) shown: String,
    pub(super) class: String,
    pub(super) parent: String,
    items: Vec<MadeItem>,
}

/// An appointment that a client made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct MadeItem {
    id: String,
    pub(super) subject: String,
    pub(super) start: Timestamp,
    pub(super) end: Timestamp,
}

impl Made {
    fn locked(&self) -> MutexGuard<'_, BTreeMap<usize, Vec<MadeFolder>>> {
        self.mailboxes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn folders(&self, user: usize) -> Vec<MadeFolder> {
        self.locked().get(&user).cloned().unwrap_or_default()
    }

    pub(super) fn items(&self, user: usize, folder: &str) -> Vec<MadeItem> {
        let mailboxes = self.locked();
        let found = mailboxes.get(&user).and_then(|folders| folders.iter().find(|one| one.key == folder));
        found.map(|folder| folder.items.clone()).unwrap_or_default()
    }

    /// The item with this id, if it is this user's.
    pub(super) fn item(&self, user: usize, id: &str) -> Option<MadeItem> {
        let mailboxes = self.locked();
        mailboxes.get(&user)?.iter().flat_map(|folder| &folder.items).find(|item| item.id == id).cloned()
    }

    fn add_folder(&self, user: usize, parent: &str, shown: &str, class: &str) -> Result<Folder, Refused> {
        let mut mailboxes = self.locked();
        let folders = mailboxes.entry(user).or_default();
        if folders.len() >= MOST {
            return Err(FULL);
        }
        let key = format!("made-{:016x}", fastrand::u64(..));
        let folder = Folder::made(&key, shown, class, parent);
        let (shown, class, parent) = (shown.to_owned(), class.to_owned(), parent.to_owned());
        folders.push(MadeFolder { key, shown, class, parent, items: Vec::new() });
        Ok(folder)
    }

    /// Takes a folder away with all that stands in it.
    fn remove_folder(&self, user: usize, key: &str) {
        let mut mailboxes = self.locked();
        let Some(folders) = mailboxes.get_mut(&user) else { return };
        let mut gone = vec![key.to_owned()];
        while let Some(key) = gone.pop() {
            folders.retain(|folder| folder.key != key);
            gone.extend(
                folders.iter().filter(|folder| folder.parent == key).map(|folder| folder.key.clone()),
            );
        }
        if folders.is_empty() {
            mailboxes.remove(&user);
        }
    }

    fn add_item(&self, user: usize, folder: &str, mut item: MadeItem) -> Result<MadeItem, Refused> {
        let mut mailboxes = self.locked();
        let folders = mailboxes.get_mut(&user).into_iter().flatten();
        let folder = folders.into_iter().find(|one| one.key == folder).ok_or(NO_FOLDER)?;
        if folder.items.len() >= MOST {
            return Err(FULL);
        }
        item.id = STANDARD.encode(format!("AAMkM:{user}:{:016x}", fastrand::u64(..)));
        folder.items.push(item.clone());
        Ok(item)
    }
}

impl MadeItem {
    pub(super) fn id_element(&self) -> String {
        format!("<t:ItemId Id=\"{}\" ChangeKey=\"DwAAABYAAAA=\"/>", self.id)
    }
}

impl Listed for MadeItem {
    fn xml(&self, shape: &Shape<'_>, full: bool) -> String {
        let has = |field: &str| shape.fields.contains(&field);
        let mut xml = "<t:CalendarItem>".to_owned();
        if full && shape.has_mime {
            xml.push_str(&mime::element(&mime::made(&self.subject, self.start, self.end)));
        }
        xml.push_str(&self.id_element());
        if has("item:Subject") {
            xml.push_str(&format!("<t:Subject>{}</t:Subject>", escaped(&self.subject)));
        }
        for (field, name, at) in [("calendar:Start", "Start", self.start), ("calendar:End", "End", self.end)]
        {
            if has(field) {
                xml.push_str(&format!("<t:{name}>{at}</t:{name}>"));
            }
        }
        xml + "</t:CalendarItem>"
    }
}

/// The text of an element, if it is no longer than names may be.
fn short(node: Node<'_, '_>, name: &str) -> Result<Option<String>, Fault> {
    let text = child(node, name).and_then(|element| element.text()).map(|text| text.trim().to_owned());
    match text {
        Some(text) if text.chars().count() > LONGEST => {
            Err(Fault::new("ErrorInvalidRequest", format!("{name} is longer than the sandbox keeps.")))
        }
        text => Ok(text),
    }
}

pub(super) fn create_folder(shared: &Shared, user: usize, operation: Node<'_, '_>) -> Result<String, Fault> {
    let parent = child(operation, "ParentFolderId").and_then(|parent| parent.first_element_child());
    let parent = parent.ok_or_else(|| schema("the ParentFolderId is missing"))?;
    let mut messages = Vec::new();
    for folder in elements(operation, "Folders") {
        let class = match (short(folder, "FolderClass")?, folder.tag_name().name()) {
            (Some(class), _) if !class.is_empty() => class,
            (_, "CalendarFolder") => "IPF.Appointment".to_owned(),
            (_, "ContactsFolder") => "IPF.Contact".to_owned(),
            (_, "TasksFolder") => "IPF.Task".to_owned(),
            (_, "Folder") => "IPF.Note".to_owned(),
            (_, other) => return Err(schema(&format!("{other} is no folder"))),
        };
        let shown = short(folder, "DisplayName")?.filter(|name| !name.is_empty());
        let shown = shown.ok_or_else(|| schema("a folder has no DisplayName"))?;
        let folders = Folders::of(shared, user);
        let made = folders.named(parent).ok_or(NO_FOLDER).and_then(|parent| {
            if folders.has(parent, &shown) {
                return Err(("ErrorFolderExists", "A folder with the specified name already exists."));
            }
            shared.made.add_folder(user, parent.key(), &shown, &class)
        });
        messages.push(match made {
            Ok(folder) => {
                let (name, id) = (folder.element_name(), folder.id_element(user, "FolderId"));
                success("CreateFolder", &format!("<m:Folders><t:{name}>{id}</t:{name}></m:Folders>"))
            }
            Err(refused) => refuse(shared, "CreateFolder", refused),
        });
    }
    Ok(response("CreateFolder", &messages))
}

pub(super) fn delete_folder(shared: &Shared, user: usize, operation: Node<'_, '_>) -> Result<String, Fault> {
    if operation.attribute("DeleteType") != Some("HardDelete") {
        return Err(Fault::new(
            "ErrorInvalidRequest",
            "The sandbox deletes folders with the DeleteType HardDelete alone.",
        ));
    }
    let messages: Vec<String> = elements(operation, "FolderIds")
        .map(|id| {
            let folders = Folders::of(shared, user);
            let refused = match folders.named(id) {
                None => NO_FOLDER,
                Some(folder) if folder.is_distinguished() => {
                    ("ErrorDeleteDistinguishedFolder", "Distinguished folders cannot be deleted.")
                }
                Some(folder) if folder.is_every_mailboxs() => {
                    ("ErrorInvalidRequest", "The sandbox deletes no folder but those that clients made.")
                }
                Some(folder) => {
                    shared.made.remove_folder(user, folder.key());
                    return success("DeleteFolder", "");
                }
            };
            refuse(shared, "DeleteFolder", refused)
        })
        .collect();
    Ok(response("DeleteFolder", &messages))
}

pub(super) fn create_item(shared: &Shared, user: usize, operation: Node<'_, '_>) -> Result<String, Fault> {
    let saved = child(operation, "SavedItemFolderId").and_then(|folder| folder.first_element_child());
    let folders = Folders::of(shared, user);
    let folder = match saved {
        None => {
            return Err(Fault::new(
                "ErrorInvalidRequest",
                "The sandbox saves no item without a SavedItemFolderId.",
            ));
        }
        Some(saved) => folders.named(saved).ok_or(NO_FOLDER),
    };
    let sends = operation.attribute("SendMeetingInvitations");
    let mut messages = Vec::new();
    for element in elements(operation, "Items") {
        if element.tag_name().name() != "CalendarItem" {
            return Err(Fault::new("ErrorInvalidRequest", "The sandbox makes calendar items alone."));
        }
        let item = appointment(element)?;
        let made = folder.and_then(|folder| match sends {
            None => Err((
                "ErrorSendMeetingInvitationsRequired",
                "SendMeetingInvitations attribute is required for calendar items.",
            )),
            Some(_) if folder.is_every_mailboxs() => Err((
                "ErrorInvalidRequest",
                "The sandbox makes items in folders that clients made, and in no other.",
            )),
            Some(_) => shared.made.add_item(user, folder.key(), item?),
        });
        messages.push(match made {
            Ok(item) => {
                let id = item.id_element();
                success("CreateItem", &format!("<m:Items><t:CalendarItem>{id}</t:CalendarItem></m:Items>"))
            }
            Err(refused) => refuse(shared, "CreateItem", refused),
        });
    }
    Ok(response("CreateItem", &messages))
}

/// What an element says of an appointment to be made, or why it cannot be.
fn appointment(element: Node<'_, '_>) -> Result<Result<MadeItem, Refused>, Fault> {
    const KNOWN: [&str; 5] = ["Subject", "Start", "End", "StartTimeZone", "EndTimeZone"];
    if let Some(other) = element.children().find(|e| e.is_element() && !KNOWN.contains(&e.tag_name().name()))
    {
        let text = format!("The sandbox makes no item with {}.", other.tag_name().name());
        return Err(Fault::new("ErrorInvalidRequest", text));
    }
    let zones = ["StartTimeZone", "EndTimeZone"]
        .map(|name| child(element, name).and_then(|zone| zone.attribute("Id")));
    if zones.into_iter().flatten().any(|zone| zone != mime::ZONE) {
        return Ok(Err(("ErrorTimeZone", "The sandbox knows no time zone but UTC.")));
    }
    let at = |name: &str| child(element, name).and_then(|element| element.text()).and_then(time);
    let (Some(start), Some(end)) = (at("Start"), at("End")) else {
        return Err(schema("Start or End is missing or no time"));
    };
    if end < start {
        return Ok(Err(("ErrorCalendarEndDateIsEarlierThanStartDate", "EndDate is earlier than StartDate")));
    }
    let subject = short(element, "Subject")?.unwrap_or_default();
    Ok(Ok(MadeItem { id: String::new(), subject, start, end }))
}

/// The made item that an element names; none where it names another.
pub(super) fn named(shared: &Shared, user: usize, id: Node<'_, '_>) -> Option<Result<MadeItem, Refused>> {
    let text = id.attribute("Id")?;
    let bytes = STANDARD.decode(text).ok()?;
    bytes.starts_with(b"AAMkM:").then(|| shared.made.item(user, text).ok_or(NO_ITEM))
}
