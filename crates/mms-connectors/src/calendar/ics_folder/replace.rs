//! Replaces a file whole and atomically, where it is still the one that was read.

use std::fs::Metadata;
use std::io::Write;
use std::path::Path;

use mms_model::PortError;

use super::event_file::{self, Stamp};
use super::failure;
use super::temporary::Temporary;

/// A new content that is on the disk and waits for its name.
pub(super) struct Prepared {
    temporary: Temporary,
}

impl Prepared {
    /// Writes `content` beside `target` and brings it to the disk. `target` stays as it is.
    ///
    /// # Errors
    /// `StorageFull`, `CalendarAccessDenied`, `FileAccess`.
    pub(super) fn write(target: &Path, content: &[u8], was: &Metadata) -> Result<Self, PortError> {
        let written = || {
            let mut temporary = Temporary::beside(target)?;
            temporary.file.write_all(content)?;
            keep_owner(&temporary, was);
            // After the owner: a change of owner may take mode bits away.
            temporary.file.set_permissions(was.permissions())?;
            temporary.file.sync_all()?;
            Ok(temporary)
        };
        match written() {
            Ok(temporary) => Ok(Self { temporary }),
            Err(error) => Err(failure::writing(target, &error)),
        }
    }

    /// Lets the new content take the name of `target`, where that is still the file that was read with
    /// `bytes` and `was`. The folder must be brought to the disk afterwards.
    ///
    /// Between the last look and the renaming lie microseconds in which another program could still
    /// write; file systems offer nothing that closes them.
    ///
    /// # Errors
    /// `EventConflict`, and as for writing.
    pub(super) fn commit(self, target: &Path, bytes: &[u8], was: &Metadata) -> Result<(), PortError> {
        let limit = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        match event_file::bytes_if_there(target, limit) {
            Ok(Some((now, metadata))) if now == bytes && Stamp::of(&metadata) == Stamp::of(was) => {}
            Err(error) if error.code == mms_model::Code::CalendarAccessDenied => return Err(error),
            _ => return Err(failure::conflict(target)),
        }
        self.temporary.rename_to(target).map_err(|error| failure::writing(target, &error))
    }
}

/// Gives the file the owner and group that the replaced one had. An account that may not do so leaves
/// its own, as every editor that saves by renaming does.
#[cfg(unix)]
fn keep_owner(temporary: &Temporary, was: &Metadata) {
    use std::os::unix::fs::{MetadataExt, fchown};
    let Ok(now) = temporary.file.metadata() else { return };
    if now.uid() != was.uid() {
        let _ = fchown(&temporary.file, Some(was.uid()), None);
    }
    if now.gid() != was.gid() {
        let _ = fchown(&temporary.file, None, Some(was.gid()));
    }
}

#[cfg(not(unix))]
fn keep_owner(_temporary: &Temporary, _was: &Metadata) {}

/// Brings the names in a folder to the disk.
///
/// # Errors
/// `FileAccess`.
pub(super) fn sync_folder(folder: &Path) -> Result<(), PortError> {
    std::fs::File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(|error| failure::writing(folder, &error))
}
