//! [`Invites`] by the library that reads and rewrites invites.

use jiff::Timestamp;
use mms_invite::rewrite::Editor;
use mms_invite::{event, itip, undo};
use mms_model::{Code, Meeting, PortError, Rewrite, Rewritten, User};

use super::Invites;

impl Invites for Editor {
    fn meetings(&self, content: &[u8], owner: &User, from: Timestamp) -> Result<Vec<Meeting>, String> {
        event::meetings(content, owner, from, self.recogniser())
            .and_then(|meetings| meetings.into_iter().collect())
            .map_err(|error| error.to_string())
    }

    fn rewrite(&self, meeting: &Meeting, rewrite: &Rewrite) -> Result<Rewritten, PortError> {
        self.rewrite(&meeting.content, rewrite).map_err(|error| {
            PortError::permanent(Code::BlockNotReplaceable, format!("\"{}\": {error}", meeting.subject))
        })
    }

    fn undo(
        &self,
        original: &[u8],
        written: &[u8],
        current: &Meeting,
        stamp: Timestamp,
    ) -> Result<Rewritten, PortError> {
        undo::undo(original, written, &current.content, Some(stamp)).map_err(|error| {
            PortError::permanent(Code::EditedSinceMigration, format!("\"{}\": {error}", current.subject))
        })
    }

    fn invitation(&self, content: &[u8]) -> Result<Vec<u8>, PortError> {
        itip::request(content).map_err(|error| PortError::permanent(Code::UnreadableEvent, error.to_string()))
    }
}
