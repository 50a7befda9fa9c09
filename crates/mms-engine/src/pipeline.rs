//! One attempt at a request, page by page.
//!
//! What a crash finds is in the journal: `Planned` (the write may have happened), `Written` (mails may be due).
//! So an attempt begins by settling what the one before left, and only then looks for meetings.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use futures_util::StreamExt as _;
use mms_model::port::{
    Finish, JournalEntry, JournalState, Lease, Mailing, ReadBack, Scheduling, StoreError, Update, Updated,
    UserCalendar,
};
use mms_model::{
    Attendee, Code, Counts, ErrorKind, EventId, InstanceId, Meeting, MeetingOutcome, MeetingRecord,
    MigrationRequest, Participation, PortError, Recognition, TargetMeetingType, User,
};

use crate::engine::{Engine, Progress};
use crate::prepare::{Change, Preparation, Prepared, failed, not_configured};
use crate::tally::Tally;
use crate::{ladder, mail};

/// How often a meeting that keeps changing is read and planned anew within one attempt.
pub(crate) const CONFLICT_TRIES: usize = 5;
/// Reads of a calendar at a time, of one user.
const CONCURRENCY: usize = 20;

/// The states of what an attempt began and did not end.
pub(crate) const BEGUN: [JournalState; 2] = [JournalState::Planned, JournalState::Written];

/// How an attempt ends.
pub(crate) struct Ending {
    pub(crate) how: Finish,
    pub(crate) counts: Counts,
    pub(crate) message: String,
}

/// Why an attempt stops before it has seen every meeting.
enum Stop {
    /// The store failed or the lease is lost: nothing more may be done.
    Store(StoreError),
    /// The calendar, a platform or the mail server as a whole.
    Port(PortError),
    /// The worker shuts down.
    Shutdown,
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<PortError> for Stop {
    fn from(error: PortError) -> Self {
        Self::Port(error)
    }
}

/// A write that stands in the calendar, with what is known of it.
struct Written {
    entry: JournalEntry,
    /// Of the block, for the mails.
    language: Option<String>,
    /// Attendees that the calendar server told.
    told: u32,
    remarks: Vec<(Code, String)>,
}

/// What is known of a meeting from before its change.
struct Before {
    attendees: Vec<Attendee>,
    /// Of the block that is replaced.
    language: Option<String>,
}

/// A write that the calendar took, not yet verified.
struct Taken {
    entry: JournalEntry,
    before: Before,
    updated: Updated,
}

/// What stands in the calendar after a write.
enum Current {
    AsWritten,
    Holds(Box<Meeting>),
    Gone,
}

struct Run<'a> {
    engine: &'a Engine,
    request: &'a MigrationRequest,
    lease: &'a Lease,
    user: &'a User,
    calendar: &'a dyn UserCalendar,
    preparation: &'a Preparation<'a>,
    tally: &'a mut Tally,
    /// Events whose journal entry could not be settled: they are left alone in this attempt.
    unsettled: HashSet<EventId>,
    /// Whether the journal may hold events that were written in part.
    has_partly: bool,
    /// What an administrator should know.
    message: &'a mut String,
    /// A server asked to be left alone, or the mail server is away: the attempt ends after this page.
    halt: Option<PortError>,
    seen: u64,
    progress: &'a (dyn Fn(Progress) + Send + Sync),
}

/// How much of a request an attempt does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// All of it.
    Whole,
    /// What an earlier attempt began and did not end: writes whose fate is unknown, and mails. Then it waits as before.
    Begun,
}

