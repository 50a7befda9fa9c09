//! The listing of a mailbox: its calendars, and their events.

use jiff::Timestamp;
use mms_model::{Code, ErrorKind, PortError};
use serde_json::Value;

use super::event::{Listed, SLIM_FIELDS};
use super::read::Wanted;
use super::user_calendar::GraphUserCalendar;
use crate::graph::{path, query};

/// What is read of a calendar.
const CALENDAR_FIELDS: &str = "id,owner,canEdit,isDefaultCalendar";

impl GraphUserCalendar {
    /// What may be a meeting of the owner's that is not over, in every calendar of theirs, and how many have ended.
    pub(super) async fn names(&self, from: Timestamp) -> Result<(Vec<Wanted>, u64), PortError> {
        let (mut names, mut all_ended) = (Vec::new(), 0);
        let first = |calendar: String| {
            let events = format!("{}{}", self.root, path(["calendars", &calendar, "events"]));
            query(&events, [("$select", SLIM_FIELDS), ("$top", "1000")])
        };
        let calendars = self.calendars().await?.into_iter().map(first).collect();
        for page in self.first_pages(calendars).await {
            let mut ended = 0;
            let listed = async {
                self.each(page?, |entry| {
                    let Some(event) = Listed::read(entry, from) else { return };
                    if event.is_foreign || (event.is_cancelled && !event.is_series) {
                        return;
                    }
                    if event.has_ended {
                        ended += 1;
                    } else {
                        names.push(Wanted { id: event.id, is_series: Some(event.is_series) });
                    }
                })
                .await
            };
            match listed.await {
                // A calendar that was deleted since holds no meetings.
                Err(error) if error.kind == ErrorKind::Gone => {}
                listed => listed?,
            }
            all_ended += ended;
        }
        // A page may repeat what moved while the listing went on. There may be very many names: no set of them.
        names.sort_unstable_by(|a: &Wanted, b| a.id.cmp(&b.id));
        names.dedup_by(|a, b| a.id == b.id);
        Ok((names, all_ended))
    }

    /// The calendars of the user's own: the default one, and those with the same owner that can be written.
    async fn calendars(&self) -> Result<Vec<String>, PortError> {
        let all = format!("{}/calendars", self.root);
        let mut found = Vec::new();
        let first = query(&all, [("$select", CALENDAR_FIELDS), ("$top", "100")]);
        self.each(self.page(&first).await?, |calendar| {
            if let Some(id) = calendar.get("id").and_then(Value::as_str) {
                let owner = calendar.pointer("/owner/address").and_then(Value::as_str);
                let is_default = calendar.get("isDefaultCalendar") == Some(&Value::Bool(true));
                let is_readonly = calendar.get("canEdit") == Some(&Value::Bool(false));
                found.push((id.to_owned(), owner.map(str::to_lowercase), is_default, is_readonly));
            }
        })
        .await?;
        // The directory may not know the address by which the mailbox calls its owner.
        let by_default = found.iter().find(|(_, _, is_default, _)| *is_default);
        let owner = by_default.and_then(|(_, owner, ..)| owner.clone());
        let is_own = |other: &Option<String>| match other {
            None => true,
            Some(other) => owner.as_ref() == Some(other) || self.owner.owns(&mms_model::Address::new(other)),
        };
        let own = found
            .iter()
            .filter(|(_, owner, is_default, is_readonly)| *is_default || (is_own(owner) && !*is_readonly));
        let own: Vec<String> = own.map(|(id, ..)| id.clone()).collect();
        if own.is_empty() {
            return Err(PortError::new(
                ErrorKind::Permanent,
                Code::CalendarNotFound,
                format!(
                    "the mailbox {} shows no calendar of its own: check the user's place in the directory",
                    self.mailbox
                ),
            ));
        }
        Ok(own)
    }
}
