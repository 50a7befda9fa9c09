//! Taking migrations back. The plan comes from the journal; the journal also carries the rollback's own progress
//! (`Undoing`, `Undone`, `RolledBack`), so that a crash leads neither to a second write nor to a second mail.

use mms_model::port::{
    JournalEntry, JournalState, Lease, Scheduling, StoreError, UndoEntry, Update, UserCalendar,
};
use mms_model::{
    AttendeeChoice, Code, ErrorKind, EventId, Meeting, MeetingOutcome, MeetingRecord, MigrationRequest,
    PortError, RequestId, User,
};

use crate::engine::{Engine, worker_name};
use crate::pipeline::{CONFLICT_TRIES, join_url, language};
use crate::prepare::Preparation;
use crate::{EngineError, mail};

/// Which meetings of a request to roll back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RollbackSelection {
    /// Every one that was migrated.
    All,
    /// These.
    Events(Vec<EventId>),
}

impl RollbackSelection {
    fn holds(&self, event: &EventId) -> bool {
        match self {
            Self::All => true,
            Self::Events(events) => events.contains(event),
        }
    }
}

/// What became of one meeting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RolledBack {
    /// The event.
    pub event: EventId,
    /// Its subject.
    pub subject: String,
    /// None where it is what it was before; else why not, or what to know.
    pub problem: Option<(Code, String)>,
    /// Whether the event is restored.
    pub restored: bool,
}

/// What became of a rollback.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rollback {
    /// Meetings restored.
    pub restored: u64,
    /// Meetings that are not.
    pub failed: u64,
    /// Those with something to know: what was not restored, and why.
    pub problems: Vec<RolledBack>,
}

struct Undoer<'a> {
    engine: &'a Engine,
    lease: &'a Lease,
    user: &'a User,
    calendar: &'a dyn UserCalendar,
    preparation: &'a Preparation<'a>,
    outcome: Rollback,
}

enum Broken {
    Store(StoreError),
    Port(PortError),
}

impl From<StoreError> for Broken {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<PortError> for Broken {
    fn from(error: PortError) -> Self {
        Self::Port(error)
    }
}

impl Engine {
    /// Restores the selected meetings of a request that has ended, and has attendees told. Goes on with what an
    /// interrupted rollback of the request began, whatever is selected.
    ///
    /// # Errors
    /// The request has not ended or is being worked on; the calendar cannot be opened; the store failed. What
    /// fails for one meeting is in the answer.
    pub async fn rollback(
        &self,
        id: RequestId,
        selection: &RollbackSelection,
        by: &str,
    ) -> Result<Rollback, EngineError> {
        let claimed =
            self.store.claim_rollback(id, &worker_name(by), self.clock.now(), self.settings.lease).await?;
        let Some((request, lease)) = claimed else {
            let request = self.request(id).await?;
            let why = if request.state.is_final() {
                "another request of the same user is being worked on"
            } else {
                "it has not ended yet: cancel it or let it end first"
            };
            return Err(EngineError::NotAvailable(id, why));
        };
        self.note(by, "RollBackMigration", &request.user.upn, &id.to_string()).await?;
        let done = self.under_lease(&lease, async {
            let result = undo_all(self, &request, &lease, selection).await;
            let message = match &result {
                Ok(done) => format!("Rolled back by {by}: {} restored, {} not.", done.restored, done.failed),
                Err(Broken::Port(error)) => format!("The rollback by {by} stopped: {error}"),
                Err(Broken::Store(_)) => String::new(),
            };
            match result {
                Err(Broken::Store(error)) => Err(error),
                other => {
                    self.store.end_rollback(&lease, &message, self.clock.now()).await?;
                    Ok(other)
                }
            }
        });
        match done.await? {
            Ok(done) => Ok(done),
            Err(Broken::Port(error)) => Err(error.into()),
            Err(Broken::Store(error)) => Err(error.into()),
        }
    }
}

async fn undo_all(
    engine: &Engine,
    request: &MigrationRequest,
    lease: &Lease,
    selection: &RollbackSelection,
) -> Result<Rollback, Broken> {
    let user = engine.current_user(&request.user).await?;
    let calendar = engine.open_calendar(&user).await?;
    let preparation = engine.preparation(&request.migration, &user, &*calendar, true);
    let outcome = Rollback::default();
    let mut undoer =
        Undoer { engine, lease, user: &user, calendar: &*calendar, preparation: &preparation, outcome };
    // What an interrupted rollback began comes first, then what is selected.
    undoer.each(request.id, &[JournalState::Undoing, JournalState::Undone], &RollbackSelection::All).await?;
    let states = [JournalState::Planned, JournalState::Written, JournalState::Partly, JournalState::Closed];
    undoer.each(request.id, &states, selection).await?;
    Ok(undoer.outcome)
}

/// What became of one meeting.
enum Restored {
    /// It is as it was; with what is to be known of its mails.
    Now(Option<(Code, String)>),
    /// The migration did not get to it.
    NeverWritten,
}

impl Undoer<'_> {
    async fn each(
        &mut self,
        request: RequestId,
        states: &[JournalState],
        selection: &RollbackSelection,
    ) -> Result<(), Broken> {
        let mut after = None;
        if matches!(selection, RollbackSelection::Events(events) if events.is_empty()) {
            return Ok(());
        }
        loop {
            let page =
                self.engine.store.journalled(request, states, after.as_ref(), self.engine.page()).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(last.event.clone());
            for entry in page.into_iter().filter(|entry| selection.holds(&entry.event)) {
                match self.one(&entry).await {
                    Ok(Restored::Now(remark)) => {
                        self.outcome.restored += 1;
                        if let Some(remark) = remark {
                            self.problem(&entry, true, remark);
                        }
                    }
                    Ok(Restored::NeverWritten) => {}
                    Err(Broken::Store(error)) => return Err(Broken::Store(error)),
                    Err(Broken::Port(error)) => {
                        self.outcome.failed += 1;
                        self.problem(&entry, false, (error.code, error.message));
                    }
                }
            }
        }
    }

