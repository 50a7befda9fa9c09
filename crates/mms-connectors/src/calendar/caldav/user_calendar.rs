//! One user's calendars on the server.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use futures_util::StreamExt as _;
use futures_util::stream;
use jiff::Timestamp;
use mms_model::port::{MeetingPages, ReadBack, Scheduling, Update, Updated, UserCalendar};
use mms_model::{
    Code, ErrorKind, EventId, InstanceId, Meeting, PortError, Recognition, Rewrite, Rewritten, User,
};
use url::Url;

use super::dav::{self, MultigetError};
use super::discovery::{Discovered, identity};
use super::failure::{no_answer, refused};
use super::listing::Pages;
use super::object::{self, Put, Stored, with_crlf};
use super::readback::{self, Differences};
use super::version::{Condition, Tags};
use crate::calendar::Invites;
use crate::transport::{Session, TransportError, place};

/// The calendars of one user, opened.
pub(super) struct CalDavUserCalendar {
    pub(super) session: Session,
    /// The user, with the addresses that the server knows beside those of the directory.
    pub(super) owner: User,
    pub(super) found: Discovered,
    pub(super) scheduling: Scheduling,
    pub(super) invites: Arc<dyn Invites>,
    pub(super) page_size: usize,
    /// The server leaves vendors' X- properties in attendees' copies as they were (DAViCal).
    pub(super) keeps_old_links: bool,
    /// The server takes a conditional write of an event that is gone, and makes it anew (SOGo).
    pub(super) revives_deleted: bool,
    /// The server tells attendees whatever their SCHEDULE-AGENT says (SOGo).
    pub(super) ignores_schedule_agent: bool,
    /// The server is to leave out what is over.
    pub(super) filters_by_time: bool,
    /// The server takes no multiget; found out once.
    pub(super) multiget_refused: AtomicBool,
}

/// What one event turned out to be: a meeting, none of interest, or unreadable.
pub(super) type ReadEvent = Result<Option<Meeting>, (EventId, PortError)>;

/// What stands at an address; `None` where the event is gone.
type Fetched = (Url, Result<Option<Stored>, PortError>);

impl CalDavUserCalendar {
    /// An event's id: its path, which stays the same however the server is reached.
    pub(super) fn id(url: &Url) -> EventId {
        EventId(url.path().to_owned())
    }

    fn url(&self, id: &EventId) -> Result<Url, PortError> {
        self.session.resolve(self.session.base(), &id.0).map_err(no_answer)
    }

    /// Reads a page of events; those that are gone are left out.
    pub(super) async fn read_page(
        &self,
        calendar: &Url,
        events: Vec<Url>,
        from: Timestamp,
    ) -> Result<Vec<ReadEvent>, PortError> {
        let fetched = self.fetch(calendar, events).await?;
        let read = |(url, stored)| match stored {
            Ok(Some(stored)) => Some(self.meeting(stored, from).map_err(|error| (Self::id(&url), error))),
            Ok(None) => None,
            Err(error) => Some(Err((Self::id(&url), error))),
        };
        Ok(fetched.into_iter().filter_map(read).collect())
    }

    /// Fetches events of one calendar, in one request where the server takes it; the answers are in no order.
    ///
    /// # Errors
    /// What would stop every event.
    async fn fetch(&self, calendar: &Url, events: Vec<Url>) -> Result<Vec<Fetched>, PortError> {
        if !self.multiget_refused.load(Ordering::Relaxed) {
            let max_event = self.session.settings().max_body;
            match dav::multiget(&self.session, calendar, &events, max_event).await {
                Ok(items) => return self.sort_items(items, events).await,
                Err(error) => self.weigh(error, calendar)?,
            }
        }
        self.fetch_singly(events).await
    }

