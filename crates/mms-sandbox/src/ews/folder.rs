//! The folders of a mailbox.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use roxmltree::Node;

use super::answer::{escaped, response, success};
use super::operations::{NO_FOLDER, elements, refuse, root_folder};
use super::property::{Path, Value, Valued};
use super::restriction::Restriction;
use super::search::Page;
use super::shape::{Extended, Shape, schema};
use super::{Fault, child};
use crate::item::modified;
use crate::organisation::Kind;
use crate::state::Shared;

/// A folder that every mailbox has, or that a client made.
#[derive(Debug, Clone)]
pub(super) struct Folder {
    /// The name by which requests ask for it without its id.
    distinguished: Option<&'static str>,
    key: Cow<'static, str>,
    shown: Cow<'static, str>,
    class: Cow<'static, str>,
    parent: Cow<'static, str>,
}

const fn folder(
    distinguished: Option<&'static str>,
    key: &'static str,
    shown: &'static str,
    class: &'static str,
    parent: &'static str,
) -> Folder {
    Folder {
        distinguished,
        key: Cow::Borrowed(key),
        shown: Cow::Borrowed(shown),
        class: Cow::Borrowed(class),
        parent: Cow::Borrowed(parent),
    }
}

/// Those of every mailbox, among them a second calendar, and one that was deleted.
const FOLDERS: &[Folder] = &[
    folder(Some("root"), "root", "", "", "root"),
    folder(Some("msgfolderroot"), "top", "Top of Information Store", "IPF.Note", "root"),
    folder(Some("inbox"), "inbox", "Inbox", "IPF.Note", "top"),
    folder(Some("drafts"), "drafts", "Drafts", "IPF.Note", "top"),
    folder(Some("sentitems"), "sent", "Sent Items", "IPF.Note", "top"),
    folder(Some("outbox"), "outbox", "Outbox", "IPF.Note", "top"),
    folder(Some("junkemail"), "junk", "Junk Email", "IPF.Note", "top"),
    folder(Some("contacts"), "contacts", "Contacts", "IPF.Contact", "top"),
    folder(Some("tasks"), "tasks", "Tasks", "IPF.Task", "top"),
    folder(Some("calendar"), "calendar", "Calendar", CALENDAR, "top"),
    folder(None, "second", "Projects", CALENDAR, "calendar"),
    folder(Some("deleteditems"), "deleted", "Deleted Items", "IPF.Note", "top"),
    folder(None, "dropped", "Old calendar", CALENDAR, "deleted"),
];

const CALENDAR: &str = "IPF.Appointment";

impl Folder {
    /// One that a client made.
    pub(super) fn made(key: &str, shown: &str, class: &str, parent: &str) -> Self {
        let own = |text: &str| Cow::Owned(text.to_owned());
        Self { distinguished: None, key: own(key), shown: own(shown), class: own(class), parent: own(parent) }
    }

    /// What it is called inside the sandbox.
    pub(super) fn key(&self) -> &str {
        &self.key
    }

    /// Whether every mailbox has it.
    pub(super) fn is_every_mailboxs(&self) -> bool {
        FOLDERS.iter().any(|folder| folder.key == self.key)
    }

    pub(super) fn is_distinguished(&self) -> bool {
        self.distinguished.is_some()
    }

    pub(super) fn is_calendar(&self) -> bool {
        self.class == CALENDAR
    }

    /// Whether events of this kind are kept in it.
    pub(super) fn holds(&self, kind: Kind) -> bool {
        match self.key() {
            "calendar" => kind != Kind::SecondCalendar,
            "second" => kind == Kind::SecondCalendar,
            _ => false,
        }
    }

    /// The element that names it.
    pub(super) fn id_element(&self, user: usize, name: &str) -> String {
        format!("<t:{name} Id=\"{}\" ChangeKey=\"AQAAABYAAAA=\"/>", id(user, &self.key))
    }

    /// The element that it is shown as.
    pub(super) fn element_name(&self) -> &'static str {
        match self.class.as_ref() {
            CALENDAR => "CalendarFolder",
            "IPF.Contact" => "ContactsFolder",
            "IPF.Task" => "TasksFolder",
            _ => "Folder",
        }
    }
}

