//! One user's calendars on an Exchange server.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use mms_invite::item;
use mms_invite::rewrite::Editor;
use mms_model::port::{MeetingPages, Scheduling, Update, Updated, UserCalendar};
use mms_model::{Code, EventId, Meeting, PortError, Rewrite, Rewritten, User};

use super::client::{self, EwsClient};
use super::failure::EwsError;
use super::listing::Pages;

/// The calendars of one user.
pub(super) struct EwsUserCalendar {
    pub(super) client: Arc<EwsClient>,
    pub(super) editor: Arc<Editor>,
    pub(super) owner: User,
    /// The mailbox's primary address.
    pub(super) mailbox: String,
    /// Items in one request.
    pub(super) page_size: usize,
}

impl EwsUserCalendar {
    /// A failure as the engine knows it.
    pub(super) fn failure(&self, error: EwsError, what: &str) -> PortError {
        client::failure(error, what, &self.mailbox)
    }
}

#[async_trait]
impl UserCalendar for EwsUserCalendar {
    /// Exchange tells attendees with the write, where it is asked to.
    fn scheduling(&self) -> Scheduling {
        Scheduling::Server
    }

    fn meetings(&self, from: Timestamp) -> Box<dyn MeetingPages + '_> {
        Box::new(Pages::new(self, from))
    }

    async fn get(&self, id: &EventId, from: Timestamp) -> Result<Option<Meeting>, PortError> {
        match self.read(vec![id.0.clone()], from).await.pop() {
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
            "Exchange tells attendees itself; there is no mail to make for it",
        ))
    }

    async fn update(&self, updates: Vec<Update>) -> Vec<Result<Updated, PortError>> {
        self.write(updates).await
    }
}
