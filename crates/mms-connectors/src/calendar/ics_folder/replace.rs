//! Replaces a file whole and atomically, where it is still the one that was read.

use std::fs::{File, Metadata};
use std::io::{self, BufWriter, Read, Write};
use std::path::Path;

use mms_model::PortError;

use super::event_file::Stamp;
use super::failure;
use super::temporary::Temporary;

const BUFFER_BYTES: usize = 64 * 1024;

/// A new content that is on the disk and waits for its name.
pub(super) struct Prepared {
    temporary: Temporary,
}

impl Prepared {
    /// Writes `pieces`, one after the other, beside `target` and brings it to the disk. `target` stays as it is.
    ///
    /// # Errors
    /// `StorageFull`, `CalendarAccessDenied`, `FileAccess`.
    pub(super) fn write(target: &Path, pieces: &[&[u8]], was: &Metadata) -> Result<Self, PortError> {
        let written = || {
            let temporary = Temporary::beside(target)?;
            let mut writer = BufWriter::with_capacity(BUFFER_BYTES, &temporary.file);
            for piece in pieces {
                writer.write_all(piece)?;
            }
            writer.flush()?;
            drop(writer);
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
        match is_still(target, bytes, was) {
            Ok(true) => {}
            Ok(false) => return Err(failure::conflict(target)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(failure::conflict(target)),
            Err(error) => return Err(failure::reading(target, &error)),
        }
        self.temporary.rename_to(target).map_err(|error| failure::writing(target, &error))
    }
}

/// Whether `path` is the file that `was` tells of, and holds `bytes`.
fn is_still(path: &Path, bytes: &[u8], was: &Metadata) -> io::Result<bool> {
    if Stamp::of(&path.symlink_metadata()?) != Stamp::of(was) {
        return Ok(false);
    }
    let mut file = File::open(path)?;
    let mut rest = bytes;
    let mut buffer = vec![0; BUFFER_BYTES.min(bytes.len() + 1)];
    loop {
        let count = match file.read(&mut buffer) {
            Ok(0) => return Ok(rest.is_empty()),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        match (rest.split_at_checked(count), buffer.get(..count)) {
            (Some((expected, after)), Some(read)) if expected == read => rest = after,
            _ => return Ok(false),
        }
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