/// Runs one attempt at the claimed `request`.
///
/// # Errors
/// The store's; every other failure is in the ending.
pub(crate) async fn attempt(
    engine: &Engine,
    request: &MigrationRequest,
    lease: &Lease,
    extent: Extent,
    stop: &(dyn Fn() -> bool + Send + Sync),
    progress: &(dyn Fn(Progress) + Send + Sync),
) -> Result<Ending, StoreError> {
    let mut tally = tally_of(engine, request).await?;
    let mut message = String::new();
    let result = work(engine, request, lease, extent, stop, progress, &mut tally, &mut message).await;
    let how = match result {
        Ok(()) if tally.waiting == 0 => None,
        Ok(()) => Some(PortError::retry(Code::RetriesExhausted, message.clone())),
        Err(Stop::Store(error)) => return Err(error),
        Err(Stop::Shutdown) => {
            let how = match extent {
                Extent::Whole => Finish::HandedBack,
                Extent::Begun => Finish::Retry { at: request.due, counted: false },
            };
            if extent == Extent::Begun && message.is_empty() {
                message.clone_from(&request.last_message);
            }
            return Ok(Ending { how, counts: tally.counts(), message });
        }
        Err(Stop::Port(error)) => {
            message = error.to_string();
            Some(error)
        }
    };
    let now = engine.clock.now();
    if let Some(error) = how {
        let at = |wait: Duration| now.checked_add(wait).unwrap_or(now);
        match error.kind {
            ErrorKind::RetryAfter(wait) => {
                let how = Finish::Retry { at: at(ladder::asked(wait)), counted: false };
                return Ok(Ending { how, counts: tally.counts(), message });
            }
            ErrorKind::Retry | ErrorKind::Conflict => {
                if let Some(wait) =
                    ladder::delay(request.retries, engine.settings.retries, engine.ids.fraction())
                {
                    let how = Finish::Retry { at: at(wait), counted: true };
                    return Ok(Ending { how, counts: tally.counts(), message });
                }
                message = format!("{}: tried for 24 hours; last: {message}", Code::RetriesExhausted);
            }
            ErrorKind::Permanent | ErrorKind::Gone | ErrorKind::Unauthorised => {}
        }
        give_up_waiting(engine, request, lease, &mut tally).await?;
        return Ok(Ending { how: Finish::Failed, counts: tally.counts(), message });
    }
    let counts = tally.counts();
    if counts.failed > 0 && message.is_empty() {
        message.clone_from(&request.last_message);
    }
    let how = if counts.failed > 0 { Finish::Failed } else { Finish::Succeeded };
    Ok(Ending { how, counts, message })
}

/// Counts what earlier attempts recorded.
async fn tally_of(engine: &Engine, request: &MigrationRequest) -> Result<Tally, StoreError> {
    let mut tally = Tally::default();
    let mut after = None;
    loop {
        let page = engine.store.records(request.id, after.as_ref(), engine.page()).await?;
        let Some(last) = page.last() else { return Ok(tally) };
        after = Some(last.event.clone());
        page.iter().for_each(|record| tally.count(record, true));
    }
}

/// No retry is left: what waited for one has failed.
async fn give_up_waiting(
    engine: &Engine,
    request: &MigrationRequest,
    lease: &Lease,
    tally: &mut Tally,
) -> Result<(), StoreError> {
    let mut after = None;
    while tally.waiting > 0 {
        let page = engine.store.records(request.id, after.as_ref(), engine.page()).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.event.clone());
        let given_up: Vec<MeetingRecord> = page
            .into_iter()
            .filter(|record| record.outcome == MeetingOutcome::WillRetry)
            .map(|record| {
                tally.count(&record, false);
                let record = MeetingRecord { outcome: MeetingOutcome::Failed, ..record };
                tally.count(&record, true);
                record
            })
            .collect();
        engine.store.record(lease, &given_up).await?;
    }
    Ok(())
}

#[expect(clippy::too_many_arguments, reason = "what an attempt has to do with, and nowhere else")]
async fn work(
    engine: &Engine,
    request: &MigrationRequest,
    lease: &Lease,
    extent: Extent,
    stop: &(dyn Fn() -> bool + Send + Sync),
    progress: &(dyn Fn(Progress) + Send + Sync),
    tally: &mut Tally,
    message: &mut String,
) -> Result<(), Stop> {
    let user = engine.current_user(&request.user).await?;
    let calendar = engine.open_calendar(&user).await?;
    if let TargetMeetingType::Platform(target) = &request.migration.target
        && !engine.connectors.platforms.iter().any(|p| p.platform() == *target)
    {
        return Err(not_configured(target).into());
    }
    let preparation = engine.preparation(&request.migration, &user, &*calendar, false);
    let mut run = Run {
        engine,
        request,
        lease,
        user: &user,
        calendar: &*calendar,
        preparation: &preparation,
        tally,
        unsettled: HashSet::new(),
        has_partly: true,
        message,
        halt: None,
        seen: 0,
        progress,
    };
    run.settle(stop).await?;
    if extent == Extent::Begun {
        return Err(Stop::Shutdown);
    }
    let from = engine.clock.now();
    let mut pages = calendar.meetings(from);
    while let Some(page) = pages.next().await? {
        // A connector's page may be larger than ours.
        let mut page = page.into_iter();
        loop {
            let part: Vec<_> = page.by_ref().take(engine.page() as usize).collect();
            if part.is_empty() {
                break;
            }
            if stop() {
                return Err(Stop::Shutdown);
            }
            run.page(part).await?;
            run.halted()?;
        }
    }
    drop(pages);
    run.leftovers(from, stop).await
}

