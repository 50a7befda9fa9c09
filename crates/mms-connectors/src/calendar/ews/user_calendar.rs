//! One user's calendars on an Exchange server.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use mms_invite::rewrite::Editor;
use mms_model::port::{Update, Updated};
use mms_model::{Code, ErrorKind, EventId, PortError, User};

use super::client::{self, EwsClient};
use super::failure::EwsError;
use crate::calendar::exchange_calendar::{ExchangeMailbox, ReadMeeting};

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
impl ExchangeMailbox for EwsUserCalendar {
    type Listed = String;

    fn editor(&self) -> &Editor {
        &self.editor
    }

    fn page_size(&self) -> usize {
        self.page_size
    }

    fn listed(&self, id: &EventId) -> String {
        id.0.clone()
    }

    async fn list(&self, from: Timestamp) -> Result<(Vec<String>, u64), PortError> {
        self.items(from).await
    }

    async fn read(&self, listed: Vec<String>, from: Timestamp) -> Vec<ReadMeeting> {
        self.meetings(listed, from).await
    }

    async fn write(&self, updates: Vec<Update>) -> Vec<Result<Updated, PortError>> {
        self.update(updates).await
    }

    /// An Exchange server that fails, fails for every item.
    fn stops_all(&self, error: &PortError) -> bool {
        match error.kind {
            ErrorKind::RetryAfter(_) | ErrorKind::Unauthorised => true,
            ErrorKind::Retry => matches!(
                error.code,
                Code::CalendarUnreachable | Code::CalendarThrottled | Code::CalendarServerError
            ),
            ErrorKind::Permanent => error.code == Code::CalendarNotFound,
            ErrorKind::Conflict | ErrorKind::Gone => false,
        }
    }
}
