//! Calendars in folders of `.ics` files, one event or many to a file.
//!
//! - A file is replaced whole and atomically, or not at all: the new content is written beside it,
//!   brought to the disk, and takes its name only where the file is still the one that was read.
//! - Bytes outside the events that change stay as they are.
//! - What cannot be read is named, and the other files go on.
//! - Symbolic links to files and folders are not followed, hidden files are passed over. Only the
//!   place itself may be reached through a link, where it lies inside the root.
//! - A replaced file keeps its mode, and its owner where MMS may give it; hard links to it are cut.
//!
//! Folders send nothing to attendees: updates go out by mail ([`Scheduling::Client`]).

mod components;
mod event_file;
mod event_id;
mod failure;
mod file_list;
mod pages;
mod place;
mod replace;
mod temporary;
mod update;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use mms_model::port::{Calendar, MeetingPages, Scheduling, Update, Updated, UserCalendar};
use mms_model::{Code, ErrorKind, EventId, Meeting, PortError, Rewrite, Rewritten, User};
use serde::Deserialize;

use crate::calendar::caldav::Invites;
use crate::diagnosis::DiagnosticStep;

/// Settings of a calendar system of `.ics` folders.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IcsFolderSettings {
    /// The folder that holds everybody's folders. Nothing outside it is read or written.
    pub root: PathBuf,
    /// A user's folder below the root, where the directory names none; `{upn}` stands for the user
    /// principal name.
    #[serde(default = "default_place")]
    pub place: String,
    /// Whether files in folders below a user's folder belong to the calendar too.
    #[serde(default)]
    pub recursive: bool,
    /// Larger files are not read, in MiB.
    #[serde(default = "default_max_file_mib")]
    pub max_file_mib: u64,
}

fn default_place() -> String {
    "{upn}".to_owned()
}

fn default_max_file_mib() -> u64 {
    64
}

impl IcsFolderSettings {
    /// Everything by default below `root`.
    pub fn below(root: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            place: default_place(),
            recursive: false,
            max_file_mib: default_max_file_mib(),
        }
    }

    fn max_file_bytes(&self) -> u64 {
        self.max_file_mib.saturating_mul(1024 * 1024)
    }
}

/// A calendar system of `.ics` folders.
pub struct IcsFolder {
    settings: IcsFolderSettings,
    invites: Arc<dyn Invites>,
}

impl IcsFolder {
    /// The calendar system that `settings` describe. The root is looked at when a calendar is opened.
    pub fn new(settings: IcsFolderSettings, invites: Arc<dyn Invites>) -> Self {
        Self { settings, invites }
    }

    /// Looks whether the root is there and can be read and written.
    pub async fn diagnose(&self) -> Vec<DiagnosticStep> {
        const NAME: &str = "folder";
        let root = self.settings.root.clone();
        let shown = root.display().to_string();
        let checked = blocking(move || place::root(&root).and_then(|root| temporary::probe(&root))).await;
        vec![match checked {
            Ok(()) => DiagnosticStep::passed(NAME, format!("{shown} can be read and written")),
            Err(error) => DiagnosticStep::failed(
                NAME,
                error.message,
                "set root to an existing folder that the account of MMS may read and write",
            ),
        }]
    }
}

#[async_trait]
impl Calendar for IcsFolder {
    async fn open(&self, user: &User) -> Result<Box<dyn UserCalendar>, PortError> {
        let (settings, owner) = (self.settings.clone(), user.clone());
        let folder = blocking(move || {
            let folder = place::folder(&settings, &owner)?;
            temporary::remove_abandoned(&folder, settings.recursive);
            Ok(folder)
        })
        .await?;
        Ok(Box::new(IcsCalendar(Arc::new(Opened {
            folder,
            owner: user.clone(),
            settings: self.settings.clone(),
            invites: Arc::clone(&self.invites),
            last_read: event_file::LastRead::default(),
        }))))
    }
}

