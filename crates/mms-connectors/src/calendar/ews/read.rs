//! Reading items with what belongs to them, many with one request.

use std::collections::HashMap;

use jiff::Timestamp;
use mms_invite::item::Item;
use mms_model::{Code, EventId, InstanceId, Meeting, PortError, Version};

use super::client::Kind as Request;
use super::event::{CHANGE_KEY, Event, Kind};
use super::failure::EwsError;
use super::request;
use super::user_calendar::EwsUserCalendar;
use crate::calendar::exchange::ID;
use crate::calendar::exchange_calendar::ReadMeeting;
use crate::transport::TransportError;

/// Items by their ids; `None` where one is gone.
pub(super) type Events = HashMap<String, Result<Option<Event>, PortError>>;

impl EwsUserCalendar {
    /// Reads items, each with its exceptions that end after `from`; in the order of `ids`.
    pub(super) async fn meetings(&self, ids: Vec<String>, from: Timestamp) -> Vec<ReadMeeting> {
        let mut events = self.events(ids.clone()).await;
        let exceptions: Vec<String> = events
            .values()
            .filter_map(|read| read.as_ref().ok()?.as_ref())
            .flat_map(|event| &event.modified)
            .filter(|modified| modified.end.is_none_or(|end| end > from))
            .map(|modified| modified.id.clone())
            .collect();
        let mut exceptions = self.events(exceptions).await;
        ids.into_iter()
            .map(|id| {
                let read = match events.remove(&id) {
                    Some(Ok(Some(event))) => {
                        assemble(event, &mut exceptions).map(|item| Some(self.meeting(&id, &item, from)))
                    }
                    Some(Ok(None)) | None => Ok(None),
                    Some(Err(error)) => Err(error),
                };
                (EventId(id), read)
            })
            .collect()
    }

    /// The meeting that an item is.
    pub(super) fn meeting(&self, id: &str, item: &Item, from: Timestamp) -> Meeting {
        let meeting = item.meeting(&self.owner, from, self.editor.recogniser());
        let change_key = item.components.first().and_then(|c| c.connector.get(CHANGE_KEY));
        Meeting {
            id: EventId(id.to_owned()),
            version: Version(change_key.cloned().unwrap_or_default()),
            ..meeting
        }
    }

    /// Items by their ids. An answer that is too large, or that cannot be read, is asked for in smaller parts, down to the
    /// item that is the reason.
    pub(super) async fn events(&self, ids: Vec<String>) -> Events {
        let mut events = HashMap::with_capacity(ids.len());
        let mut waiting = ids;
        let mut limit = self.page_size.max(1);
        let mut most = limit;
        // Whether the server is known to answer, so that an answer that cannot be read is the item's trouble.
        let mut answers = false;
        while !waiting.is_empty() {
            let batch: Vec<String> = waiting.drain(..most.min(waiting.len())).collect();
            let operation = request::get_items(batch.iter().map(String::as_str));
            let answer = self.client.call(&self.mailbox, Request::Read, &operation).await;
            let answer = answer.and_then(|messages| match messages.len() == batch.len() {
                true => Ok(messages),
                false => Err(EwsError::Malformed(format!(
                    "it holds {} items of the {} that were asked for",
                    messages.len(),
                    batch.len()
                ))),
            });
            match answer {
                // Too much in one answer: fewer at a time come through.
                Err(EwsError::Transport(TransportError::BodyTooLarge { .. })) if batch.len() > 1 => {
                    limit = batch.len() / 2;
                    most = limit;
                    waiting.splice(0..0, batch);
                }
                Err(EwsError::Malformed(_)) if batch.len() > 1 => {
                    most = batch.len() / 2;
                    waiting.splice(0..0, batch);
                }
                Err(EwsError::Malformed(what)) => {
                    answers = answers || self.answers().await;
                    // A server that answers nothing at all would not answer the others either.
                    let rest = if answers { Vec::new() } else { std::mem::take(&mut waiting) };
                    let error = || match answers {
                        true => self.unreadable(format_args!("cannot be read: {what}")),
                        false => self.failure(EwsError::Malformed(what.clone()), "reading an item"),
                    };
                    events.extend(batch.into_iter().chain(rest).map(|id| (id, Err(error()))));
                }
                Err(error) => {
                    events.extend(
                        batch.into_iter().map(|id| (id, Err(self.failure(error.clone(), "reading an item")))),
                    );
                }
                Ok(messages) => {
                    answers = true;
                    most = (most * 2).min(limit);
                    for (id, message) in batch.into_iter().zip(messages) {
                        let event = match message {
                            Ok(message) => self.event(&id, &message),
                            Err(error) if is_gone(&error) => Ok(None),
                            Err(error) => Err(self.failure(error, "reading an item")),
                        };
                        events.insert(id, event);
                    }
                }
            }
        }
        events
    }

    /// Whether the server answers at all for this mailbox.
    async fn answers(&self) -> bool {
        self.client.call(&self.mailbox, Request::Read, &request::get_folders()).await.is_ok()
    }

    fn event(&self, id: &str, message: &super::xml::Element) -> Result<Option<Event>, PortError> {
        let item = message.child("Items").and_then(|items| items.children.first());
        let event = item.filter(|item| item.name == "CalendarItem").and_then(Event::read);
        let event = event.ok_or_else(|| self.unreadable(format_args!("is no calendar item")))?;
        // GetItem echoes the Id exactly as it was asked for (the ChangeKey may be a later one). Answers are matched by
        // their place alone: one about another item would be taken for this.
        match event.component.connector.get(ID) {
            Some(read) if read == id => Ok(Some(event)),
            _ => Err(self.unreadable(format_args!("is about another item"))),
        }
    }

    fn unreadable(&self, why: std::fmt::Arguments<'_>) -> PortError {
        let what = format!("Exchange's answer for an item in the mailbox {} {why}", self.mailbox);
        PortError::permanent(Code::UnreadableEvent, what)
    }
}

/// An item was deleted, or its occurrence.
pub(super) fn is_gone(error: &EwsError) -> bool {
    matches!(
        error.code(),
        Some(
            "ErrorItemNotFound"
                | "ErrorCalendarOccurrenceIsDeletedFromRecurrence"
                | "ErrorInvalidIdNotAnItemAttachmentId"
        )
    )
}

/// A single item, or a master with its exceptions.
fn assemble(event: Event, exceptions: &mut Events) -> Result<Item, PortError> {
    let mut components = Vec::new();
    for modified in &event.modified {
        match exceptions.remove(&modified.id) {
            Some(Ok(Some(exception))) if matches!(exception.kind, Kind::Exception | Kind::Occurrence) => {
                let mut component = exception.component;
                component.instance = InstanceId::Exception(modified.original_start.clone());
                components.push(component);
            }
            // Gone or back in line since, or over.
            Some(Ok(_)) | None => {}
            Some(Err(error)) => return Err(error),
        }
    }
    Ok(event.into_item(components))
}
