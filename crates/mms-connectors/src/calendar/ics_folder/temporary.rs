//! Temporary files beside the files that they are to replace: `.NAME.mms-XXXX.tmp`.
//!
//! Whoever writes one holds a lock on it, which the system gives up when the process ends, however it
//! ends. So a temporary file that can be locked belongs to nobody any more.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use mms_model::PortError;
use uuid::Uuid;

use super::failure;

const MARK: &str = ".mms-";
const EXTENSION: &str = ".tmp";
/// The longest file name that common file systems take.
const MAX_NAME_BYTES: usize = 255;

/// A temporary file that is locked, and removed unless it is kept.
pub(super) struct Temporary {
    pub(super) file: File,
    pub(super) path: PathBuf,
    kept: bool,
}

impl Temporary {
    /// A new one beside `target`.
    pub(super) fn beside(target: &Path) -> io::Result<Self> {
        let name = target.file_name().and_then(OsStr::to_str).unwrap_or("file");
        let unique = Uuid::new_v4().simple().to_string();
        let unique = unique.get(..8).unwrap_or(&unique);
        let room = MAX_NAME_BYTES - 1 - MARK.len() - unique.len() - EXTENSION.len();
        let mut kept = name.len().min(room);
        while !name.is_char_boundary(kept) {
            kept -= 1;
        }
        let name = name.get(..kept).unwrap_or_default();
        let path = target.with_file_name(format!(".{name}{MARK}{unique}{EXTENSION}"));
        let file = OpenOptions::new().write(true).create_new(true).open(&path)?;
        // File systems without locks leave abandoned files to age.
        let _ = file.try_lock();
        Ok(Self { file, path, kept: false })
    }

    /// Gives it the name of `target`, whose file is replaced.
    pub(super) fn rename_to(mut self, target: &Path) -> io::Result<()> {
        std::fs::rename(&self.path, target)?;
        self.kept = true;
        Ok(())
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.kept {
            // What cannot be removed now is removed when the folder is opened again.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn is_ours(name: &OsStr) -> bool {
    let name = name.as_encoded_bytes();
    name.starts_with(b".")
        && name.ends_with(EXTENSION.as_bytes())
        && memchr::memmem::find(name, MARK.as_bytes()).is_some()
}

/// Removes temporary files of processes that are gone. Never fails: what stays harms nobody.
pub(super) fn remove_abandoned(folder: &Path, recursive: bool) {
    const MAX_DEPTH: usize = 32;
    let mut folders = vec![(folder.to_owned(), 0)];
    while let Some((folder, depth)) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for entry in entries.flatten() {
            let Ok(kind) = entry.file_type() else { continue };
            let name = entry.file_name();
            if kind.is_dir() && recursive && depth < MAX_DEPTH && !name.as_encoded_bytes().starts_with(b".") {
                folders.push((entry.path(), depth + 1));
            } else if kind.is_file() && is_ours(&name) {
                remove_if_abandoned(&entry.path());
            }
        }
    }
}

fn remove_if_abandoned(path: &Path) {
    let Ok(file) = OpenOptions::new().write(true).open(path) else { return };
    if file.try_lock().is_ok() {
        tracing::info!(path = %path.display(), "removing the temporary file of a process that is gone");
        let _ = std::fs::remove_file(path);
    }
}

/// Whether files can be made in `folder`.
///
/// # Errors
/// What hinders it.
pub(super) fn probe(folder: &Path) -> Result<(), PortError> {
    let target = folder.join("probe");
    Temporary::beside(&target).map(drop).map_err(|error| failure::writing(folder, &error))
}
