//! Calendars on Exchange servers of one's own (2013 to Subscription Edition), by Exchange Web Services.
//!
//! **Listing.** Every calendar folder of the mailbox is listed by FindItem, a thousand slim entries at a time, and sifted
//! here: without a CalendarView FindItem names single items and series masters, which is what is written; with one it
//! names occurrences, never masters; a restriction by start would lose every series that began in the past. The
//! names come first and the items are read a page at a time, with GetItem for many, because a write during a
//! listing may move entries between its pages.
//!
//! **Series.** A master names its changed occurrences; those that are still to come are read with it and written after
//! it, each under a change key that was read after the master's write, for Exchange keeps them inside the master.
//!
//! **Writing.** UpdateItem with `ConflictResolution="NeverOverwrite"` under the change key that was read, for many items
//! in one request, with the changed fields alone. Where the change key is another by now, the item is read, and written
//! once more if nothing but answers came in; else somebody edited it, and it is a conflict. Exchange tells all
//! attendees (`SendToAllAndSaveCopy`) or none (`SendToNone`, also for appointments without attendees, which the other
//! choice would turn into meetings); it cannot tell external ones alone.

mod client;
mod diagnosis;
mod event;
mod failure;
mod listing;
mod read;
mod request;
mod settings;
mod update;
mod user_calendar;
mod xml;

use std::sync::Arc;

use async_trait::async_trait;
use mms_invite::rewrite::Editor;
use mms_model::port::{Calendar, UserCalendar};
use mms_model::{Code, PortError, User};

pub use diagnosis::diagnose;
pub use settings::{EwsAuth, EwsSettings};

use client::EwsClient;
use user_calendar::EwsUserCalendar;

use crate::calendar::exchange_calendar::ExchangeCalendar;

/// The mailboxes of Exchange servers of one's own.
pub struct EwsCalendar {
    client: Arc<EwsClient>,
    editor: Arc<Editor>,
    page_size: usize,
}

impl EwsCalendar {
    /// Prepares the way to the server; nothing is sent yet.
    ///
    /// # Errors
    /// A setting that cannot work.
    pub fn new(settings: &EwsSettings, editor: Arc<Editor>) -> Result<Self, PortError> {
        let client = EwsClient::new(settings).map_err(|(key, problem)| {
            PortError::permanent(Code::CalendarUnreachable, format!("{key}: {problem}"))
        })?;
        Ok(Self { client: Arc::new(client), editor, page_size: settings.page_size })
    }
}

/// The mailbox's primary address, as impersonation wants it: `place` in the directory, or else the user's.
fn mailbox_of(user: &User) -> String {
    let place =
        user.calendar.as_ref().map(|calendar| calendar.place.trim()).filter(|place| !place.is_empty());
    place.map_or_else(|| user.primary_address().as_str().to_owned(), str::to_owned)
}

#[async_trait]
impl Calendar for EwsCalendar {
    async fn open(&self, user: &User) -> Result<Box<dyn UserCalendar>, PortError> {
        Ok(Box::new(ExchangeCalendar(EwsUserCalendar {
            client: Arc::clone(&self.client),
            editor: Arc::clone(&self.editor),
            mailbox: mailbox_of(user),
            owner: user.clone(),
            page_size: self.page_size,
        })))
    }
}
