//! Pages through the meetings of a folder: no more than a page of meetings, the names of the files
//! and the one file that is being read are in memory.

use std::collections::VecDeque;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use mms_model::port::MeetingPages;
use mms_model::{EventId, Meeting, PortError};

use super::event_file::{self, EventFile};
use super::file_list::FileList;
use super::{Opened, blocking, event_id, failure};

/// A page ends with so many meetings …
const MAX_MEETINGS: usize = 1_000;
/// … or so many bytes of them …
const MAX_BYTES: usize = 4 * 1024 * 1024;
/// … or so many files that held none, so that a caller sees progress.
const MAX_FILES: usize = 2_000;

type Found = Result<Meeting, (EventId, PortError)>;

/// The state of a listing.
pub(super) struct Pages {
    /// None while a page is being read, and after a page was given up in the middle.
    cursor: Option<Box<Cursor>>,
    /// Events that have ended, up to the last page.
    passed_over: u64,
}

struct Cursor {
    opened: Arc<Opened>,
    from: Timestamp,
    /// Events that ended before this day, `yyyymmdd`, ended in every time zone.
    certainly_past: u32,
    list: Option<FileList>,
    next_file: usize,
    /// What is left of a file whose events are more than a page. It is looked up anew for the next
    /// one, because the page before may have changed it.
    rest: Option<Rest>,
    /// Events that have ended.
    passed_over: u64,
}

/// The events of a file that are still to come.
struct Rest {
    relative: String,
    uids: VecDeque<String>,
}

impl Pages {
    pub(super) fn of(opened: Arc<Opened>, from: Timestamp) -> Self {
        let cursor = Cursor {
            opened,
            from,
            certainly_past: two_days_before(from),
            list: None,
            next_file: 0,
            rest: None,
            passed_over: 0,
        };
        Self { cursor: Some(Box::new(cursor)), passed_over: 0 }
    }
}

/// The day before which nothing lasts until `from`, in whatever zone its date is meant: zones lie
/// at most 14 hours apart from UTC, and an event without an end lasts its day.
fn two_days_before(from: Timestamp) -> u32 {
    let earlier = from.checked_sub(SignedDuration::from_hours(48)).unwrap_or(Timestamp::MIN);
    let date = earlier.to_zoned(TimeZone::UTC).date();
    let Ok(year) = u32::try_from(date.year()) else { return 0 };
    year * 10_000 + u32::from(date.month().unsigned_abs()) * 100 + u32::from(date.day().unsigned_abs())
}

#[async_trait]
impl MeetingPages for Pages {
    async fn next(&mut self) -> Result<Option<Vec<Found>>, PortError> {
        let Some(mut cursor) = self.cursor.take() else { return Ok(None) };
        let (cursor, page) = blocking(move || {
            let page = cursor.page()?;
            Ok((cursor, page))
        })
        .await?;
        self.passed_over = cursor.passed_over;
        if page.is_some() {
            self.cursor = Some(cursor);
        }
        Ok(page)
    }

    fn passed_over(&self) -> u64 {
        self.passed_over
    }
}

impl Cursor {
    /// The next page; `None` at the end.
    fn page(&mut self) -> Result<Option<Vec<Found>>, PortError> {
        let mut page = Vec::new();
        let mut bytes = 0;
        if self.list.is_none() {
            let mut list = FileList::of(&self.opened.folder, self.opened.settings.recursive)?;
            let failures = std::mem::take(&mut list.failures);
            page.extend(failures.into_iter().map(|(path, error)| Err((event_id::of_file(&path), error))));
            self.list = Some(list);
        }
        let last_file = self.next_file.saturating_add(MAX_FILES);
        while page.len() < MAX_MEETINGS && bytes < MAX_BYTES && self.next_file < last_file {
            let Some((rest, file)) = self.next_file(&mut page) else { break };
            if let Some(file) = file {
                self.read_events(rest, file, &mut page, &mut bytes);
            }
        }
        let files = self.list.as_ref().map_or(0, FileList::len);
        let at_end = self.rest.is_none() && self.next_file >= files;
        Ok((!page.is_empty() || !at_end).then_some(page))
    }

    /// The file to read events from, and which; without a file where it cannot be read, which the page
    /// says. `None` at the end.
    fn next_file(&mut self, page: &mut Vec<Found>) -> Option<(Rest, Option<EventFile>)> {
        if let Some(rest) = self.rest.take() {
            let file = self.read(&rest.relative, page);
            return Some((rest, file));
        }
        let relative = self.list.as_ref()?.get(self.next_file)?.to_owned();
        self.next_file += 1;
        let file = self.read(&relative, page);
        if let Some(file) = file.as_ref().filter(|file| file.without_uid > 0) {
            let what = format!(
                "holds {} without a UID, which cannot be told apart; give each a UID line",
                counted(file.without_uid, "event")
            );
            let error = failure::unreadable(&self.opened.path(&relative), &what);
            page.push(Err((event_id::of_file(&relative), error)));
        }
        let upcoming = file.iter().flat_map(|file| {
            file.events().iter().filter(|event| !file.ended_before(event, self.certainly_past))
        });
        let uids: VecDeque<String> = upcoming.map(|event| event.uid.clone()).collect();
        let events = file.as_ref().map_or(0, |file| file.events().len());
        self.passed_over += events.saturating_sub(uids.len()) as u64;
        Some((Rest { relative, uids }, file))
    }

    fn read(&self, relative: &str, page: &mut Vec<Found>) -> Option<EventFile> {
        // A file that is not there was deleted since the folder was listed.
        event_file::read_if_there(&self.opened, relative).unwrap_or_else(|error| {
            page.push(Err((event_id::of_file(relative), error)));
            None
        })
    }

    /// Adds the upcoming meetings of a file to the page, up to what fits; what does not waits for the
    /// next one.
    fn read_events(&mut self, mut rest: Rest, file: EventFile, page: &mut Vec<Found>, bytes: &mut usize) {
        while page.len() < MAX_MEETINGS && *bytes < MAX_BYTES {
            let Some(uid) = rest.uids.pop_front() else { return };
            let Some(event) = file.event(&uid) else { continue };
            let content = file.content(event);
            match self.opened.meeting(&rest.relative, &uid, content, self.from) {
                Ok(Some(meeting)) if meeting.instances.iter().any(|i| i.upcoming) => {
                    *bytes += meeting.content.len();
                    page.push(Ok(meeting));
                }
                Ok(Some(_)) => self.passed_over += 1,
                Ok(None) => {}
                Err(error) => page.push(Err(error)),
            }
        }
        if !rest.uids.is_empty() {
            self.opened.last_read.keep(&rest.relative, file);
            self.rest = Some(rest);
        }
    }
}

fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_certainly_past_ended_two_days_ago() {
        assert_eq!(two_days_before("2026-03-01T10:00:00Z".parse().unwrap()), 20260227);
        assert_eq!(two_days_before("2026-01-01T00:00:00Z".parse().unwrap()), 20251230);
        assert_eq!(two_days_before(Timestamp::MIN), 0);
    }
}
