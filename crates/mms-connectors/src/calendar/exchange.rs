//! What calendars of Exchange have in common, whichever protocol reaches them.

use mms_invite::item::{self, Component, Item};
use mms_invite::recognise::Recogniser;
use mms_model::port::{ReadBack, Update, Updated};
use mms_model::{Code, ErrorKind, Meeting, PortError, Version, hex};
use sha2::{Digest as _, Sha256};

/// The name of the event's id among [`Component::connector`].
pub(super) const ID: &str = "id";
/// Of the fingerprint of what a migration may write, as it was read.
pub(super) const SEEN: &str = "seen";
/// Of the join URL that the server itself showed.
pub(super) const JOIN_URL: &str = "joinUrl";

/// What tells whether somebody changed what a migration writes; answers of attendees do not count.
pub(super) fn fingerprint(component: &Component) -> String {
    let mut hash = Sha256::new();
    let mut part = |text: &str| {
        hash.update(text.len().to_le_bytes());
        hash.update(text.as_bytes());
    };
    part(component.body.as_ref().map_or("", |body| body.content.as_str()));
    part(&component.subject);
    part(&format!("{:?} {:?} {}", component.start, component.end, component.is_cancelled));
    part(&component.location);
    for location in &component.locations {
        part(&location.display_name);
    }
    for (property, value) in component.properties.iter().filter(|(_, value)| !value.is_empty()) {
        part(property.name());
        part(value);
    }
    for invitee in &component.attendees {
        part(&format!("{:?}", invitee.role));
        part(&invitee.attendee.address.as_str().to_lowercase());
    }
    hex(&hash.finalize())
}

/// What reading back a component gave; none where it is gone.
pub(super) type Found = Result<Option<Component>, PortError>;

/// A write of a whole item, as far as it came.
pub(super) struct Written {
    pub(super) item: Item,
    pub(super) update: Update,
    /// The events that were written.
    pub(super) ids: Vec<String>,
    pub(super) told: u32,
    /// Why it is unclear whether the write was made.
    pub(super) unclear: Option<PortError>,
}

impl Written {
    /// Weighs the write against what was read back of it; `version` is the name of the version among
    /// [`Component::connector`], and `meeting` makes a meeting of an item.
    ///
    /// # Errors
    /// What made it unclear, where reading back does not show the write; `WriteNotVerified`.
    pub(super) fn weigh(
        self,
        mut found: impl FnMut(&str) -> Option<Found>,
        version: &str,
        meeting: impl FnOnce(&str, &Item) -> Meeting,
        recogniser: &Recogniser,
    ) -> Result<Updated, PortError> {
        let Self { item: written, update, ids, told, unclear } = self;
        let mut read = written.clone();
        read.components.iter_mut().for_each(|component| component.pending.clear());
        let mut kept = None;
        for id in ids {
            let now = match (found(&id), &unclear) {
                (Some(Ok(Some(now))), _) => now,
                (_, Some(_)) => return Err(unclear.unwrap_or_else(|| conflict(&written, "is unclear"))),
                (Some(Err(error)), None) => return Ok(unverified(&update, told, &written, &error.message)),
                (Some(Ok(None)) | None, None) => {
                    return Ok(unverified(&update, told, &written, "it was deleted right after"));
                }
            };
            for component in read.components.iter_mut().filter(|c| c.connector.get(ID) == Some(&id)) {
                let mut now = now.clone();
                kept = kept.or(drop_old_meeting(&mut now, component, &written));
                now.instance = component.instance.clone();
                *component = now;
            }
        }
        let remarks = weigh(&written, &read, kept, recogniser).map_err(|error| unclear.unwrap_or(error))?;
        let version = read.components.first().and_then(|component| component.connector.get(version));
        let read_back = if remarks.is_empty() && same_answers(&written, &read) {
            ReadBack::AsWritten
        } else {
            ReadBack::Differs(Box::new(meeting(&update.id.0, &read)))
        };
        Ok(Updated {
            version: Version(version.cloned().unwrap_or_default()),
            attendees_told: told,
            remarks,
            read_back,
        })
    }
}