    fn problem(&mut self, entry: &JournalEntry, restored: bool, problem: (Code, String)) {
        let (event, subject) = (entry.event.clone(), entry.record.subject.clone());
        self.outcome.problems.push(RolledBack { event, subject, problem: Some(problem), restored });
    }

    /// Restores one meeting.
    async fn one(&mut self, entry: &JournalEntry) -> Result<Restored, Broken> {
        if entry.original.is_empty() {
            return Err(PortError::permanent(
                Code::EditedSinceMigration,
                "the original is no longer kept (see retention): change the event by hand",
            )
            .into());
        }
        for _ in 0..CONFLICT_TRIES {
            let now = self.engine.clock.now();
            let current = self.calendar.get(&entry.event, now).await?.ok_or_else(|| {
                PortError::new(ErrorKind::Gone, Code::EventGone, "the event was deleted since its migration")
            })?;
            if entry.state == JournalState::Undone || is_undone(entry, &current) {
                if entry.state == JournalState::Undoing {
                    self.engine
                        .store
                        .advance(self.lease, JournalState::Undone, &[(entry.event.clone(), None)])
                        .await?;
                }
                let undone = if entry.undone.is_empty() { &current.content } else { &entry.undone };
                return self.close(entry, undone, &current).await.map(Restored::Now);
            }
            if current.content == entry.original && entry.state == JournalState::Planned {
                self.close_silently(entry).await?;
                return Ok(Restored::NeverWritten);
            }
            let restored = self.calendar.undo(&entry.original, &entry.written, &current, now)?;
            if restored.content == current.content {
                if entry.state == JournalState::Undoing {
                    // An interrupted rollback wrote it, and told nobody yet.
                    return self.close(entry, &current.content, &current).await.map(Restored::Now);
                }
                // Restored by hand: nothing to write and nobody to tell.
                return self.close_silently(entry).await.map(Restored::Now);
            }
            let server = self.calendar.scheduling() == Scheduling::Server;
            // Whom the server was not to tell of the new link need not hear that it is gone.
            let quiet = server && entry.state == JournalState::Closed && entry.record.attendees_told == 0;
            let tell = if server { Vec::new() } else { self.preparation.addressees(&current) };
            if !tell.is_empty() && self.engine.connectors.sender.is_none() {
                return Err(PortError::permanent(
                    Code::MailNotConfigured,
                    "the calendar does not send updates to attendees: configure [smtp], or set notify = \"none\"",
                )
                .into());
            }
            let undo = UndoEntry {
                event: entry.event.clone(),
                version: current.version.clone(),
                undone: restored.content.clone(),
                tell,
            };
            self.engine.store.undo(self.lease, std::slice::from_ref(&undo)).await?;
            let update = Update {
                id: entry.event.clone(),
                version: current.version.clone(),
                content: restored.content.clone(),
                notify: if quiet { AttendeeChoice::None } else { self.engine.settings.notify },
            };
            match self.calendar.update(vec![update]).await.into_iter().next() {
                Some(Ok(_)) => {
                    self.engine
                        .store
                        .advance(self.lease, JournalState::Undone, &[(entry.event.clone(), None)])
                        .await?;
                    return self.close(entry, &restored.content, &current).await.map(Restored::Now);
                }
                Some(Err(error)) if error.kind == ErrorKind::Conflict => {}
                Some(Err(error)) => return Err(error.into()),
                None => {
                    return Err(PortError::retry(
                        Code::CalendarServerError,
                        "the calendar did not answer the write: roll back again",
                    )
                    .into());
                }
            }
        }
        Err(PortError::new(
            ErrorKind::Conflict,
            Code::EventConflict,
            "the event kept changing while it was being rolled back: roll back again",
        )
        .into())
    }

