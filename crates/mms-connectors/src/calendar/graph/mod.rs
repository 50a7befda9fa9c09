//! Calendars in Exchange Online, by Microsoft Graph (v1.0).
//!
//! **Listing.** Each of the user's own calendars is listed by `/events`, a thousand slim entries at a time, and
//! sifted here: Graph's filters on events are patchy, one by start loses every series that began in the past, and
//! `calendarView` shows neither masters nor what lies beyond its end, a yearly series for instance. The names are
//! listed first and the events read a page at a time, because a write during a paged listing may move entries
//! between pages. Events, the instances of series and their exceptions are read in batches of 20.
//!
//! **Writing.** One PATCH for the master (or single event) and one for each exception, with the ETag that was read and
//! the changed keys alone: no start, end, recurrence or attendees, which Exchange would take for a rescheduling. Where
//! the ETag is another by now, the event is read, and written once more if nothing but answers came in; else
//! somebody edited it, and it is a conflict.
//!
//! **`isOnlineMeeting` is one-way**: it cannot be set false, and a provider cannot be changed; only a body without
//! the old meeting's block ends an online meeting, and asking for a new one in the same step yields another meeting
//! in one of two tries. So no member of the online meeting is ever written:
//!
//! - *A Teams meeting that is refreshed in place* keeps body, block and join URL where it shows the right
//!   coordinates already; else its block is replaced by one with the same join URL. Exchange may then show the
//!   event as not online; link and named properties, from which Outlook and Teams make their Join button, stay.
//! - *Skype for Business to Teams*: body without the Skype block and with the Teams block, location and Teams' named
//!   properties, in one PATCH. The other way (a body without block, and then `isOnlineMeeting: true`) would mail
//!   attendees twice, the first time without any link, and leave it to Exchange which meeting it becomes.
//! - *Teams of another tenant to Teams*: the same. The old block is taken out, so that the event leaves the old
//!   meeting; its provider is the same, so that setting it would change nothing.
//!
//! Each write is read back. Where Exchange still shows the old meeting's join URL beside the new block, the meeting
//! is migrated with the remark `OldMeetingKept`.

mod budget;
mod diagnosis;
mod event;
mod listing;
mod read;
mod settings;
mod spending;
mod update;
mod user_calendar;

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use mms_invite::rewrite::Editor;
use mms_model::port::{Calendar, UserCalendar};
use mms_model::{Clock as _, Code, PortError, SystemClock, User};

pub use diagnosis::diagnose;
pub use settings::GraphCalendarSettings;

use self::budget::Budget;
use self::user_calendar::GraphUserCalendar;
use crate::calendar::exchange_calendar::ExchangeCalendar;
use crate::graph::{GraphClient, GraphClients, path};

/// The mailboxes of a tenant.
pub struct GraphCalendar {
    client: Arc<GraphClient>,
    editor: Arc<Editor>,
    settings: GraphCalendarSettings,
    budget: Arc<Budget>,
}

impl GraphCalendar {
    /// Prepares the way to the tenant, by one of `clients`; nothing is sent yet.
    ///
    /// # Errors
    /// A setting that cannot work.
    pub fn new(
        settings: GraphCalendarSettings,
        editor: Arc<Editor>,
        clients: &GraphClients,
    ) -> Result<Self, PortError> {
        let wrong = |problem: String| PortError::permanent(Code::CalendarUnreachable, problem);
        let access = settings.access().map_err(|(key, problem)| wrong(format!("{key}: {problem}")))?;
        let client = clients.of(&access).map_err(|e| wrong(e.to_string()))?;
        let budget = Arc::new(Budget::new(settings.recipients_per_day));
        Ok(Self { client, editor, settings, budget })
    }

    /// Keeps what of `recipients_per_day` was spent in files whose names begin with `path`, for other processes of the
    /// installation and for later ones.
    pub fn with_spending(mut self, path: &Path) -> Self {
        let budget = Budget::new(self.settings.recipients_per_day);
        self.budget = Arc::new(budget.kept_in(path, SystemClock.now()));
        self
    }

    fn open_calendar(&self, user: &User) -> GraphUserCalendar {
        let mailbox = mailbox_of(user);
        GraphUserCalendar {
            slots: self.client.mailbox(mailbox),
            root: path(["users", mailbox]),
            mailbox: mailbox.to_owned(),
            client: Arc::clone(&self.client),
            editor: Arc::clone(&self.editor),
            owner: user.clone(),
            page_size: self.settings.page_size.clamp(1, 1000),
            horizon_days: self.settings.horizon_days.clamp(1, 3650),
            budget: Arc::clone(&self.budget),
            exceptions_follow: std::sync::atomic::AtomicBool::new(false),
        }
    }
}

/// How the tenant knows the user.
fn mailbox_of(user: &User) -> &str {
    let place = user.calendar.as_ref().map(|calendar| calendar.place.trim());
    place.filter(|place| !place.is_empty()).unwrap_or(&user.upn)
}

#[async_trait]
impl Calendar for GraphCalendar {
    async fn open(&self, user: &User) -> Result<Box<dyn UserCalendar>, PortError> {
        Ok(Box::new(ExchangeCalendar(self.open_calendar(user))))
    }
}
