//! One user's calendars in Exchange Online.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use async_trait::async_trait;
use jiff::Timestamp;
use mms_invite::rewrite::Editor;
use mms_model::port::{Update, Updated};
use mms_model::{EventId, PortError, User};

use super::budget::Budget;
use super::read::Wanted;
use crate::calendar::exchange_calendar::{ExchangeMailbox, ReadMeeting};
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
impl ExchangeMailbox for GraphUserCalendar {
    type Listed = Wanted;

    fn editor(&self) -> &Editor {
        &self.editor
    }

    fn page_size(&self) -> usize {
        self.page_size
    }

    fn listed(&self, id: &EventId) -> Wanted {
        Wanted { id: id.0.clone(), is_series: None }
    }

    async fn list(&self, from: Timestamp) -> Result<(Vec<Wanted>, u64), PortError> {
        self.names(from).await
    }

    async fn read(&self, listed: Vec<Wanted>, from: Timestamp) -> Vec<ReadMeeting> {
        self.meetings(listed, from).await
    }

    async fn write(&self, updates: Vec<Update>) -> Vec<Result<Updated, PortError>> {
        self.update(updates).await
    }
}