    /// Tells attendees of the restored event and closes the entry.
    async fn close(
        &mut self,
        entry: &JournalEntry,
        undone: &[u8],
        current: &Meeting,
    ) -> Result<Option<(Code, String)>, Broken> {
        let mut remark = None;
        let mut record = self.record(entry);
        if self.calendar.scheduling() == Scheduling::Client {
            let update = mail::Update {
                event: &entry.event,
                subject: &entry.record.subject,
                language: language(current).unwrap_or_else(|| self.engine.settings.default_language.clone()),
                join_url: entry.record.old_url.clone().unwrap_or_default(),
                itip: self.calendar.invitation(undone)?,
                undo: true,
            };
            let sender = self.engine.connectors.sender.as_deref();
            let store = &*self.engine.store;
            let mut mailings = store.mailings(self.lease.request, std::slice::from_ref(&entry.event)).await?;
            let mailings = mailings.remove(&entry.event).unwrap_or_default();
            let told = mail::tell(store, sender, self.lease, self.user, &update, mailings).await?;
            if let Some(pending) = told.pending {
                return Err(PortError::new(
                    pending.kind,
                    pending.code,
                    format!(
                        "the event is restored but not every attendee was told: {}; roll back again",
                        pending.message
                    ),
                )
                .into());
            }
            record.attendees_told = told.count;
            remark = told.remark;
        }
        if let Some((code, message)) = &remark {
            record.code = Some(code.name().to_owned());
            record.message.clone_from(message);
        }
        let closed = [(entry.event.clone(), Some(record))];
        self.engine.store.advance(self.lease, JournalState::RolledBack, &closed).await?;
        Ok(remark)
    }

    async fn close_silently(&mut self, entry: &JournalEntry) -> Result<Option<(Code, String)>, Broken> {
        let closed = [(entry.event.clone(), Some(self.record(entry)))];
        self.engine.store.advance(self.lease, JournalState::RolledBack, &closed).await?;
        Ok(None)
    }

    fn record(&self, entry: &JournalEntry) -> MeetingRecord {
        MeetingRecord {
            outcome: MeetingOutcome::RolledBack,
            code: None,
            message: String::new(),
            attendees_told: 0,
            at: self.engine.clock.now(),
            ..entry.record.clone()
        }
    }
}

/// Whether the write of an interrupted rollback happened.
fn is_undone(entry: &JournalEntry, current: &Meeting) -> bool {
    if entry.state != JournalState::Undoing {
        return false;
    }
    if current.content == entry.undone {
        return true;
    }
    let old = entry.record.old_url.as_deref();
    current.version != entry.version
        && old.is_some()
        && entry.targets.iter().all(|(instance, url)| {
            let now = join_url(current, instance);
            now != Some(url.as_str()) && now.is_some()
        })
}
