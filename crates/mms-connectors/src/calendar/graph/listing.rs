//! Paging through a user's meetings: the names first, the events a page at a time.

use std::collections::VecDeque;

use async_trait::async_trait;
use jiff::Timestamp;
use mms_model::port::MeetingPages;
use mms_model::{Code, ErrorKind, EventId, Meeting, PortError};
use serde_json::Value;

use super::event::{Listed, SLIM_FIELDS};
use super::read::Wanted;
use super::user_calendar::GraphUserCalendar;
use crate::graph::{path, query};

/// What is read of a calendar.
const CALENDAR_FIELDS: &str = "id,owner,canEdit,isDefaultCalendar";

/// Pages of one listing.
pub(super) struct Pages<'a> {
    calendar: &'a GraphUserCalendar,
    from: Timestamp,
    names: Option<VecDeque<Wanted>>,
    passed_over: u64,
}

impl<'a> Pages<'a> {
    pub(super) fn new(calendar: &'a GraphUserCalendar, from: Timestamp) -> Self {
        Self { calendar, from, names: None, passed_over: 0 }
    }

    /// What may be a meeting of the owner's that is not over, in every calendar of theirs.
    async fn list(&mut self) -> Result<VecDeque<Wanted>, PortError> {
        let mut names = Vec::new();
        let first = |calendar: String| {
            let events = format!("{}{}", self.calendar.root, path(["calendars", &calendar, "events"]));
            query(&events, [("$select", SLIM_FIELDS), ("$top", "1000")])
        };
        let calendars = self.calendars().await?.into_iter().map(first).collect();
        for page in self.calendar.first_pages(calendars).await {
            let (from, mut ended) = (self.from, 0);
            let listed = async {
                self.calendar
                    .each(page?, |entry| {
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
            self.passed_over += ended;
        }
        // A page may repeat what moved while the listing went on. There may be very many names: no set of them.
        names.sort_unstable_by(|a: &Wanted, b| a.id.cmp(&b.id));
        names.dedup_by(|a, b| a.id == b.id);
        Ok(names.into())
    }

    /// The calendars of the user's own: the default one, and those with the same owner that can be written.
    async fn calendars(&self) -> Result<Vec<String>, PortError> {
        let all = format!("{}/calendars", self.calendar.root);
        let mut found = Vec::new();
        let first = query(&all, [("$select", CALENDAR_FIELDS), ("$top", "100")]);
        self.calendar
            .each(self.calendar.page(&first).await?, |calendar| {
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
            Some(other) => {
                owner.as_ref() == Some(other) || self.calendar.owner.owns(&mms_model::Address::new(other))
            }
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
                    self.calendar.mailbox
                ),
            ));
        }
        Ok(own)
    }
}

/// Whether an error is the mailbox's or the tenant's, and not that of one event.
fn stops_all(error: &PortError) -> bool {
    match error.kind {
        ErrorKind::RetryAfter(_) | ErrorKind::Unauthorised => true,
        ErrorKind::Retry => matches!(error.code, Code::CalendarUnreachable | Code::CalendarThrottled),
        ErrorKind::Permanent | ErrorKind::Conflict | ErrorKind::Gone => false,
    }
}

#[async_trait]
impl MeetingPages for Pages<'_> {
    async fn next(&mut self) -> Result<Option<Vec<Result<Meeting, (EventId, PortError)>>>, PortError> {
        if self.names.is_none() {
            self.names = Some(self.list().await?);
        }
        loop {
            let Some(names) = self.names.as_mut().filter(|names| !names.is_empty()) else { return Ok(None) };
            let count = names.len().min(self.calendar.page_size);
            let wanted: Vec<Wanted> = names.iter().take(count).cloned().collect();
            let mut page = Vec::with_capacity(count);
            for (id, read) in self.calendar.read(wanted, self.from).await {
                match read {
                    Ok(Some(meeting)) if meeting.instances.iter().any(|i| i.upcoming) => {
                        page.push(Ok(meeting))
                    }
                    Ok(Some(_)) => self.passed_over += 1,
                    Ok(None) => {}
                    Err(error) if stops_all(&error) => return Err(error),
                    Err(error) => page.push(Err((id, error))),
                }
            }
            // Taken out only when they were read, so that the caller may ask again after an error.
            if let Some(names) = self.names.as_mut() {
                names.drain(..count);
            }
            if !page.is_empty() {
                return Ok(Some(page));
            }
        }
    }

    fn passed_over(&self) -> u64 {
        self.passed_over
    }
}