/// What is to be said of a write, by what was read back of it; `kept` is the old meeting that Exchange still shows.
///
/// # Errors
/// `WriteNotVerified`: the event shows another meeting than was written.
fn weigh(
    written: &Item,
    read: &Item,
    kept: Option<String>,
    recogniser: &Recogniser,
) -> Result<Vec<(Code, String)>, PortError> {
    let mut remarks = Vec::new();
    match item::read_back(written, read, recogniser) {
        item::ReadBack::Same => {}
        item::ReadBack::OtherText { .. } => remarks.push((
            Code::WriteNotVerified,
            format!("Exchange shows another text in \"{}\" than was written", subject(written)),
        )),
        item::ReadBack::OtherAttendees { missing, .. } => remarks.push((
            Code::WriteNotVerified,
            format!(
                "Exchange does not list {} as invited to \"{}\", though it took the update: is the address known to it?",
                missing.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
                subject(written)
            ),
        )),
        item::ReadBack::OtherMeeting { found, .. } => {
            return Err(PortError::permanent(
                Code::WriteNotVerified,
                format!(
                    "Exchange took the update of \"{}\" but shows {found}: look at the event; it is not written again",
                    subject(written)
                ),
            ));
        }
    }
    if let Some(url) = kept {
        remarks.push((
            Code::OldMeetingKept,
            format!(
                "Exchange still shows the old meeting ({url}) as the online meeting of \"{}\": its Join button may lead \
                 there, while text and location are new",
                subject(written)
            ),
        ));
    }
    Ok(remarks)
}

/// Takes the old meeting's URL out of what the server says of the event, where it is still there beside a new one,
/// and returns it.
fn drop_old_meeting(now: &mut Component, before: &Component, written: &Item) -> Option<String> {
    let component = written.component(&before.instance)?;
    // In content that is to be written this is empty where the meeting moved.
    let moved = component.online_meeting.join_url.is_none();
    let old = component.connector.get(JOIN_URL).filter(|_| moved)?;
    let kept = now.online_meeting.join_url.take_if(|url| url == old)?;
    now.online_meeting = item::OnlineMeeting::default();
    Some(kept)
}

/// Whether the write left the attendees and their answers as they were.
fn same_answers(written: &Item, read: &Item) -> bool {
    written.components.iter().map(|c| &c.attendees).eq(read.components.iter().map(|c| &c.attendees))
}

/// A write that was taken and could not be read back.
fn unverified(update: &Update, told: u32, written: &Item, why: &str) -> Updated {
    Updated {
        version: Version(update.version.0.clone()),
        attendees_told: told,
        remarks: vec![(
            Code::WriteNotVerified,
            format!(
                "Exchange took the update of \"{}\", but it could not be read back: {why}",
                subject(written)
            ),
        )],
        read_back: ReadBack::Unread,
    }
}

/// An event that is another by now.
pub(super) fn conflict(item: &Item, what: &str) -> PortError {
    PortError::new(ErrorKind::Conflict, Code::EventConflict, format!("\"{}\" {what}", subject(item)))
}

/// An event that is there no more.
pub(super) fn gone(item: &Item) -> PortError {
    PortError::new(ErrorKind::Gone, Code::EventGone, format!("\"{}\" is gone", subject(item)))
}

/// What the event is called.
pub(super) fn subject(item: &Item) -> &str {
    item.components.first().map_or("", |component| component.subject.as_str())
}

/// An item in which nothing is known.
pub(super) fn no_item() -> Item {
    Item {
        uid: String::new(),
        organizer: None,
        is_organizer: None,
        recurrence: item::Recurrence::Single,
        components: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use mms_model::InstanceId;

    use super::*;

    #[test]
    fn a_meeting_that_exchange_keeps_is_told_and_not_read_as_the_new_one() {
        let mut before = Component::new(InstanceId::Master);
        before.connector.insert(JOIN_URL.to_owned(), "https://old".to_owned());
        let written = Item { components: vec![before.clone()], ..no_item() };
        let mut now = before.clone();
        now.online_meeting.join_url = Some("https://old".to_owned());
        assert_eq!(drop_old_meeting(&mut now, &before, &written).as_deref(), Some("https://old"));
        assert_eq!(now.online_meeting.join_url, None);
        now.online_meeting.join_url = Some("https://new".to_owned());
        assert_eq!(drop_old_meeting(&mut now, &before, &written), None);
        assert_eq!(now.online_meeting.join_url.as_deref(), Some("https://new"));
    }
}
