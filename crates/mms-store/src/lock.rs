//! One daemon a store: an advisory lock on `<store>.lock`, which the system gives up when the process ends, however
//! it ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use mms_model::port::StoreError;

/// The lock, held until it is dropped.
#[derive(Debug)]
pub(crate) struct DaemonLock {
    _file: File,
}

impl DaemonLock {
    /// Takes the lock of the store at `store`.
    pub(crate) fn take(store: &Path) -> Result<Self, StoreError> {
        let path = lock_path(store);
        let failed = |error: &std::io::Error| {
            StoreError::Database(format!("the lock file {} cannot be used: {error}", path.display()))
        };
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&path).map_err(|error| failed(&error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let _ = file.take(32).read_to_string(&mut holder);
                let holder = holder.trim();
                let holder = if holder.chars().all(|c| c.is_ascii_digit()) && !holder.is_empty() {
                    format!(" (process {holder})")
                } else {
                    String::new()
                };
                return Err(StoreError::InUse(format!(
                    "another mms serve{holder} uses the store {}: stop it first, or give this one a store of its own",
                    store.display()
                )));
            }
            Err(TryLockError::Error(error)) => return Err(failed(&error)),
        }
        // Only for the sentence above; the lock itself is the system's.
        let _ = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| write!(file, "{}", std::process::id()));
        Ok(Self { _file: file })
    }
}

fn lock_path(store: &Path) -> PathBuf {
    let mut name = store.as_os_str().to_owned();
    name.push(".lock");
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_daemon_is_told_who_holds_the_store_and_gets_it_afterwards() {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("mms.db");
        let first = DaemonLock::take(&store).unwrap();
        let refused = DaemonLock::take(&store).unwrap_err();
        assert!(
            matches!(&refused, StoreError::InUse(m) if m.contains(&format!("process {}", std::process::id()))),
            "{refused}"
        );
        drop(first);
        DaemonLock::take(&store).unwrap();
    }
}
