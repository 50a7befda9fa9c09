//! A user's calendars on Exchange, whichever protocol reaches the mailbox.

use std::collections::VecDeque;

use async_trait::async_trait;
use jiff::Timestamp;
use mms_invite::item;
use mms_invite::rewrite::Editor;
use mms_model::port::{MeetingPages, Scheduling, Update, Updated, UserCalendar};
use mms_model::{Code, ErrorKind, EventId, Meeting, PortError, Rewrite, Rewritten};

/// What an event turned out to be; `None` where it is gone.
pub(super) type ReadMeeting = (EventId, Result<Option<Meeting>, PortError>);

/// A mailbox by one of the protocols.
#[async_trait]
pub(super) trait ExchangeMailbox: Send + Sync {
    /// An event as the listing names it.
    type Listed: Clone + Send + Sync;

    fn editor(&self) -> &Editor;

    /// Events that are read together.
    fn page_size(&self) -> usize;

    /// An event of which nothing but its id is known.
    fn listed(&self, id: &EventId) -> Self::Listed;

    /// What may be a meeting of the owner's that is not over, in every calendar of theirs, and how many have ended.
    async fn list(&self, from: Timestamp) -> Result<(Vec<Self::Listed>, u64), PortError>;

    /// The events, in this order.
    async fn read(&self, listed: Vec<Self::Listed>, from: Timestamp) -> Vec<ReadMeeting>;

    async fn write(&self, updates: Vec<Update>) -> Vec<Result<Updated, PortError>>;

    /// Whether an error is the mailbox's or the server's, and not that of one event.
    fn stops_all(&self, error: &PortError) -> bool {
        match error.kind {
            ErrorKind::RetryAfter(_) | ErrorKind::Unauthorised => true,
            ErrorKind::Retry => matches!(error.code, Code::CalendarUnreachable | Code::CalendarThrottled),
            ErrorKind::Permanent | ErrorKind::Conflict | ErrorKind::Gone => false,
        }
    }
}

/// The calendars of a mailbox's owner.
pub(super) struct ExchangeCalendar<M>(pub(super) M);

#[async_trait]
impl<M: ExchangeMailbox> UserCalendar for ExchangeCalendar<M> {
    /// Exchange tells attendees with the write.
    fn scheduling(&self) -> Scheduling {
        Scheduling::Server
    }

    fn meetings(&self, from: Timestamp) -> Box<dyn MeetingPages + '_> {
        Box::new(Pages { mailbox: &self.0, from, listed: None, passed_over: 0 })
    }

    async fn get(&self, id: &EventId, from: Timestamp) -> Result<Option<Meeting>, PortError> {
        match self.0.read(vec![self.0.listed(id)], from).await.pop() {
            Some((_, read)) => read,
            None => Ok(None),
        }
    }

    fn rewrite(&self, meeting: &Meeting, rewrite: &Rewrite) -> Result<Rewritten, PortError> {
        self.0.editor().rewrite_item(&meeting.content, rewrite).map_err(|error| {
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
        let recogniser = self.0.editor().recogniser();
        item::undo(original, written, &current.content, recogniser).map_err(|error| {
            PortError::permanent(Code::EditedSinceMigration, format!("\"{}\": {error}", current.subject))
        })
    }

    fn joined(&self, first: (&[u8], &[u8]), second: (&[u8], &[u8])) -> (Vec<u8>, Vec<u8>) {
        item::joined(first, second)
    }

    fn invitation(&self, _content: &[u8]) -> Result<Vec<u8>, PortError> {
        Err(PortError::permanent(
            Code::CalendarServerError,
            "Exchange tells attendees itself; there is no mail to make for it",
        ))
    }

    async fn update(&self, updates: Vec<Update>) -> Vec<Result<Updated, PortError>> {
        self.0.write(updates).await
    }
}

/// The names first, then the events a page at a time.
struct Pages<'m, M: ExchangeMailbox> {
    mailbox: &'m M,
    from: Timestamp,
    /// What is still to be read; none before the listing.
    listed: Option<VecDeque<M::Listed>>,
    passed_over: u64,
}

#[async_trait]
impl<M: ExchangeMailbox> MeetingPages for Pages<'_, M> {
    async fn next(&mut self) -> Result<Option<Vec<Result<Meeting, (EventId, PortError)>>>, PortError> {
        if self.listed.is_none() {
            let (listed, ended) = self.mailbox.list(self.from).await?;
            self.listed = Some(listed.into());
            self.passed_over += ended;
        }
        loop {
            let Some(listed) = self.listed.as_mut().filter(|listed| !listed.is_empty()) else {
                return Ok(None);
            };
            let count = listed.len().min(self.mailbox.page_size());
            let wanted = listed.iter().take(count).cloned().collect();
            let mut page = Vec::with_capacity(count);
            for (id, read) in self.mailbox.read(wanted, self.from).await {
                match read {
                    Ok(Some(meeting)) if meeting.instances.iter().any(|i| i.upcoming) => {
                        page.push(Ok(meeting))
                    }
                    Ok(Some(_)) => self.passed_over += 1,
                    Ok(None) => {}
                    Err(error) if self.mailbox.stops_all(&error) => return Err(error),
                    Err(error) => page.push(Err((id, error))),
                }
            }
            // Taken out only when they were read, so that the caller may ask again after an error.
            if let Some(listed) = self.listed.as_mut() {
                listed.drain(..count);
            }
            if !page.is_empty() {
                return Ok(Some(page));
            }
        }
    }

    fn passed_over(&self) -> u64 {
        self.passed_over
    }
}
