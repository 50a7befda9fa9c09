//! Pages through the meetings of a folder: no more than a page of meetings, the names of the files
//! and the one file that is being read are in memory.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use mms_model::port::MeetingPages;
use mms_model::{EventId, Meeting, PortError};

use super::event_file::{self, EventFile};
use super::file_list::FileList;
use super::{Opened, blocking, event_id, failure};

/// A page ends with so many meetings …
const MAX_MEETINGS: usize = 500;
/// … or so many bytes of them …
const MAX_BYTES: usize = 4 * 1024 * 1024;
/// … or so many files that held none, so that a caller sees progress.
const MAX_FILES: usize = 2_000;

type Found = Result<Meeting, (EventId, PortError)>;

/// The state of a listing.
pub(super) struct Pages {
    /// None while a page is being read, and after a page was given up in the middle.
    cursor: Option<Box<Cursor>>,
}

struct Cursor {
    opened: Arc<Opened>,
    from: Timestamp,
    /// Events that ended before this day, `yyyymmdd`, ended in every time zone.
    certainly_past: u32,
    list: Option<FileList>,
    next_file: usize,
    /// The file that is being read, and the next event in it.
    current: Option<(String, EventFile, usize)>,
}

impl Pages {
    pub(super) fn of(opened: Arc<Opened>, from: Timestamp) -> Self {
        let cursor = Cursor {
            opened,
            from,
            certainly_past: two_days_before(from),
            list: None,
            next_file: 0,
            current: None,
        };
        Self { cursor: Some(Box::new(cursor)) }
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
        if page.is_some() {
            self.cursor = Some(cursor);
        }
        Ok(page)
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
            if self.current.is_none() && !self.open_next(&mut page) {
                break;
            }
            if let Some(found) = self.next_event() {
                bytes += found.as_ref().map_or(0, |meeting| meeting.content.len());
                page.push(found);
            }
        }
        let at_end = self.current.is_none() && self.next_file >= self.list.as_ref().map_or(0, FileList::len);
        Ok((!page.is_empty() || !at_end).then_some(page))
    }

    /// Opens the next file that can be read; an error for each that cannot. False at the end.
    fn open_next(&mut self, page: &mut Vec<Found>) -> bool {
        let Some(relative) = self.list.as_ref().and_then(|list| list.get(self.next_file)) else {
            return false;
        };
        let relative = relative.to_owned();
        self.next_file += 1;
        match event_file::read_if_there(&self.opened, &relative) {
            Ok(Some(file)) => {
                if file.without_uid > 0 {
                    let what = format!(
                        "holds {} without a UID, which cannot be told apart; give each a UID line",
                        counted(file.without_uid, "event")
                    );
                    let error = failure::unreadable(&self.opened.path(&relative), &what);
                    page.push(Err((event_id::of_file(&relative), error)));
                }
                self.current = Some((relative, file, 0));
            }
            // Deleted since the folder was listed.
            Ok(None) => {}
            Err(error) => page.push(Err((event_id::of_file(&relative), error))),
        }
        true
    }

    /// The next upcoming meeting of the current file; closes the file at its end.
    fn next_event(&mut self) -> Option<Found> {
        let (relative, file, position) = self.current.as_mut()?;
        while let Some(event) = file.events().get(*position) {
            *position += 1;
            if file.ended_before(event, self.certainly_past) {
                continue;
            }
            let content = file.content(event);
            match self.opened.meeting(relative, &event.uid, content, self.from) {
                Ok(Some(meeting)) if meeting.instances.iter().any(|i| i.upcoming) => {
                    return Some(Ok(meeting));
                }
                Ok(_) => {}
                Err(error) => return Some(Err(error)),
            }
        }
        self.current = None;
        None
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