    /// Whether a failed multiget is worth reading the events one by one.
    fn weigh(&self, error: MultigetError, calendar: &Url) -> Result<(), PortError> {
        match error {
            // One event whose bytes are not XML, or too much in one answer: one by one they come.
            MultigetError::Unreadable
            | MultigetError::NoAnswer(
                TransportError::BodyTooLarge { .. } | TransportError::Interrupted { .. },
            ) => Ok(()),
            MultigetError::NoAnswer(other) => Err(no_answer(other)),
            MultigetError::Refused(reply) => match reply.status.as_u16() {
                400 | 403 | 404 | 405 | 409 | 415 | 422 | 501 => {
                    self.multiget_refused.store(true, Ordering::Relaxed);
                    Ok(())
                }
                500 | 502 | 507 => Ok(()),
                _ => Err(refused(&format!("reading events of {}", place(calendar)), &reply)),
            },
        }
    }

    async fn sort_items(
        &self,
        items: Vec<super::multistatus::Item>,
        events: Vec<Url>,
    ) -> Result<Vec<Fetched>, PortError> {
        let mut by_path: HashMap<String, super::multistatus::Item> = HashMap::with_capacity(items.len());
        for item in items {
            if let Ok(url) = self.session.resolve(self.session.base(), &item.href) {
                by_path.insert(identity(&url), item);
            }
        }
        let mut out = Vec::with_capacity(events.len());
        let mut left_out = Vec::new();
        for url in events {
            match by_path.remove(&identity(&url)) {
                Some(item) if matches!(item.status, Some(404 | 410)) => out.push((url, Ok(None))),
                Some(item) => match item.properties.calendar_data {
                    Some(data) => {
                        let tags =
                            Tags { etag: item.properties.etag, schedule_tag: item.properties.schedule_tag };
                        let content = with_crlf(data.into_bytes());
                        out.push((url.clone(), Ok(Some(Stored { url, tags, content }))));
                    }
                    None => left_out.push(url),
                },
                None => left_out.push(url),
            }
        }
        out.extend(self.fetch_singly(left_out).await?);
        Ok(out)
    }

    async fn fetch_singly(&self, events: Vec<Url>) -> Result<Vec<Fetched>, PortError> {
        let mut reads = stream::iter(events)
            .map(|url| async move { (object::get(&self.session, &url).await, url) })
            .buffered(self.session.settings().concurrency);
        let mut out = Vec::new();
        while let Some((outcome, url)) = reads.next().await {
            match outcome {
                // What stops the next event as well stops them all.
                Err(error) if stops_all(&error) => return Err(error),
                outcome => out.push((url, outcome)),
            }
        }
        Ok(out)
    }

    /// The meeting in an event; `None` where it holds no VEVENT.
    fn meeting(&self, stored: Stored, from: Timestamp) -> Result<Option<Meeting>, PortError> {
        let id = Self::id(&stored.url);
        let mut meetings = self.invites.meetings(&stored.content, &self.owner, from).map_err(|reason| {
            PortError::permanent(Code::UnreadableEvent, format!("{}: {reason}", place(&stored.url)))
        })?;
        // RFC 4791 section 4.1: one UID in a calendar object resource. More cannot be told apart.
        if meetings.len() > 1 {
            return Err(PortError::permanent(
                Code::UnreadableEvent,
                format!(
                    "{} holds events with different UIDs, which no CalDAV resource may",
                    place(&stored.url)
                ),
            ));
        }
        Ok(meetings.pop().map(|meeting| Meeting {
            id,
            version: stored.tags.version(),
            content: stored.content,
            ..meeting
        }))
    }

    /// Writes one event. What the server made of it is read afterwards, a page at a time.
    async fn write(&self, update: Update) -> Result<Written, PortError> {
        let url = self.url(&update.id)?;
        self.check_choice(&update, &url)?;
        let tags = Tags::of(&update.version);
        let condition = tags.condition().ok_or_else(|| {
            PortError::permanent(
                Code::CalendarServerError,
                format!(
                    "the server gives no ETag for {}, so that it cannot be written without the risk of losing an edit",
                    place(&url)
                ),
            )
        })?;
        let old_links = self.look_before(&url, &tags).await?;
        let (answer, stored) = self.put(&update, &url, &tags, &condition).await?;
        Ok(Written { update, url, answer, stored, old_links })
    }