impl Run<'_> {
    fn halted(&mut self) -> Result<(), Stop> {
        self.halt.take().map_or(Ok(()), |error| Err(Stop::Port(error)))
    }

    /// Finds out what became of the writes that an earlier attempt began, and goes on from there.
    async fn settle(&mut self, stop: &(dyn Fn() -> bool + Send + Sync)) -> Result<(), Stop> {
        let mut after = None;
        loop {
            let entries = self
                .engine
                .store
                .journalled(self.request.id, &BEGUN, after.as_ref(), self.engine.page())
                .await?;
            let Some(last) = entries.last() else { return Ok(()) };
            if stop() {
                return Err(Stop::Shutdown);
            }
            after = Some(last.event.clone());
            self.settle_entries(entries).await?;
            self.halted()?;
        }
    }

    /// Settles journal entries; those whose event does not hold the change, or a part of it only, are planned anew: their
    /// meetings are returned as they stand now.
    async fn settle_entries(&mut self, entries: Vec<JournalEntry>) -> Result<Vec<Meeting>, Stop> {
        let current = self.reread(entries.iter().map(|e| e.event.clone()).collect()).await;
        let (mut written, mut abandoned, mut again) = (Vec::new(), Vec::new(), Vec::new());
        let mut partly = Vec::new();
        for (entry, current) in entries.into_iter().zip(current) {
            match current {
                Err(error) => {
                    self.unsettled.insert(entry.event.clone());
                    self.heed(&error);
                    let record = failed(entry.record, &error);
                    self.note(vec![record]).await?;
                }
                Ok(None) => {
                    let gone = PortError::new(
                        ErrorKind::Gone,
                        Code::EventGone,
                        "the event was deleted while it was being migrated",
                    );
                    let to = if entry.state == JournalState::Written {
                        JournalState::Closed
                    } else {
                        JournalState::Abandoned
                    };
                    self.advance(to, vec![(entry.event, Some(failed(entry.record, &gone)))]).await?;
                }
                Ok(Some(current)) => {
                    if entry.state == JournalState::Written || self.holds(&entry, &current).await? {
                        // A server that tells attendees did so with the write.
                        let told = if self.calendar.scheduling() == Scheduling::Server {
                            entry.record.attendees_told
                        } else {
                            0
                        };
                        let language = language(&current);
                        written.push(Written { entry, language, told, remarks: Vec::new() });
                    } else {
                        if holds_a_part(&entry, &current) { &mut partly } else { &mut abandoned }
                            .push((entry.event, None));
                        again.push(current);
                    }
                }
            }
        }
        self.advance(JournalState::Abandoned, abandoned).await?;
        self.advance(JournalState::Partly, partly).await?;
        let planned = written.iter().filter(|w| w.entry.state == JournalState::Planned);
        let planned: Vec<_> = planned.map(|w| (w.entry.event.clone(), None)).collect();
        self.advance(JournalState::Written, planned).await?;
        self.complete(written).await?;
        Ok(again)
    }

    async fn reread(&self, events: Vec<EventId>) -> Vec<Result<Option<Meeting>, PortError>> {
        let now = self.engine.clock.now();
        let reads: Vec<_> =
            events.into_iter().map(|event| async move { self.calendar.get(&event, now).await }).collect();
        futures_util::stream::iter(reads).buffered(CONCURRENCY).collect().await
    }

    /// Whether the event as it stands holds the journalled change.
    async fn holds(&self, entry: &JournalEntry, current: &Meeting) -> Result<bool, Stop> {
        if current.content == entry.written {
            return Ok(true);
        }
        if current.version == entry.version || current.content == entry.original {
            return Ok(false);
        }
        let there =
            entry.targets.iter().all(|(instance, url)| join_url(current, instance) == Some(url.as_str()));
        if !there {
            return Ok(false);
        }
        // Where the link itself did not change, only the platform's coordinates tell.
        if entry.targets.iter().any(|(_, url)| entry.record.old_url.as_deref() == Some(url)) {
            let (prepared, _) = self.preparation.prepare(current.clone(), self.engine.clock.now()).await;
            return Ok(matches!(prepared, Prepared::Settled(r) if r.outcome == MeetingOutcome::AlreadyThere));
        }
        Ok(true)
    }

    /// One page of what the calendar lists.
    async fn page(&mut self, page: Vec<Result<Meeting, (EventId, PortError)>>) -> Result<(), Stop> {
        self.seen += page.len() as u64;
        let events: Vec<EventId> = page
            .iter()
            .map(|found| match found {
                Ok(meeting) => meeting.id.clone(),
                Err((event, _)) => event.clone(),
            })
            .collect();
        let known = self.engine.store.records_of(self.request.id, &events).await?;
        // Only what failed is tried again.
        let done: HashSet<&EventId> = known
            .iter()
            .filter(|r| !matches!(r.outcome, MeetingOutcome::WillRetry | MeetingOutcome::Skipped))
            .map(|r| &r.event)
            .chain(&self.unsettled)
            .collect();
        let mut once = HashSet::new();
        let (mut meetings, mut unreadable) = (Vec::new(), Vec::new());
        for (found, event) in page.into_iter().zip(&events) {
            if done.contains(event) || !once.insert(event) {
                continue;
            }
            match found {
                Ok(meeting) => meetings.push(meeting),
                Err((event, error)) => unreadable.push((event, error)),
            }
        }
        drop(done);
        for (event, error) in unreadable {
            self.heed(&error);
            let record = self.unreadable(event, &error);
            self.note(vec![record]).await?;
        }
        self.migrate(meetings).await?;
        let counts = self.tally.counts();
        self.engine.store.progress(self.lease, counts, self.engine.clock.now()).await?;
        (self.progress)(Progress { request: self.request.id, seen: self.seen, counts });
        Ok(())
    }

    fn unreadable(&self, event: EventId, error: &PortError) -> MeetingRecord {
        let empty = MeetingRecord {
            event,
            uid: String::new(),
            subject: String::new(),
            outcome: MeetingOutcome::Failed,
            code: None,
            message: String::new(),
            platform: None,
            old_url: None,
            new_url: None,
            instances: Vec::new(),
            attendees_told: 0,
            at: self.engine.clock.now(),
        };
        failed(empty, error)
    }

    /// Prepares, journals, writes, verifies, tells and records; what changed meanwhile is read and planned anew.
    async fn migrate(&mut self, meetings: Vec<Meeting>) -> Result<(), Stop> {
        let mut todo = meetings;
        for round in 0..=CONFLICT_TRIES {
            let changes = self.prepare(todo).await?;
            if changes.is_empty() {
                return Ok(());
            }
            if round == CONFLICT_TRIES {
                let conflict = PortError::new(
                    ErrorKind::Conflict,
                    Code::EventConflict,
                    "the event kept changing while it was being migrated: it is tried again later",
                );
                let records = changes.into_iter().map(|change| failed(change.record, &conflict)).collect();
                return self.note(records).await;
            }
            todo = self.publish(changes).await?;
        }
        Ok(())
    }

    async fn prepare(&mut self, meetings: Vec<Meeting>) -> Result<Vec<Change>, Stop> {
        let now = self.engine.clock.now();
        let preparation = self.preparation;
        // A whole page at once, so that a platform that takes several meetings with one request gets them together; how
        // many requests that makes at a time is its connector's to say.
        let steps = meetings.into_iter().map(|meeting| preparation.prepare(meeting, now));
        let prepared = futures_util::future::join_all(steps).await;
        let (mut changes, mut records) = (Vec::new(), Vec::new());
        for (prepared, wait) in prepared {
            match prepared {
                Prepared::Change(change) => changes.push(*change),
                Prepared::Settled(record) => {
                    if let Some(wait) = wait {
                        let kind = ErrorKind::RetryAfter(wait);
                        self.heed(&PortError::new(kind, Code::PlatformError, record.message.clone()));
                    }
                    records.push(*record);
                }
            }
        }
        self.note(records).await?;
        Ok(changes)
    }

    /// Writes changes; returns the meetings whose event changed in between, as they stand now.
    async fn publish(&mut self, changes: Vec<Change>) -> Result<Vec<Meeting>, Stop> {
        let server = self.calendar.scheduling() == Scheduling::Server;
        let now = self.engine.clock.now();
        let (mut entries, mut before, mut contents) = (Vec::new(), Vec::new(), Vec::new());
        let mut partly = self.partly(&changes).await?;
        for change in changes {
            let Change { meeting, rewritten, targets, mut record, tell } = change;
            before.push(Before { language: language(&meeting), attendees: meeting.attendees });
            if server {
                record.attendees_told = u32::try_from(tell.len()).unwrap_or(u32::MAX);
            }
            let mut entry = JournalEntry {
                request: self.request.id,
                event: meeting.id,
                uid: meeting.uid,
                state: JournalState::Planned,
                version: meeting.version,
                original: meeting.content,
                written: rewritten.content.clone(),
                undone: Vec::new(),
                targets,
                record,
                at: now,
            };
            if let Some(first) = partly.remove(&entry.event) {
                self.join(&mut entry, first);
            }
            contents.push(rewritten.content);
            entries.push((entry, if server { Vec::new() } else { tell }));
        }
        self.engine.store.journal(self.lease, &entries).await?;
        let entries: Vec<JournalEntry> = entries.into_iter().map(|(entry, _)| entry).collect();
        let updates: Vec<Update> = entries
            .iter()
            .zip(contents)
            .map(|(entry, content)| Update {
                id: entry.event.clone(),
                version: entry.version.clone(),
                content,
                notify: self.engine.settings.notify,
            })
            .collect();
        let results = self.calendar.update(updates).await;
        if results.len() != entries.len() {
            return Err(PortError::retry(
                Code::CalendarServerError,
                "the calendar did not answer every write",
            )
            .into());
        }
        let (mut written, mut unclear) = (Vec::new(), Vec::new());
        for ((entry, before), result) in entries.into_iter().zip(before).zip(results) {
            match result {
                Ok(updated) => written.push(Taken { entry, before, updated }),
                Err(error) if matches!(error.kind, ErrorKind::Conflict | ErrorKind::Gone) => {
                    unclear.push(entry)
                }
                Err(error) => {
                    self.heed(&error);
                    let record = failed(entry.record.clone(), &error);
                    if matches!(error.kind, ErrorKind::Retry | ErrorKind::RetryAfter(_)) {
                        // The write may have happened: the entry stays open for the next attempt, which knows from it
                        // whom the server told then.
                        self.note(vec![MeetingRecord { attendees_told: 0, ..record }]).await?;
                    } else {
                        self.give_up(entry, record, &error).await?;
                    }
                }
            }
        }
        self.verify(written).await?;
        self.settle_entries(unclear).await
    }

    /// What is journalled of these events as written in part.
    async fn partly(&mut self, changes: &[Change]) -> Result<HashMap<EventId, JournalEntry>, Stop> {
        let (states, mut after) = ([JournalState::Partly], None);
        let mut found = HashMap::new();
        if !self.has_partly {
            return Ok(found);
        }
        loop {
            let page =
                self.engine.store.journalled(self.request.id, &states, after.as_ref(), self.engine.page());
            let page = page.await?;
            let Some(last) = page.last() else {
                self.has_partly = after.is_some();
                return Ok(found);
            };
            after = Some(last.event.clone());
            let of_these =
                |entry: &JournalEntry| changes.iter().any(|change| change.meeting.id == entry.event);
            found.extend(page.into_iter().filter(of_these).map(|entry| (entry.event.clone(), entry)));
        }
    }

    /// Notes in `entry` what `first` wrote of the same event, so that a rollback takes back both.
    fn join(&self, entry: &mut JournalEntry, first: JournalEntry) {
        let (original, written) =
            self.calendar.joined((&first.original, &first.written), (&entry.original, &entry.written));
        (entry.original, entry.written) = (original, written);
        let known: Vec<InstanceId> = entry.targets.iter().map(|(instance, _)| instance.clone()).collect();
        entry.targets.extend(first.targets.into_iter().filter(|(instance, _)| !known.contains(instance)));
    }

    /// Closes the entry of a write that failed for good; it is abandoned only where nothing of it was written.
    async fn give_up(
        &mut self,
        entry: JournalEntry,
        mut record: MeetingRecord,
        error: &PortError,
    ) -> Result<(), Stop> {
        let may_hold = if error.code == Code::WriteNotVerified {
            true
        } else if entry.targets.len() > 1 {
            let current = self.reread(vec![entry.event.clone()]).await.pop();
            // What cannot be read now may hold a part of it.
            current
                .is_none_or(|current| current.map_or(true, |c| c.is_some_and(|c| holds_a_part(&entry, &c))))
        } else {
            false
        };
        let to = if may_hold {
            JournalState::Partly
        } else {
            record.attendees_told = 0;
            JournalState::Abandoned
        };
        self.advance(to, vec![(entry.event, Some(record))]).await
    }

    /// Reads back what was written, and goes on with what reads back as written.
    async fn verify(&mut self, taken: Vec<Taken>) -> Result<(), Stop> {
        let entries = taken.iter().map(|taken| (taken.entry.event.clone(), None)).collect();
        self.advance(JournalState::Written, entries).await?;
        let mut verified = Vec::new();
        for (Taken { entry, before, updated }, current) in self.read_back(taken).await {
            let (told, mut remarks) = (updated.attendees_told, updated.remarks);
            match current {
                Ok(Current::AsWritten) => {
                    verified.push(Written { entry, language: before.language, told, remarks });
                }
                Ok(Current::Holds(current)) if self.reads_back(&entry, &current) => {
                    if let Some(remark) = answers_reset(&before.attendees, &current.attendees)
                        && !remarks.iter().any(|(code, _)| *code == Code::AnswersReset)
                    {
                        remarks.push((Code::AnswersReset, remark));
                    }
                    verified.push(Written { entry, language: language(&current), told, remarks });
                }
                Ok(Current::Holds(_)) => {
                    let error = PortError::retry(
                        Code::WriteNotVerified,
                        "the calendar took the update but does not hold it: look at the event in the calendar",
                    );
                    let record = failed(entry.record, &error);
                    self.advance(JournalState::Partly, vec![(entry.event, Some(record))]).await?;
                }
                Ok(Current::Gone) => {
                    let error = PortError::new(
                        ErrorKind::Gone,
                        Code::EventGone,
                        "the event was deleted right after its migration",
                    );
                    let record = failed(entry.record, &error);
                    self.advance(JournalState::Closed, vec![(entry.event, Some(record))]).await?;
                }
                // It stands in the journal as written: the next attempt goes on.
                Err(error) => {
                    self.heed(&error);
                    self.note(vec![failed(entry.record, &error)]).await?;
                }
            }
        }
        self.complete(verified).await
    }

    /// Writes with what stands in the calendar since; what the connector has not read back is read now.
    async fn read_back(&self, mut taken: Vec<Taken>) -> Vec<(Taken, Result<Current, PortError>)> {
        let seen: Vec<_> = taken
            .iter_mut()
            .map(|taken| std::mem::replace(&mut taken.updated.read_back, ReadBack::Unread))
            .collect();
        let unread = taken.iter().zip(&seen).filter(|(_, seen)| matches!(seen, ReadBack::Unread));
        let reread = self.reread(unread.map(|(taken, _)| taken.entry.event.clone()).collect()).await;
        let mut reread = reread.into_iter().map(|read| {
            read.map(|meeting| meeting.map_or(Current::Gone, |meeting| Current::Holds(Box::new(meeting))))
        });
        let mut current = |seen| match seen {
            ReadBack::AsWritten => Some(Ok(Current::AsWritten)),
            ReadBack::Differs(meeting) => Some(Ok(Current::Holds(meeting))),
            ReadBack::Unread => reread.next(),
        };
        taken.into_iter().zip(seen).filter_map(|(taken, seen)| Some((taken, current(seen)?))).collect()
    }

    fn reads_back(&self, entry: &JournalEntry, current: &Meeting) -> bool {
        current.content == entry.written
            || entry.targets.iter().all(|(instance, url)| join_url(current, instance) == Some(url.as_str()))
    }

    /// Tells attendees and records the outcome.
    async fn complete(&mut self, written: Vec<Written>) -> Result<(), Stop> {
        let mut mailings = HashMap::new();
        if self.calendar.scheduling() == Scheduling::Client {
            let events: Vec<EventId> = written.iter().map(|write| write.entry.event.clone()).collect();
            mailings = self.engine.store.mailings(self.request.id, &events).await?;
        }
        let mut closed = Vec::new();
        for write in written {
            let Written { entry, language, told, remarks } = write;
            let mut record =
                MeetingRecord { attendees_told: told, at: self.engine.clock.now(), ..entry.record.clone() };
            if let Some((code, message)) = remarks.into_iter().next() {
                record.code = Some(code.name().to_owned());
                record.message = message;
            }
            if let Some(mailings) = mailings.remove(&entry.event) {
                let told = self.tell(&entry, language, mailings).await?;
                record.attendees_told = told.count;
                if let Some((code, message)) = told.remark {
                    // The meeting has moved and not one attendee knows: somebody must.
                    if code == Code::MailRejected && told.count == 0 {
                        record.outcome = MeetingOutcome::Failed;
                    }
                    record.code = Some(code.name().to_owned());
                    record.message = message;
                }
                if let Some(error) = told.pending {
                    let record = failed(record, &error);
                    self.heed_mail(error);
                    self.note(vec![record]).await?;
                    continue;
                }
            }
            closed.push((entry.event, Some(record)));
        }
        self.advance(JournalState::Closed, closed).await
    }

    async fn tell(
        &mut self,
        entry: &JournalEntry,
        language: Option<String>,
        mailings: Vec<Mailing>,
    ) -> Result<mail::Told, Stop> {
        // Once the mail server is away, mails wait without knocking for each.
        let sender = self.engine.connectors.sender.as_deref();
        if let Some(error) = &self.halt
            && matches!(error.code, Code::MailUnreachable | Code::MailRejected)
            && sender.is_some()
        {
            let pending = Some(PortError::new(error.kind, error.code, error.message.clone()));
            return Ok(mail::Told { pending, ..mail::Told::default() });
        }
        let itip = match self.calendar.invitation(&entry.written) {
            Ok(itip) => itip,
            Err(error) => return Ok(mail::Told { pending: Some(error), ..mail::Told::default() }),
        };
        let update = mail::Update {
            event: &entry.event,
            subject: &entry.record.subject,
            language: language.unwrap_or_else(|| self.engine.settings.default_language.clone()),
            join_url: entry.record.new_url.clone().unwrap_or_default(),
            itip,
            undo: false,
        };
        Ok(mail::tell(&*self.engine.store, sender, self.lease, self.user, &update, mailings).await?)
    }

    /// What waits for a retry but was not listed: gone, moved to the past, or no longer in scope.
    async fn leftovers(
        &mut self,
        began: jiff::Timestamp,
        stop: &(dyn Fn() -> bool + Send + Sync),
    ) -> Result<(), Stop> {
        let mut after = None;
        while self.tally.waiting > 0 {
            let page = self.engine.store.records(self.request.id, after.as_ref(), self.engine.page()).await?;
            let Some(last) = page.last() else { break };
            if stop() {
                return Err(Stop::Shutdown);
            }
            after = Some(last.event.clone());
            let unseen: Vec<MeetingRecord> = page
                .into_iter()
                .filter(|r| r.outcome == MeetingOutcome::WillRetry && r.at < began)
                .filter(|r| !self.unsettled.contains(&r.event))
                .collect();
            let current = self.reread(unseen.iter().map(|r| r.event.clone()).collect()).await;
            let mut meetings = Vec::new();
            for (record, current) in unseen.into_iter().zip(current) {
                match current {
                    Err(error) => self.note(vec![failed(record, &error)]).await?,
                    Ok(Some(meeting)) => meetings.push(meeting),
                    Ok(None) => {
                        let message = "The event is no longer in the calendar.".to_owned();
                        let outcome = MeetingOutcome::Skipped;
                        let code = Some(Code::EventGone.name().to_owned());
                        self.note(vec![MeetingRecord { outcome, code, message, ..record }]).await?;
                    }
                }
            }
            if !meetings.is_empty() && !self.is_open(&BEGUN, &meetings).await? {
                self.migrate(meetings).await?;
                self.halted()?;
            }
        }
        Ok(())
    }

    /// Whether a journal entry of one of `meetings` is still open.
    async fn is_open(&self, states: &[JournalState], meetings: &[Meeting]) -> Result<bool, Stop> {
        let mut after = None;
        loop {
            let open = self
                .engine
                .store
                .journalled(self.request.id, states, after.as_ref(), self.engine.page())
                .await?;
            let Some(last) = open.last() else { return Ok(false) };
            if open.iter().any(|entry| meetings.iter().any(|m| m.id == entry.event)) {
                return Ok(true);
            }
            after = Some(last.event.clone());
        }
    }

    async fn advance(
        &mut self,
        to: JournalState,
        entries: Vec<(EventId, Option<MeetingRecord>)>,
    ) -> Result<(), Stop> {
        if entries.is_empty() {
            return Ok(());
        }
        let events: Vec<EventId> =
            entries.iter().filter(|(_, record)| record.is_some()).map(|(event, _)| event.clone()).collect();
        let before = self.before(&events).await?;
        self.engine.store.advance(self.lease, to, &entries).await?;
        self.has_partly |= to == JournalState::Partly;
        self.count(&before, entries.iter().filter_map(|(_, record)| record.as_ref()));
        Ok(())
    }

    async fn note(&mut self, records: Vec<MeetingRecord>) -> Result<(), Stop> {
        let events: Vec<EventId> = records.iter().map(|record| record.event.clone()).collect();
        let before = self.before(&events).await?;
        self.engine.store.record(self.lease, &records).await?;
        self.count(&before, records.iter());
        Ok(())
    }

    async fn before(&self, events: &[EventId]) -> Result<Vec<MeetingRecord>, Stop> {
        if events.is_empty() {
            return Ok(Vec::new());
        }
        Ok(self.engine.store.records_of(self.request.id, events).await?)
    }

    fn count<'r>(&mut self, before: &[MeetingRecord], after: impl Iterator<Item = &'r MeetingRecord>) {
        before.iter().for_each(|record| self.tally.count(record, false));
        for record in after {
            self.tally.count(record, true);
            if let Some(code) = &record.code
                && record.outcome != MeetingOutcome::Skipped
            {
                // What has no subject is known by its file, which the message names already.
                *self.message =
                    if record.subject.trim().is_empty() && record.message.contains(&record.title()) {
                        format!("{code}: {}", record.message)
                    } else {
                        format!("{code}: {}: {}", record.title(), record.message)
                    };
            }
        }
    }

    /// A server that asks to be left alone is left alone.
    fn heed(&mut self, error: &PortError) {
        if matches!(error.kind, ErrorKind::RetryAfter(_)) && self.halt.is_none() {
            self.halt = Some(PortError::new(error.kind, error.code, error.message.clone()));
        }
    }

    /// No more meetings are written while nobody can be told of them.
    fn heed_mail(&mut self, error: PortError) {
        let again = matches!(error.kind, ErrorKind::Retry | ErrorKind::RetryAfter(_));
        if again && error.code == Code::MailUnreachable && self.halt.is_none() {
            self.halt = Some(error);
        } else {
            self.heed(&error);
        }
    }
}