fn id(user: usize, key: &str) -> String {
    STANDARD.encode(format!("AAMkF:{user}:{key}"))
}

/// The folders of one mailbox.
pub(super) struct Folders<'s> {
    shared: &'s Shared,
    user: usize,
    all: Vec<Folder>,
}

impl<'s> Folders<'s> {
    pub(super) fn of(shared: &'s Shared, user: usize) -> Self {
        let made = shared.made.folders(user);
        let made = made.iter().map(|made| Folder::made(&made.key, &made.shown, &made.class, &made.parent));
        Self { shared, user, all: FOLDERS.iter().cloned().chain(made).collect() }
    }

    /// The folder that an element names, by id or by distinguished name.
    pub(super) fn named(&self, element: Node<'_, '_>) -> Option<&Folder> {
        let named = element.attribute("Id")?;
        match element.tag_name().name() {
            "DistinguishedFolderId" => {
                let mailbox = child(element, "Mailbox").and_then(|mailbox| child(mailbox, "EmailAddress"));
                let address = mailbox.and_then(|address| address.text());
                // Nobody gave anybody else a right to a folder.
                if address
                    .is_some_and(|address| self.shared.organisation.find(address.trim()) != Some(self.user))
                {
                    return None;
                }
                self.all.iter().find(|folder| folder.distinguished == Some(named))
            }
            "FolderId" => self.by_id(named),
            _ => None,
        }
    }

    /// The folder with this id.
    pub(super) fn by_id(&self, named: &str) -> Option<&Folder> {
        self.all.iter().find(|folder| id(self.user, &folder.key) == named)
    }

    /// Whether there is a folder of this name in `parent`.
    pub(super) fn has(&self, parent: &Folder, shown: &str) -> bool {
        let shown = shown.to_lowercase();
        self.inside(parent, false).iter().any(|folder| folder.shown.to_lowercase() == shown)
    }

    /// The folders in this one, at every depth where `deep`.
    pub(super) fn inside(&self, folder: &Folder, deep: bool) -> Vec<&Folder> {
        let mut found = Vec::new();
        for child in self.all.iter().filter(|child| child.parent == folder.key && child.key != "root") {
            found.push(child);
            if deep {
                found.extend(self.inside(child, true));
            }
        }
        found
    }

    /// What a request asks of a folder by name or tag.
    fn shown<'f>(&'f self, folder: &'f Folder) -> Shown<'f> {
        Shown { folders: self, folder }
    }
}

/// A folder with its place among the others.
struct Shown<'f> {
    folders: &'f Folders<'f>,
    folder: &'f Folder,
}

impl Shown<'_> {
    fn items(&self) -> usize {
        let (organisation, user) = (&self.folders.shared.organisation, self.folders.user);
        let kept = (0..organisation.mailbox(user).len())
            .filter(|event| self.folder.holds(organisation.kind(user, *event)))
            .count();
        kept + self.folders.shared.made.items(user, &self.folder.key).len()
    }

    fn children(&self) -> usize {
        self.folders.inside(self.folder, false).len()
    }

    /// Changes with each change of an item in any folder of the mailbox.
    fn changed(&self) -> Value {
        let mailbox = self.folders.shared.organisation.mailbox(self.folders.user);
        Value::Time(modified(mailbox.len(), mailbox.changes()))
    }

    fn xml(&self, shape: &Shape<'_>) -> String {
        let (name, user) = (self.folder.element_name(), self.folders.user);
        let mut xml = format!("<t:{name}>{}", self.folder.id_element(user, "FolderId"));
        let has = |field: &str| shape.fields.contains(&field);
        if has("folder:ParentFolderId") {
            let parent = self.folders.all.iter().find(|folder| folder.key == self.folder.parent);
            xml.push_str(
                &parent.map_or_else(String::new, |parent| parent.id_element(user, "ParentFolderId")),
            );
        }
        for field in ORDER.iter().filter(|field| has(field)) {
            if let (Some(value), Some((_, name))) = (self.value(&Path::Field(field)), field.split_once(':')) {
                xml.push_str(&format!("<t:{name}>{}</t:{name}>", escaped(&value.to_string())));
            }
        }
        for Extended { key, uri } in &shape.extended {
            if let Some(value) = self.extended(key) {
                let value = escaped(&value.to_string());
                xml.push_str(&format!(
                    "<t:ExtendedProperty>{uri}<t:Value>{value}</t:Value></t:ExtendedProperty>"
                ));
            }
        }
        format!("{xml}</t:{name}>")
    }

    /// The value of a property by its tag (MS-OXPROPS).
    fn extended(&self, key: &str) -> Option<Value> {
        let count = |count: usize| i64::try_from(count).ok().map(Value::Number);
        match key {
            "0x3001" => Value::text(self.folder.shown.as_ref()),
            "0x3602" => count(self.items()),
            "0x3603" => count(0),
            "0x360a" => Some(Value::Flag(self.children() > 0)),
            "0x3613" if !self.folder.class.is_empty() => Value::text(self.folder.class.as_ref()),
            "0x3008" | "0x670a" => Some(self.changed()),
            _ => None,
        }
    }
}