    /// Sends a write; the event as stored comes along where it had to be read to tell whether it was taken. A write
    /// whose connection broke before the server had it is sent once more, as one on a kept-alive connection that the
    /// server had closed (SOGo); its condition keeps it from taking effect twice.
    async fn put(
        &self,
        update: &Update,
        url: &Url,
        tags: &Tags,
        condition: &Condition,
    ) -> Result<(Tags, Option<Stored>), PortError> {
        let mut again = true;
        loop {
            match object::put(&self.session, url, condition, update.content.clone(), !again).await? {
                Put::Taken(answer) => return Ok((answer, None)),
                Put::Unknown(error) => {
                    let Some(stored) = object::get(&self.session, url).await? else { return Err(gone(url)) };
                    if self.same_meeting(&update.content, &stored.content) {
                        return Ok((Tags::default(), Some(stored)));
                    }
                    if stored.tags.etag != tags.etag {
                        return Err(changed(url));
                    }
                    if !again || !matches!(error, TransportError::Interrupted { .. }) {
                        return Err(no_answer(error));
                    }
                    again = false;
                }
            }
        }
    }

    /// Fetches what was written and not read yet, a request for each calendar.
    async fn read_back<'a>(
        &self,
        written: impl Iterator<Item = &'a Written>,
    ) -> HashMap<String, Result<Option<Stored>, PortError>> {
        let mut calendars: BTreeMap<Url, Vec<Url>> = BTreeMap::new();
        for write in written.filter(|write| write.stored.is_none()) {
            if let Ok(calendar) = write.url.join("./") {
                calendars.entry(calendar).or_default().push(write.url.clone());
            }
        }
        let mut found = HashMap::new();
        for (calendar, events) in calendars {
            match self.fetch(&calendar, events.clone()).await {
                Ok(fetched) => {
                    found.extend(fetched.into_iter().map(|(url, stored)| (identity(&url), stored)))
                }
                Err(error) => found.extend(events.iter().map(|url| {
                    (identity(url), Err(PortError::new(error.kind, error.code, error.message.clone())))
                })),
            }
        }
        found
    }

    /// Weighs a write against what was read back of it.
    fn weigh_write(
        &self,
        written: Written,
        found: &mut HashMap<String, Result<Option<Stored>, PortError>>,
    ) -> Result<Updated, PortError> {
        let Written { update, url, answer, stored, old_links } = written;
        let stored = match (stored, found.remove(&identity(&url))) {
            (Some(stored), _) | (None, Some(Ok(Some(stored)))) => stored,
            (None, None | Some(Ok(None))) => {
                return Ok(unverified(answer, &url, "it was deleted right after"));
            }
            (None, Some(Err(error))) => return Ok(unverified(answer, &url, &error.message)),
        };
        self.examine(&update, stored, &answer, old_links)
    }

    /// A server that sends updates by itself sends them to everybody; RFC 6638 knows no other way that
    /// would not cancel the meeting for those left out (changing SCHEDULE-AGENT sends CANCEL). So a
    /// choice that it cannot honour is refused before anything is written, rather than ignored.
    fn check_choice(&self, update: &Update, url: &Url) -> Result<(), PortError> {
        if self.scheduling != Scheduling::Server || update.notify == mms_model::AttendeeChoice::All {
            return Ok(());
        }
        let told = self.compare(&update.content, &update.content).told;
        if told == 0 {
            return Ok(());
        }
        Err(PortError::permanent(
            Code::AttendeeChoiceNotPossible,
            format!(
                "{} sends updates to every attendee by itself and cannot leave some out, and {told} would be told of {}: \
                 choose to tell all attendees, or switch scheduling off on the server for the migration",
                self.session.base().host_str().unwrap_or("the server"),
                place(url)
            ),
        ))
    }

    fn compare(&self, written: &[u8], stored: &[u8]) -> Differences {
        readback::compare(
            written,
            stored,
            |address| self.owner.owns(&mms_model::Address::new(address)),
            |agent| agent == "SERVER" || self.ignores_schedule_agent,
        )
    }

    /// Looks at the event before the write on servers that need it, and returns the vendors' links in it:
    /// DAViCal leaves them in attendees' copies, and SOGo does not mind `If-Match` where the event is
    /// gone, so that a write would bring a deleted meeting back.
    async fn look_before(&self, url: &Url, tags: &Tags) -> Result<BTreeSet<(String, String)>, PortError> {
        if !self.keeps_old_links && !self.revives_deleted {
            return Ok(BTreeSet::new());
        }
        match object::get(&self.session, url).await? {
            None => Err(gone(url)),
            Some(stored) if stored.tags.etag != tags.etag => Err(changed(url)),
            Some(stored) if self.keeps_old_links => Ok(readback::vendor_links(&stored.content)),
            Some(_) => Ok(BTreeSet::new()),
        }
    }

    /// Whether both hold the same online meeting in each component, with the same texts.
    fn same_meeting(&self, written: &[u8], stored: &[u8]) -> bool {
        self.is_same_meeting(&self.compare(written, stored), written, stored)
    }

    fn is_same_meeting(&self, found: &Differences, written: &[u8], stored: &[u8]) -> bool {
        found.missing.is_empty() && (found.text.is_empty() || self.links(written) == self.links(stored))
    }

    /// The key of the online meeting of each component.
    fn links(&self, content: &[u8]) -> Option<Vec<(InstanceId, Option<String>)>> {
        let meetings = self.invites.meetings(content, &self.owner, Timestamp::UNIX_EPOCH).ok()?;
        let mut links: Vec<_> = meetings
            .into_iter()
            .flat_map(|meeting| meeting.instances)
            .map(|instance| {
                let key = match instance.recognition {
                    Recognition::One(online) => Some(online.key),
                    Recognition::None | Recognition::Ambiguous(_) => None,
                };
                (instance.id, key)
            })
            .collect();
        links.sort();
        Some(links)
    }

    /// Tells what the server made of the write.
    fn examine(
        &self,
        update: &Update,
        stored: Stored,
        answer: &Tags,
        old_links: BTreeSet<(String, String)>,
    ) -> Result<Updated, PortError> {
        let url = &stored.url;
        let edited_since =
            answer.etag.is_some() && stored.tags.etag.is_some() && answer.etag != stored.tags.etag;
        let as_written = stored.content == update.content;
        let found = if as_written && self.scheduling == Scheduling::Client {
            Differences::default()
        } else {
            self.compare(&update.content, &stored.content)
        };
        // Another edit right after ours is its author's business: the server took ours first.
        if !edited_since && !self.is_same_meeting(&found, &update.content, &stored.content) {
            return Err(PortError::permanent(
                Code::WriteNotVerified,
                format!(
                    "{} took the update of {} but holds something else ({}): look at the event; it is not written again",
                    self.session.base().host_str().unwrap_or("the server"),
                    place(url),
                    found.missing.iter().chain(&found.text).cloned().collect::<Vec<_>>().join(", ")
                ),
            ));
        }
        let mut remarks = Vec::new();
        if !edited_since && !found.text.is_empty() {
            remarks.push((
                Code::WriteNotVerified,
                format!("the server changed the text of {} in {}", found.text.join(", "), place(url)),
            ));
        }
        self.remark_on_people(&found, url, &mut remarks);
        let scheduled = self.scheduling == Scheduling::Server;
        if scheduled && found.told > 0 && !old_links.is_subset(&readback::vendor_links(&update.content)) {
            remarks.push((
                Code::StaleAttendeeCopy,
                format!(
                    "DAViCal keeps old X- properties in attendees' copies of {}: their Join buttons may still lead to the \
                     old meeting, while text and location are new",
                    place(url)
                ),
            ));
        }
        let says_the_same = found.missing.is_empty() && found.text.is_empty() && found.reset.is_empty();
        Ok(Updated {
            version: stored.tags.version(),
            attendees_told: if scheduled { found.told } else { 0 },
            remarks,
            read_back: if says_the_same {
                ReadBack::AsWritten
            } else {
                let meeting = self.meeting(stored, Timestamp::UNIX_EPOCH).ok().flatten();
                meeting.map_or(ReadBack::Unread, |meeting| ReadBack::Differs(Box::new(meeting)))
            },
        })
    }

    fn remark_on_people(&self, found: &Differences, url: &Url, remarks: &mut Vec<(Code, String)>) {
        if !found.reset.is_empty() {
            remarks.push((
                Code::AnswersReset,
                format!("the server reset the answers of {} in {}", found.reset.join(", "), place(url)),
            ));
        } else if let Some((before, after)) = found.sequence {
            remarks.push((
                Code::AnswersReset,
                format!(
                    "the server raised SEQUENCE from {before} to {after} in {}: attendees' programs may ask for an answer again",
                    place(url)
                ),
            ));
        }
        if self.scheduling == Scheduling::Server && !found.undelivered.is_empty() {
            let who: Vec<_> = found.undelivered.iter().map(|(a, status)| format!("{a} ({status})")).collect();
            remarks.push((
                Code::UpdateNotDelivered,
                format!("the server did not deliver the update of {} to {}", place(url), who.join(", ")),
            ));
        }
    }
}

