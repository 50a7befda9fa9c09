//! The folders of a mailbox.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::answer::escaped;
use crate::organisation::{Kind, Organisation};

/// A folder that every mailbox has.
pub(super) struct Folder {
    /// The name by which requests ask for it without its id.
    distinguished: Option<&'static str>,
    key: &'static str,
    shown: &'static str,
    class: &'static str,
    parent: &'static str,
}

const fn folder(
    distinguished: Option<&'static str>,
    key: &'static str,
    shown: &'static str,
    class: &'static str,
    parent: &'static str,
) -> Folder {
    Folder { distinguished, key, shown, class, parent }
}

/// A second calendar, and one that was deleted.
const FOLDERS: &[Folder] = &[
    folder(Some("root"), "root", "", "", "root"),
    folder(Some("msgfolderroot"), "top", "Top of Information Store", "IPF.Note", "root"),
    folder(Some("inbox"), "inbox", "Inbox", "IPF.Note", "top"),
    folder(Some("sentitems"), "sent", "Sent Items", "IPF.Note", "top"),
    folder(Some("calendar"), "calendar", "Calendar", "IPF.Appointment", "top"),
    folder(None, "second", "Projects", "IPF.Appointment", "calendar"),
    folder(Some("deleteditems"), "deleted", "Deleted Items", "IPF.Note", "top"),
    folder(None, "dropped", "Old calendar", "IPF.Appointment", "deleted"),
];

impl Folder {
    /// The folder that an element names, by id or by distinguished name.
    pub(super) fn named(user: usize, element: roxmltree::Node<'_, '_>) -> Option<&'static Self> {
        let id = element.attribute("Id")?;
        match element.tag_name().name() {
            "DistinguishedFolderId" => FOLDERS.iter().find(|folder| folder.distinguished == Some(id)),
            "FolderId" => FOLDERS.iter().find(|folder| folder.id(user) == id),
            _ => None,
        }
    }

    /// The folders in this one, at every depth where `deep`.
    pub(super) fn inside(&self, deep: bool) -> Vec<&'static Self> {
        let mut all = Vec::new();
        for child in FOLDERS.iter().filter(|folder| folder.parent == self.key && folder.key != "root") {
            all.push(child);
            if deep {
                all.extend(child.inside(true));
            }
        }
        all
    }

    /// Whether events of this kind are kept in it.
    pub(super) fn holds(&self, kind: Kind) -> bool {
        match self.key {
            "calendar" => kind != Kind::SecondCalendar,
            "second" => kind == Kind::SecondCalendar,
            _ => false,
        }
    }

    fn id(&self, user: usize) -> String {
        STANDARD.encode(format!("AAMkF:{user}:{}", self.key))
    }

    pub(super) fn xml(&self, organisation: &Organisation, user: usize) -> String {
        let element = if self.class == "IPF.Appointment" { "CalendarFolder" } else { "Folder" };
        let parent =
            FOLDERS.iter().find(|folder| folder.key == self.parent).map_or_else(String::new, |p| p.id(user));
        let items = (0..organisation.mailbox(user).len())
            .filter(|event| self.holds(organisation.kind(user, *event)))
            .count();
        let class = if self.class.is_empty() {
            String::new()
        } else {
            format!("<t:FolderClass>{}</t:FolderClass>", self.class)
        };
        format!(
            "<t:{element}><t:FolderId Id=\"{}\" ChangeKey=\"AQAAABYAAAA=\"/><t:ParentFolderId Id=\"{parent}\" \
             ChangeKey=\"AQAAABYAAAA=\"/>{class}<t:DisplayName>{}</t:DisplayName><t:TotalCount>{items}</t:TotalCount>\
             <t:ChildFolderCount>{}</t:ChildFolderCount></t:{element}>",
            self.id(user),
            escaped(self.shown),
            self.inside(false).len()
        )
    }
}
