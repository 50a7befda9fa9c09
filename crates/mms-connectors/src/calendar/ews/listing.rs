//! The listing of a mailbox: its calendar folders, and their items.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use mms_model::{Code, ErrorKind, PortError};

use super::client::Kind as Request;
use super::event::Listed;
use super::failure::EwsError;
use super::request::{self, LISTED};
use super::user_calendar::EwsUserCalendar;
use super::xml::Element;

/// The most pages of one listing, against a server that never comes to the last one.
const MOST_PAGES: u32 = 10_000;

impl EwsUserCalendar {
    /// The items that may be meetings to come, and how many have ended.
    pub(super) async fn items(&self, from: Timestamp) -> Result<(Vec<String>, u64), PortError> {
        let (mut ids, mut all_ended) = (Vec::new(), 0);
        for folder in self.folders().await? {
            let mut ended = 0;
            let listed = self.each(
                "FindItem",
                |offset| request::find_items(&folder, offset),
                |item| {
                    let Some(event) = Listed::read(item, from) else { return };
                    if event.is_foreign || event.is_cancelled {
                        return;
                    }
                    if event.has_ended {
                        ended += 1;
                    } else {
                        ids.push(event.id);
                    }
                },
            );
            match listed.await {
                // A calendar that was deleted since holds no meetings.
                Err(error) if error.kind == ErrorKind::Gone => {}
                listed => listed?,
            }
            all_ended += ended;
        }
        // A page may repeat what moved while the listing went on. There may be very many: no set of them.
        ids.sort_unstable();
        ids.dedup();
        Ok((ids, all_ended))
    }

    /// The calendar folders of the mailbox: the default one, and every other that is not deleted.
    pub(super) async fn folders(&self) -> Result<Vec<String>, PortError> {
        let messages = self.client.call(&self.mailbox, Request::Read, &request::get_folders()).await;
        let mut messages = messages.map_err(|e| self.failure(e, "opening the calendar"))?.into_iter();
        let default = match messages.next() {
            Some(Ok(message)) => folder_id(&message),
            Some(Err(error)) => return Err(self.failure(error, "opening the calendar")),
            None => None,
        };
        let default = default.ok_or_else(|| {
            let what = format!("the mailbox {} shows no calendar", self.mailbox);
            PortError::permanent(Code::CalendarNotFound, what)
        })?;
        let deleted = messages.next().and_then(Result::ok).and_then(|message| folder_id(&message));
        let mut parents: HashMap<String, String> = HashMap::new();
        let mut calendars = vec![default];
        self.each("FindFolder", request::find_calendars, |folder| {
            let Some(id) = id_of(folder, "FolderId") else { return };
            if let Some(parent) = id_of(folder, "ParentFolderId") {
                parents.insert(id.clone(), parent);
            }
            let class = folder.text_of("FolderClass").unwrap_or_default();
            if is_calendar(class) && !calendars.contains(&id) {
                calendars.push(id);
            }
        })
        .await?;
        calendars.retain(|id| !is_below(id, deleted.as_deref(), &parents));
        Ok(calendars)
    }

    /// Every entry of a paged listing, handed over as it comes.
    async fn each(
        &self,
        what: &str,
        page: impl Fn(u32) -> String + Send + Sync,
        mut take: impl FnMut(&Element) + Send,
    ) -> Result<(), PortError> {
        let failed = |error| self.failure(error, &format!("listing with {what}"));
        let mut offset = 0;
        for _ in 0..MOST_PAGES {
            let messages =
                self.client.call(&self.mailbox, Request::Read, &page(offset)).await.map_err(failed)?;
            let message = messages.into_iter().next();
            let message = message
                .unwrap_or_else(|| Err(EwsError::Malformed("it is empty".to_owned())))
                .map_err(failed)?;
            let Some(root) = message.child("RootFolder") else {
                return Err(failed(EwsError::Malformed("it holds no RootFolder".to_owned())));
            };
            let entries = root.child("Items").or_else(|| root.child("Folders"));
            entries.into_iter().flat_map(|entries| &entries.children).for_each(&mut take);
            let is_last = root.attribute("IncludesLastItemInRange") != Some("false");
            let next = root.attribute("IndexedPagingOffset").and_then(|next| next.parse::<u32>().ok());
            let next = next.unwrap_or(offset.saturating_add(LISTED));
            if is_last {
                return Ok(());
            }
            if next <= offset {
                break;
            }
            offset = next;
        }
        Err(PortError::permanent(
            Code::CalendarServerError,
            format!("the listing of the mailbox {} goes round in a circle", self.mailbox),
        ))
    }
}

/// `IPF.Appointment`, and classes of one's own derived from it (MS-OXOSFLD section 2.2.2).
fn is_calendar(class: &str) -> bool {
    let class = class.to_ascii_lowercase();
    class == "ipf.appointment" || class.starts_with("ipf.appointment.")
}

fn id_of(folder: &Element, name: &str) -> Option<String> {
    folder.child(name)?.attribute("Id").map(str::to_owned)
}

fn folder_id(message: &Element) -> Option<String> {
    id_of(message.child("Folders")?.children.first()?, "FolderId")
}

/// Whether a folder lies in `top`, at whatever depth.
fn is_below(id: &str, top: Option<&str>, parents: &HashMap<String, String>) -> bool {
    let mut seen = HashSet::new();
    let mut at = id;
    while let Some(parent) = parents.get(at).filter(|_| seen.insert(at.to_owned())) {
        if Some(parent.as_str()) == top {
            return true;
        }
        at = parent;
    }
    false
}
