//! Which mails were about to be ended, as far as it can be told after a crash.
//!
//! A file that is appended to: a line when a mail is handed over, and another right before its end is sent. What a
//! process wrote is still there after it was killed, without waiting for the disk; after a failure of power it may
//! not be, so each line names the boot of the machine that it was written in, and says nothing in another.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

/// A file that has grown beyond this is begun anew; what it said is then not known any more.
const MAX_BYTES: u64 = 8 * 1024 * 1024;

/// Handed over, but for its end.
const OFFERED: &str = "offered";
/// The end is sent next.
const ENDING: &str = "ending";

/// The file, opened.
#[derive(Debug)]
pub(super) struct Ledger {
    file: File,
    path: PathBuf,
    boot: String,
}

impl Ledger {
    /// Opens or makes the file. `None` where the system tells no boot id or the file cannot be had: then nothing is
    /// known after a crash, which is safe.
    pub(super) fn open(path: &Path) -> Option<Self> {
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?.trim().to_owned();
        if std::fs::metadata(path).is_ok_and(|metadata| metadata.len() > MAX_BYTES) {
            std::fs::remove_file(path).ok()?;
        }
        let mut options = OpenOptions::new();
        options.create(true).append(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path).ok()?;
        Some(Self { file, path: path.to_owned(), boot })
    }

    pub(super) fn offered(&self, message_id: &str) {
        self.note(OFFERED, message_id);
    }

    pub(super) fn ending(&self, message_id: &str) {
        self.note(ENDING, message_id);
    }

    /// One short write into the page cache, so that lines of several processes do not mix and nobody waits. Where it
    /// fails less is known, and what is not known counts as sent.
    fn note(&self, what: &str, message_id: &str) {
        let line = format!("{what} {} {message_id}\n", self.boot);
        if let Err(error) = (&self.file).write_all(line.as_bytes()) {
            tracing::warn!("{} cannot be written: {error}", self.path.display());
        }
    }

    /// Whether the end of a mail was about to be sent the last time it was handed over; `None` where nobody knows.
    pub(super) fn was_ending(&self, message_id: &str) -> Option<bool> {
        let mut text = Vec::new();
        File::open(&self.path).ok()?.take(2 * MAX_BYTES).read_to_end(&mut text).ok()?;
        let text = String::from_utf8_lossy(&text);
        let last = text.lines().rev().find(|line| line.split(' ').nth(2) == Some(message_id))?;
        let mut words = last.split(' ');
        let (what, boot) = (words.next()?, words.next()?);
        match what {
            ENDING => Some(true),
            OFFERED if boot == self.boot => Some(false),
            _ => None,
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_of_a_mail_counts() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mails");
        let ledger = Ledger::open(&path).unwrap();
        assert_eq!(ledger.was_ending("a@x"), None);
        ledger.offered("a@x");
        ledger.offered("b@x");
        ledger.ending("b@x");
        let ledger = Ledger::open(&path).unwrap();
        assert_eq!(ledger.was_ending("a@x"), Some(false));
        assert_eq!(ledger.was_ending("b@x"), Some(true));
        ledger.offered("b@x");
        assert_eq!(ledger.was_ending("b@x"), Some(false), "refused and handed over again");
        assert_eq!(ledger.was_ending("@x"), None);
    }

    #[test]
    fn what_another_boot_wrote_or_a_torn_line_says_does_not_count_as_unsent() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mails");
        std::fs::write(&path, "offered another-boot a@x\nending another-boot b@x\noffered another-boot c@")
            .unwrap();
        let ledger = Ledger::open(&path).unwrap();
        assert_eq!(ledger.was_ending("a@x"), None);
        assert_eq!(ledger.was_ending("b@x"), Some(true));
        assert_eq!(ledger.was_ending("c@x"), None);
    }

    #[test]
    fn a_file_that_has_grown_is_begun_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mails");
        std::fs::write(&path, vec![b'x'; usize::try_from(MAX_BYTES).unwrap() + 1]).unwrap();
        let ledger = Ledger::open(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 0);
        ledger.ending("a@x");
        assert_eq!(ledger.was_ending("a@x"), Some(true));
    }
}
