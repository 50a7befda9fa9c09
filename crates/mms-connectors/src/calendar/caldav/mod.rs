//! Calendars on a CalDAV server (RFC 4791), with the server's own scheduling where it has one (RFC 6638).
//!
//! From a URL the user's calendars are discovered; their events are listed and read a page at a time
//! by multiget; writes are conditional, and what the server made of each is read back. Server
//! quirks are met where they show: no ETag on PUT (Cyrus, DAViCal), SEQUENCE raised and answers reset where
//! LOCATION changes, SCHEDULE-AGENT ignored and deleted events brought back (SOGo), old links in attendees'
//! copies (DAViCal), time ranges that leave out what they should hold (SOGo, and without an end Cyrus and DAViCal), a claim to schedule without doing it (Xandikos).

mod credentials_file;
mod dav;
mod diagnosis;
mod discovery;
mod failure;
mod listing;
mod location;
mod multistatus;
mod object;
mod readback;
mod scheduling;
mod settings;
mod user_calendar;
mod version;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use async_trait::async_trait;
use mms_model::port::{Calendar, UserCalendar};
use mms_model::{PortError, User};

pub use crate::calendar::Invites;
pub use diagnosis::diagnose;
pub use settings::{Auth, CalDavSettings, Listing, SchedulingChoice};

use self::credentials_file::CredentialsFile;
use self::discovery::{Discovered, discover};
use self::failure::no_answer;
use self::scheduling::ServerTraits;
use self::user_calendar::CalDavUserCalendar;
use crate::transport::{Session, Transport};

/// A CalDAV server.
pub struct CalDav {
    settings: CalDavSettings,
    credentials_file: CredentialsFile,
    transport: Arc<Transport>,
    invites: Arc<dyn Invites>,
}

impl CalDav {
    /// Prepares the connection to a server; nothing is sent yet.
    ///
    /// # Errors
    /// `CalendarUnreachable` where the CA file cannot be used.
    pub fn new(settings: CalDavSettings, invites: Arc<dyn Invites>) -> Result<Self, PortError> {
        let transport = Arc::new(Transport::new(settings.transport()).map_err(no_answer)?);
        Ok(Self { settings, credentials_file: CredentialsFile::default(), transport, invites })
    }

    async fn open_calendar(&self, user: &User) -> Result<CalDavUserCalendar, PortError> {
        let location = location::locate(&self.settings, &self.credentials_file, user)?;
        let session =
            Session::new(Arc::clone(&self.transport), location.url.clone(), location.credentials.clone())
                .map_err(no_answer)?;
        let found = discover(&session, &location, user).await?;
        let server = ask_server(&session, &found).await?;
        let (scheduling, reason) = scheduling::decide(self.settings.scheduling, &server.traits);
        tracing::debug!(user = %user.upn, calendars = found.calendars.len(), reason, "calendars opened");
        // SOGo does not say its name; its path is fixed.
        let is_sogo = found.calendars.iter().any(|c| c.url.path().contains("/SOGo/"));
        Ok(CalDavUserCalendar {
            session,
            owner: owner(user, &found),
            found,
            scheduling,
            invites: Arc::clone(&self.invites),
            page_size: self.settings.page_size.clamp(1, 1000),
            keeps_old_links: server.is_davical,
            revives_deleted: is_sogo,
            ignores_schedule_agent: is_sogo,
            // SOGo leaves out single events some years ahead.
            filters_by_time: self.settings.listing == Listing::TimeRange && !is_sogo,
            multiget_refused: AtomicBool::new(false),
        })
    }
}

#[async_trait]
impl Calendar for CalDav {
    async fn open(&self, user: &User) -> Result<Box<dyn UserCalendar>, PortError> {
        Ok(Box::new(self.open_calendar(user).await?))
    }
}

/// The user with every address by which the server knows the owner of the calendars: the test for who
/// organises a meeting (RFC 6638 section 3.1).
fn owner(user: &User, found: &Discovered) -> User {
    let mut owner = user.clone();
    for address in &found.addresses {
        if !owner.addresses.contains(address) {
            owner.addresses.push(address.clone());
        }
    }
    owner
}

/// What a server is.
struct ServerKind {
    traits: ServerTraits,
    is_davical: bool,
}

async fn ask_server(session: &Session, found: &Discovered) -> Result<ServerKind, PortError> {
    let mut traits = ServerTraits { has_outbox: found.has_outbox, ..ServerTraits::default() };
    let mut is_davical = false;
    if let Some(calendar) = found.calendars.first() {
        let answer = dav::options(session, calendar.url.clone()).await?;
        let has = |class: &str| answer.classes.iter().any(|c| c == class);
        traits.claims = has("calendar-auto-schedule");
        traits.access_control = has("access-control");
        is_davical = answer.is_davical;
    }
    Ok(ServerKind { traits, is_davical })
}