/// One user's folder, opened.
struct Opened {
    folder: PathBuf,
    owner: User,
    settings: IcsFolderSettings,
    invites: Arc<dyn Invites>,
    last_read: event_file::LastRead,
}

impl Opened {
    /// The file behind a path relative to the folder.
    fn path(&self, relative: &str) -> PathBuf {
        self.folder.join(relative)
    }

    /// The meeting in one event of a file; `None` where what stands there is no meeting.
    fn meeting(
        &self,
        relative: &str,
        uid: &str,
        content: Vec<u8>,
        from: Timestamp,
    ) -> Result<Option<Meeting>, (EventId, PortError)> {
        let id = event_id::of(relative, uid);
        let unreadable = |reason: String| {
            PortError::permanent(
                Code::UnreadableEvent,
                format!("{}, UID {uid}: {reason}", self.path(relative).display()),
            )
        };
        let mut found = match self.invites.meetings(&content, &self.owner, from) {
            Ok(found) => found,
            Err(reason) => return Err((id, unreadable(reason))),
        };
        match (found.pop(), found.len()) {
            (None, _) => Ok(None),
            (Some(mut meeting), 0) => {
                meeting.version = event_file::version(&content);
                meeting.id = id;
                meeting.content = content;
                Ok(Some(meeting))
            }
            (Some(_), _) => Err((id, unreadable("it reads as several meetings; mend the file".to_owned()))),
        }
    }
}

/// One user's folder as a calendar.
struct IcsCalendar(Arc<Opened>);

#[async_trait]
impl UserCalendar for IcsCalendar {
    fn scheduling(&self) -> Scheduling {
        Scheduling::Client
    }

    fn meetings(&self, from: Timestamp) -> Box<dyn MeetingPages + '_> {
        Box::new(pages::Pages::of(Arc::clone(&self.0), from))
    }

    async fn get(&self, id: &EventId, from: Timestamp) -> Result<Option<Meeting>, PortError> {
        let (opened, id) = (Arc::clone(&self.0), id.clone());
        blocking(move || {
            let (relative, uid) = event_id::parts(&id)?;
            let Some(file) = event_file::read_if_there(&opened, &relative)? else { return Ok(None) };
            let Some(event) = file.event(&uid) else { return Ok(None) };
            opened.meeting(&relative, &uid, file.content(event), from).map_err(|(_, error)| error)
        })
        .await
    }

    fn rewrite(&self, meeting: &Meeting, rewrite: &Rewrite) -> Result<Rewritten, PortError> {
        self.0.invites.rewrite(meeting, rewrite)
    }

    fn undo(
        &self,
        original: &[u8],
        written: &[u8],
        current: &Meeting,
        stamp: Timestamp,
    ) -> Result<Rewritten, PortError> {
        self.0.invites.undo(original, written, current, stamp)
    }

    fn invitation(&self, content: &[u8]) -> Result<Vec<u8>, PortError> {
        self.0.invites.invitation(content)
    }

    async fn update(&self, updates: Vec<Update>) -> Vec<Result<Updated, PortError>> {
        let opened = Arc::clone(&self.0);
        let count = updates.len();
        match blocking(move || Ok(update::apply(&opened, updates))).await {
            Ok(results) => results,
            Err(error) => {
                let failed = || PortError::new(error.kind, error.code, error.message.clone());
                (0..count).map(|_| Err(failed())).collect()
            }
        }
    }
}

/// Runs what waits for the disk where it does not hold up others.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, PortError> + Send + 'static,
) -> Result<T, PortError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|stopped| {
        Err(PortError::new(
            ErrorKind::Retry,
            Code::FileAccess,
            format!("reading or writing the calendar's files was broken off: {stopped}"),
        ))
    })
}

/// A path for people: relative to nothing they would have to guess.
fn shown(path: &Path) -> std::path::Display<'_> {
    path.display()
}

#[cfg(test)]
mod tests;
