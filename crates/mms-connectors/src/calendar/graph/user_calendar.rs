//! One user's calendars in Exchange Online.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use async_trait::async_trait;
use jiff::Timestamp;
use mms_invite::item;
use mms_invite::rewrite::Editor;
use mms_model::port::{MeetingPages, Scheduling, Update, Updated, UserCalendar};
use mms_model::{Code, EventId, Meeting, PortError, Rewrite, Rewritten, User};

use super::budget::Budget;
use super::listing::Pages;
use super::read::Wanted;
use crate::graph::{GraphClient, GraphError, Mailbox, Side};

/// The calendars of one user.
pub(super) struct GraphUserCalendar {
    pub(super) client: Arc<GraphClient>,
    pub(super) editor: Arc<Editor>,
    pub(super) owner: User,
    /// How the tenant knows the user.
    pub(super) mailbox: String,
    /// `/users/MAILBOX`.
    pub(super) root: String,
    pub(super) slots: Mailbox,
    pub(super) page_size: usize,
    pub(super) horizon_days: u32,
    pub(super) budget: Arc<Budget>,
    /// A write of a master was seen to change the versions of its exceptions.
    pub(super) exceptions_follow: AtomicBool,
}

impl GraphUserCalendar {
    /// A failure as the engine knows it.
    pub(super) fn failure(&self, error: GraphError, what: &str) -> PortError {
        error.into_port(Side::Calendar, &format!("{what} in the mailbox {}", self.mailbox))
    }
}

#[async_trait]
impl UserCalendar for GraphUserCalendar {
    /// Exchange mails attendees whenever an organizer's event is changed.
    fn scheduling(&self) -> Scheduling {
        Scheduling::Server
    }

    fn meetings(&self, from: Timestamp) -> Box<dyn MeetingPages + '_> {
        Box::new(Pages::new(self, from))
    }

    async fn get(&self, id: &EventId, from: Timestamp) -> Result<Option<Meeting>, PortError> {
        let wanted = vec![Wanted { id: id.0.clone(), is_series: None }];
        match self.read(wanted, from).await.pop() {
            Some((_, read)) => read,
            None => Ok(None),
        }
    }

    fn rewrite(&self, meeting: &Meeting, rewrite: &Rewrite) -> Result<Rewritten, PortError> {
        self.editor.rewrite_item(&meeting.content, rewrite).map_err(|error| {
            PortError::permanent(Code::BlockNotReplaceable, format!("\"{}\": {error}", meeting.subject))
        })
    }

    fn undo(
        &self,
        original: &[u8],
        written: &[u8],
        current: &Meeting,
        _stamp: Timestamp,
    ) -> Result<Rewritten, PortError> {
        item::undo(original, written, &current.content, self.editor.recogniser()).map_err(|error| {
            PortError::permanent(Code::EditedSinceMigration, format!("\"{}\": {error}", current.subject))
        })
    }

    fn invitation(&self, _content: &[u8]) -> Result<Vec<u8>, PortError> {
        Err(PortError::permanent(
            Code::CalendarServerError,
            "Exchange Online tells attendees itself; there is no mail to make for it",
        ))
    }

    async fn update(&self, updates: Vec<Update>) -> Vec<Result<Updated, PortError>> {
        self.write(updates).await
    }
}
