//! Paging through a user's meetings: the names first, the events a page at a time.

use std::collections::{HashSet, VecDeque};

use async_trait::async_trait;
use jiff::Timestamp;
use mms_model::port::MeetingPages;
use mms_model::{ErrorKind, EventId, Meeting, PortError};
use url::Url;

use super::dav::{self, Filter, ListError};
use super::discovery::FoundCalendar;
use super::user_calendar::CalDavUserCalendar;

/// Pages of one listing.
pub(super) struct Pages<'a> {
    calendar: &'a CalDavUserCalendar,
    from: Timestamp,
    waiting: VecDeque<FoundCalendar>,
    current: Option<(Url, VecDeque<String>)>,
}

impl<'a> Pages<'a> {
    pub(super) fn new(calendar: &'a CalDavUserCalendar, from: Timestamp) -> Self {
        Self { calendar, from, waiting: calendar.found.calendars.iter().cloned().collect(), current: None }
    }

    /// The names of a calendar's events, in a stable order.
    ///
    /// What a server lists too much does no harm, and what it leaves out would be a meeting with a dead
    /// link. So an empty answer to a time range is not believed either.
    async fn names(&self, calendar: &Url) -> Result<VecDeque<String>, PortError> {
        let session = &self.calendar.session;
        let listed = if self.calendar.filters_by_time {
            match dav::list(session, calendar, Filter::From(self.from)).await {
                Err(ListError::Filter(error)) => {
                    tracing::info!(%error, "the server does not take a time range; listing all events");
                    dav::list(session, calendar, Filter::All).await
                }
                Ok(names) if names.is_empty() => dav::list(session, calendar, Filter::All).await,
                other => other,
            }
        } else {
            dav::list(session, calendar, Filter::All).await
        };
        match listed {
            Ok(mut names) => {
                names.sort_unstable();
                names.dedup();
                Ok(names.into())
            }
            Err(ListError::Filter(error) | ListError::Failed(error)) => {
                // A calendar that was deleted since it was found holds no meetings.
                if error.kind == ErrorKind::Gone { Ok(VecDeque::new()) } else { Err(error) }
            }
        }
    }

    /// The next page's worth of addresses; `None` at the end of the last calendar.
    async fn next_events(&mut self) -> Result<Option<(Url, Vec<Url>)>, PortError> {
        loop {
            if let Some((calendar, names)) = &mut self.current {
                let count = names.len().min(self.calendar.page_size);
                if count > 0 {
                    let session = &self.calendar.session;
                    // An event on another server is none of this calendar's.
                    let events = names
                        .drain(..count)
                        .filter_map(|name| session.resolve(calendar, &name).ok())
                        .collect();
                    return Ok(Some((calendar.clone(), events)));
                }
                self.current = None;
            }
            // Taken out only when its listing worked, so that the caller may ask again after an error.
            let Some(next) = self.waiting.front() else { return Ok(None) };
            let url = next.url.clone();
            let names = self.names(&url).await?;
            self.waiting.pop_front();
            self.current = Some((url, names));
        }
    }
}

#[async_trait]
impl MeetingPages for Pages<'_> {
    async fn next(&mut self) -> Result<Option<Vec<Result<Meeting, (EventId, PortError)>>>, PortError> {
        while let Some((calendar, events)) = self.next_events().await? {
            let mut seen = HashSet::new();
            let page: Vec<_> = self
                .calendar
                .read_page(&calendar, events, self.from)
                .await?
                .into_iter()
                .filter_map(Result::transpose)
                .filter(|read| match read {
                    Ok(meeting) => {
                        meeting.instances.iter().any(|i| i.upcoming) && seen.insert(meeting.id.clone())
                    }
                    Err(_) => true,
                })
                .collect();
            if !page.is_empty() {
                return Ok(Some(page));
            }
        }
        Ok(None)
    }
}