impl Valued for Shown<'_> {
    fn value(&self, path: &Path<'_>) -> Option<Value> {
        let count = |count: usize| i64::try_from(count).ok().map(Value::Number);
        match path {
            Path::Field("folder:FolderClass") if self.folder.class.is_empty() => None,
            Path::Field("folder:FolderClass") => Value::text(self.folder.class.as_ref()),
            Path::Field("folder:DisplayName") => Value::text(self.folder.shown.as_ref()),
            Path::Field("folder:TotalCount") => count(self.items()),
            Path::Field("folder:ChildFolderCount") => count(self.children()),
            Path::Field(_) => None,
            Path::Extended(extended) => self.extended(&extended.key),
        }
    }
}

/// The fields of a folder in the order of the schema.
pub(super) const ORDER: &[&str] =
    &["folder:FolderClass", "folder:DisplayName", "folder:TotalCount", "folder:ChildFolderCount"];

pub(super) fn get_folder(shared: &Shared, user: usize, operation: Node<'_, '_>) -> Result<String, Fault> {
    let shape = Shape::of_folder(child(operation, "FolderShape"))?;
    let folders = Folders::of(shared, user);
    let messages: Vec<String> = elements(operation, "FolderIds")
        .map(|id| match folders.named(id) {
            Some(folder) => {
                let folder = folders.shown(folder).xml(&shape);
                success("GetFolder", &format!("<m:Folders>{folder}</m:Folders>"))
            }
            None => refuse(shared, "GetFolder", NO_FOLDER),
        })
        .collect();
    Ok(response("GetFolder", &messages))
}

pub(super) fn find_folder(shared: &Shared, user: usize, operation: Node<'_, '_>) -> Result<String, Fault> {
    let deep = match operation.attribute("Traversal") {
        Some("Deep") => true,
        Some("Shallow") => false,
        _ => return Err(schema("the Traversal is missing or none")),
    };
    let shape = Shape::of_folder(child(operation, "FolderShape"))?;
    let restriction = Restriction::of(operation)?;
    let page = Page::of(child(operation, "IndexedPageFolderView"))?;
    let folders = Folders::of(shared, user);
    let messages: Vec<String> = elements(operation, "ParentFolderIds")
        .map(|id| {
            let Some(folder) = folders.named(id) else { return refuse(shared, "FindFolder", NO_FOLDER) };
            let mut all: Vec<Shown<'_>> =
                folders.inside(folder, deep).into_iter().map(|inside| folders.shown(inside)).collect();
            all.retain(|folder| restriction.as_ref().is_none_or(|restriction| restriction.holds(folder)));
            let shown: Vec<String> =
                all.iter().skip(page.offset).take(page.most).map(|folder| folder.xml(&shape)).collect();
            let inside = format!("<t:Folders>{}</t:Folders>", shown.concat());
            success("FindFolder", &root_folder(&inside, page.offset, shown.len(), all.len()))
        })
        .collect();
    Ok(response("FindFolder", &messages))
}
