//! What the command line and the server call.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mms_model::port::{
    Calendar, Directory, Finish, InvitationSender, Lease, MeetingPlatform, RequestFilter, RequestStore,
    StoreError, UserCalendar,
};
use mms_model::{
    Attempt, Clock, Code, Counts, ErrorKind, EventId, IdSource, Identity, MeetingRecord, MigrationRequest,
    MigrationType, PortError, RequestId, State, Summary, Transition, User,
};

use crate::pipeline::Extent;
use crate::prepare::Preparation;
use crate::{EngineError, EngineSettings, pipeline};

/// The world that the engine works on.
#[derive(Clone)]
pub struct Connectors {
    /// Calendars by the name of their connector.
    pub calendars: HashMap<String, Arc<dyn Calendar>>,
    /// Target platforms.
    pub platforms: Vec<Arc<dyn MeetingPlatform>>,
    /// Users.
    pub directory: Arc<dyn Directory>,
    /// Mail, for calendars that do not send updates themselves.
    pub sender: Option<Arc<dyn InvitationSender>>,
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// The request.
    pub request: RequestId,
    /// Events looked at in this attempt.
    pub seen: u64,
    /// Meetings by outcome so far.
    pub counts: Counts,
}

/// Migrates meetings.
#[derive(Clone)]
pub struct Engine {
    pub(crate) store: Arc<dyn RequestStore>,
    pub(crate) connectors: Connectors,
    pub(crate) settings: EngineSettings,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Arc<dyn IdSource>,
}

impl Engine {
    /// An engine over `store` and `connectors`.
    pub fn new(
        store: Arc<dyn RequestStore>,
        connectors: Connectors,
        settings: EngineSettings,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn IdSource>,
    ) -> Self {
        Self { store, connectors, settings, clock, ids }
    }

    /// The settings it runs by.
    pub fn settings(&self) -> &EngineSettings {
        &self.settings
    }

    /// The store it keeps requests in.
    pub fn store(&self) -> &Arc<dyn RequestStore> {
        &self.store
    }

    /// What it works on.
    pub fn connectors(&self) -> &Connectors {
        &self.connectors
    }

    /// Claims and runs one attempt at a request now, due or not, and returns what it became. What the user's earlier
    /// requests left unfinished comes first: it may be mails, which a new request would not know of. An earlier one
    /// that asks for the same is run whole; of another what it began is ended, and the rest of it waits on.
    ///
    /// # Errors
    /// There is no such request, somebody else works on it or on another of its user, or the store failed.
    pub async fn run_now(
        &self,
        id: RequestId,
        progress: &(dyn Fn(Progress) + Send + Sync),
    ) -> Result<MigrationRequest, EngineError> {
        let asked = self.request(id).await?.migration;
        for earlier in self.unfinished_before(id).await? {
            let extent = if earlier.migration == asked { Extent::Whole } else { Extent::Begun };
            if extent == Extent::Begun
                && earlier.state == State::Pending
                && !self.has_begun(earlier.id).await?
            {
                continue;
            }
            if let Some((request, lease)) = self.claim_now(earlier.id).await? {
                self.run_claimed(&request, &lease, extent, &|| false, progress).await?;
            }
        }
        let Some((request, lease)) = self.claim_now(id).await? else {
            let request = self.request(id).await?;
            let why = if request.state.is_final() {
                "it has ended already"
            } else {
                "it, or another request of the same user, is being worked on"
            };
            return Err(EngineError::NotAvailable(id, why));
        };
        self.run_claimed(&request, &lease, Extent::Whole, &|| false, progress).await?;
        self.request(id).await
    }

    async fn claim_now(&self, id: RequestId) -> Result<Option<(MigrationRequest, Lease)>, StoreError> {
        self.store.claim_request(id, &worker_name("command"), self.clock.now(), self.settings.lease).await
    }