/// The join URL that `instance` of `meeting` has.
pub(crate) fn join_url<'m>(meeting: &'m Meeting, instance: &InstanceId) -> Option<&'m str> {
    let instance = meeting.instances.iter().find(|i| i.id == *instance)?;
    match &instance.recognition {
        Recognition::One(online) => online.join_url.as_deref(),
        _ => None,
    }
}

/// The language of the meeting's first block that shows one.
pub(crate) fn language(meeting: &Meeting) -> Option<String> {
    meeting.instances.iter().find_map(|i| match &i.recognition {
        Recognition::One(online) => online.language.clone(),
        _ => None,
    })
}

/// Attendees whose answer the write lost.
fn answers_reset(before: &[Attendee], after: &[Attendee]) -> Option<String> {
    let open = |a: &Attendee| a.participation == Participation::NeedsAction;
    let now_open: HashSet<_> = after.iter().filter(|a| open(a)).map(|a| &a.address).collect();
    let lost = before.iter().filter(|a| !open(a) && now_open.contains(&a.address)).count();
    (lost > 0).then(|| format!("the server reset the answers of {lost} attendees when it stored the update"))
}

/// Whether some components of the event hold the journalled change. Where its links stay as they are, nobody can tell,
/// and it counts as held.
fn holds_a_part(entry: &JournalEntry, current: &Meeting) -> bool {
    entry.targets.len() > 1
        && entry.targets.iter().any(|(instance, url)| join_url(current, instance) == Some(url.as_str()))
}
