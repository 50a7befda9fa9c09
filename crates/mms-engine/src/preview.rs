//! What a run would do, without doing any of it.

use mms_model::{Meeting, MeetingRecord, MigrationType, PartChange, User};

use crate::prepare::{Prepared, failed, record};
use crate::{Engine, EngineError};

/// What would become of one meeting.
#[derive(Debug, Clone)]
pub struct Previewed {
    /// The record that a run would make; of a failure to read an event, with its code.
    pub record: MeetingRecord,
    /// Text before and after; empty where nothing would be written.
    pub changes: Vec<PartChange>,
    /// Content before; empty where nothing would be written.
    pub before: Vec<u8>,
    /// Content after; empty where nothing would be written.
    pub after: Vec<u8>,
    /// How many attendees would be told.
    pub tell: u32,
}

impl Engine {
    /// Plans a migration and hands each meeting to `sink`, in the calendar's order. Writes nothing anywhere. Returns
    /// how many meetings the calendar did not list because they have ended, as far as it knows.
    ///
    /// # Errors
    /// The calendar could not be listed.
    pub async fn preview(
        &self,
        user: &User,
        migration: &MigrationType,
        sink: &mut (dyn FnMut(Previewed) + Send),
    ) -> Result<u64, EngineError> {
        if let mms_model::TargetMeetingType::Platform(target) = &migration.target
            && !self.connectors.platforms.iter().any(|p| p.platform() == *target)
        {
            return Err(crate::prepare::not_configured(target).into());
        }
        let calendar = self.open_calendar(user).await?;
        let preparation = self.preparation(migration, user, &*calendar, true);
        let now = self.clock.now();
        let mut pages = calendar.meetings(now);
        while let Some(page) = pages.next().await? {
            for found in page {
                let previewed = match found {
                    Ok(meeting) => of(preparation.prepare(meeting, now).await.0),
                    Err((event, error)) => {
                        let unreadable = Meeting {
                            id: event,
                            version: mms_model::Version(String::new()),
                            uid: String::new(),
                            subject: String::new(),
                            organizer: None,
                            organised_by_owner: false,
                            attendees: Vec::new(),
                            last_end: None,
                            instances: Vec::new(),
                            content: Vec::new(),
                        };
                        let record = record(&unreadable, mms_model::MeetingOutcome::Failed, now);
                        settled(failed(record, &error))
                    }
                };
                sink(previewed);
            }
        }
        Ok(pages.passed_over())
    }
}

fn settled(record: MeetingRecord) -> Previewed {
    Previewed { record, changes: Vec::new(), before: Vec::new(), after: Vec::new(), tell: 0 }
}

fn of(prepared: Prepared) -> Previewed {
    match prepared {
        Prepared::Settled(record) => settled(*record),
        Prepared::Change(change) => Previewed {
            record: change.record,
            changes: change.rewritten.changes,
            before: change.meeting.content,
            after: change.rewritten.content,
            tell: u32::try_from(change.tell.len()).unwrap_or(u32::MAX),
        },
    }
}