    /// The other requests of the same user that wait for a retry or whose worker may have died, oldest first.
    async fn unfinished_before(&self, id: RequestId) -> Result<Vec<MigrationRequest>, EngineError> {
        let filter = RequestFilter {
            user: Some(self.request(id).await?.user.id),
            states: vec![State::Pending, State::InProgress],
            ..RequestFilter::default()
        };
        let others = self.store.list(&filter).await?;
        Ok(others.into_iter().rev().filter(|other| other.id != id).collect())
    }

    /// Whether the request has writes whose fate is unknown, or mails to send.
    async fn has_begun(&self, id: RequestId) -> Result<bool, StoreError> {
        Ok(!self.store.journalled(id, &pipeline::BEGUN, None, 1).await?.is_empty())
    }

    /// Runs one attempt under a lease that is kept alive meanwhile.
    pub(crate) async fn run_claimed(
        &self,
        request: &MigrationRequest,
        lease: &Lease,
        extent: Extent,
        stop: &(dyn Fn() -> bool + Send + Sync),
        progress: &(dyn Fn(Progress) + Send + Sync),
    ) -> Result<(), StoreError> {
        let work = async {
            let ending = pipeline::attempt(self, request, lease, extent, stop, progress).await?;
            self.store.finish(lease, ending.how, ending.counts, &ending.message, self.clock.now()).await
        };
        self.under_lease(lease, work).await
    }

    /// Does `work` while the lease is kept alive; drops it where the lease is lost.
    pub(crate) async fn under_lease<T>(
        &self,
        lease: &Lease,
        work: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        tokio::select! {
            biased;
            done = work => done,
            lost = self.keep_alive(lease) => Err(lost),
        }
    }

    /// Extends the lease until it is lost. Gaps are measured on the monotonic clock, so that a wall clock that is
    /// set does not stop them.
    async fn keep_alive(&self, lease: &Lease) -> StoreError {
        let gap = (self.settings.lease / 3).max(Duration::from_millis(10));
        let mut alive = tokio::time::Instant::now();
        loop {
            tokio::time::sleep(gap).await;
            let until = self.clock.now().checked_add(self.settings.lease).unwrap_or(lease.until);
            match self.store.heartbeat(lease, until).await {
                Ok(()) => alive = tokio::time::Instant::now(),
                Err(lost @ StoreError::LeaseLost(_)) => return lost,
                // Somebody else may take the request by now.
                Err(error) if alive.elapsed() >= self.settings.lease => return error,
                Err(error) => {
                    tracing::warn!(request = %lease.request, %error, "the lease could not be extended")
                }
            }
        }
    }

    /// One request.
    ///
    /// # Errors
    /// There is none with this id, or the store failed.
    pub async fn request(&self, id: RequestId) -> Result<MigrationRequest, EngineError> {
        let filter = RequestFilter { id: Some(id), limit: Some(1), ..RequestFilter::default() };
        self.store.list(&filter).await?.into_iter().next().ok_or(EngineError::NoSuchRequest(id))
    }

    /// Requests, newest first.
    ///
    /// # Errors
    /// The store's.
    pub async fn list(&self, filter: &RequestFilter) -> Result<Vec<MigrationRequest>, EngineError> {
        Ok(self.store.list(filter).await?)
    }

    /// Users by the state of their newest request.
    ///
    /// # Errors
    /// The store's.
    pub async fn summary(&self) -> Result<Summary, EngineError> {
        Ok(self.store.summary().await?)
    }

    /// The state changes of a request.
    ///
    /// # Errors
    /// The store's.
    pub async fn transitions(&self, id: RequestId) -> Result<Vec<Transition>, EngineError> {
        Ok(self.store.transitions(id).await?)
    }

    /// The attempts at a request.
    ///
    /// # Errors
    /// The store's.
    pub async fn attempts(&self, id: RequestId) -> Result<Vec<Attempt>, EngineError> {
        Ok(self.store.attempts(id).await?)
    }