/// A write that the server took.
struct Written {
    update: Update,
    url: Url,
    /// The tags of the answer.
    answer: Tags,
    /// What stands there since, where it was read already.
    stored: Option<Stored>,
    old_links: BTreeSet<(String, String)>,
}

fn gone(url: &Url) -> PortError {
    PortError::new(ErrorKind::Gone, Code::EventGone, format!("{} is gone", place(url)))
}

fn changed(url: &Url) -> PortError {
    PortError::new(
        ErrorKind::Conflict,
        Code::EventConflict,
        format!("{} changed since it was read", place(url)),
    )
}

fn unverified(tags: Tags, url: &Url, why: &str) -> Updated {
    Updated {
        version: tags.version(),
        attendees_told: 0,
        remarks: vec![(
            Code::WriteNotVerified,
            format!("the server took the update of {}, but it could not be read back: {why}", place(url)),
        )],
        read_back: ReadBack::Unread,
    }
}

/// Whether an error is the server's, and not that of one event.
fn stops_all(error: &PortError) -> bool {
    match error.kind {
        ErrorKind::RetryAfter(_) | ErrorKind::Unauthorised => true,
        ErrorKind::Retry => error.code == Code::CalendarUnreachable || error.code == Code::CalendarThrottled,
        ErrorKind::Permanent | ErrorKind::Conflict | ErrorKind::Gone => {
            error.code == Code::CalendarUnreachable
        }
    }
}