    /// The meetings of a request, a page at a time; `after` is the last event of the page before.
    ///
    /// # Errors
    /// The store's.
    pub async fn records(
        &self,
        id: RequestId,
        after: Option<&EventId>,
        limit: u32,
    ) -> Result<Vec<MeetingRecord>, EngineError> {
        Ok(self.store.records(id, after, limit).await?)
    }

    /// Cancels a request that is pending, or whose worker has died.
    ///
    /// # Errors
    /// There is none, it has ended, or somebody works on it.
    pub async fn cancel(&self, id: RequestId, by: &str) -> Result<MigrationRequest, EngineError> {
        self.hand_back_of_the_dead(id).await?;
        let message = format!("{}: {by} cancelled the request before it began.", Code::Cancelled);
        if self.store.cancel(id, &message, self.clock.now()).await? {
            let request = self.request(id).await?;
            self.note(by, "CancelMigration", &request.user.upn, &id.to_string()).await?;
            return Ok(request);
        }
        let request = self.request(id).await?;
        let why = if request.state.is_final() {
            "it has ended already"
        } else {
            "it is in progress; what was migrated can be rolled back when it has ended"
        };
        Err(EngineError::NotAvailable(id, why))
    }

    /// Makes a request pending whose worker died in the middle of it.
    async fn hand_back_of_the_dead(&self, id: RequestId) -> Result<(), EngineError> {
        if self.request(id).await?.state == State::InProgress
            && let Some((request, lease)) = self.claim_now(id).await?
        {
            let message = &request.last_message;
            self.store.finish(&lease, Finish::HandedBack, request.counts, message, self.clock.now()).await?;
        }
        Ok(())
    }

    /// Forgets originals and history older than the settings keep them; returns how many rows went.
    ///
    /// # Errors
    /// The store's.
    pub async fn prune(&self) -> Result<u64, EngineError> {
        let now = self.clock.now();
        let before = |age: Duration| now.checked_sub(age).unwrap_or(jiff::Timestamp::MIN);
        let originals = before(self.settings.retention_originals);
        Ok(self.store.prune(originals, before(self.settings.retention_history)).await?)
    }

    pub(crate) fn page(&self) -> u32 {
        self.settings.page_size.clamp(1, 10_000)
    }

    /// The user as the directory has them now; the calendar may have moved since the request was made.
    pub(crate) async fn current_user(&self, user: &User) -> Result<User, PortError> {
        self.connectors.directory.resolve(&Identity::ObjectId(user.id)).await
    }

    pub(crate) async fn open_calendar(&self, user: &User) -> Result<Box<dyn UserCalendar>, PortError> {
        let nowhere = |message: String| PortError::new(ErrorKind::Permanent, Code::NoCalendar, message);
        let Some(location) = &user.calendar else {
            let why = self.connectors.directory.why_no_calendar(user).await;
            let why = why.as_deref().unwrap_or("give the directory a calendar for this user");
            return Err(nowhere(format!(
                "no configured connector serves the calendar of {}: {why}",
                user.upn
            )));
        };
        let Some(calendar) = self.connectors.calendars.get(&location.connector) else {
            return Err(nowhere(format!(
                "the calendar of {} is on \"{}\", which is not configured: add it as [calendar.{}]",
                user.upn, location.connector, location.connector
            )));
        };
        calendar.open(user).await
    }

    pub(crate) fn preparation<'a>(
        &'a self,
        migration: &'a MigrationType,
        user: &'a User,
        calendar: &'a dyn UserCalendar,
        preview: bool,
    ) -> Preparation<'a> {
        Preparation {
            connectors: &self.connectors,
            settings: &self.settings,
            migration,
            user,
            calendar,
            preview,
            provisioned: Mutex::new(HashMap::new()),
        }
    }
}

/// How an attempt names who made it.
pub(crate) fn worker_name(what: &str) -> String {
    format!("{what} (process {})", std::process::id())
}