#[async_trait]
impl UserCalendar for CalDavUserCalendar {
    fn scheduling(&self) -> Scheduling {
        self.scheduling
    }

    fn meetings(&self, from: Timestamp) -> Box<dyn MeetingPages + '_> {
        Box::new(Pages::new(self, from))
    }

    async fn get(&self, id: &EventId, from: Timestamp) -> Result<Option<Meeting>, PortError> {
        match object::get(&self.session, &self.url(id)?).await? {
            Some(stored) => self.meeting(stored, from),
            None => Ok(None),
        }
    }

    fn rewrite(&self, meeting: &Meeting, rewrite: &Rewrite) -> Result<Rewritten, PortError> {
        self.invites.rewrite(meeting, rewrite)
    }

    fn undo(
        &self,
        original: &[u8],
        written: &[u8],
        current: &Meeting,
        stamp: Timestamp,
    ) -> Result<Rewritten, PortError> {
        self.invites.undo(original, written, current, stamp)
    }

    fn invitation(&self, content: &[u8]) -> Result<Vec<u8>, PortError> {
        self.invites.invitation(content)
    }

    async fn update(&self, updates: Vec<Update>) -> Vec<Result<Updated, PortError>> {
        let written: Vec<_> = stream::iter(updates)
            .map(|update| self.write(update))
            .buffered(self.session.settings().concurrency)
            .collect()
            .await;
        let mut found = self.read_back(written.iter().flatten()).await;
        written.into_iter().map(|write| self.weigh_write(write?, &mut found)).collect()
    }
}
