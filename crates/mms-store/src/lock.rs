//! Advisory locks, which the system gives up when a process ends, however it ends: `<store>.lock` allows one daemon
//! a store, and `<store>.<process>.alive` tells whether the process that holds a lease still lives.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use mms_model::port::StoreError;
use uuid::Uuid;

/// The lock, held until it is dropped.
#[derive(Debug)]
pub(crate) struct DaemonLock {
    _file: File,
}

impl DaemonLock {
    /// Takes the lock of the store at `store`.
    pub(crate) fn take(store: &Path) -> Result<Self, StoreError> {
        let path = beside(store, "lock");
        let failed = |error: &std::io::Error| unusable(&path, error);
        let mut file = open(&path).map_err(|error| failed(&error))?;
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

/// Tells other processes that this one lives: a locked file that goes with the process.
#[derive(Debug)]
pub(crate) struct SignOfLife {
    process: Uuid,
    path: PathBuf,
    _file: File,
}

impl SignOfLife {
    /// Gives it, under a name that no other process has or had, and sweeps away what killed processes left.
    pub(crate) fn give(store: &Path) -> Result<Self, StoreError> {
        sweep(store);
        let process = Uuid::new_v4();
        let path = alive_path(store, &process);
        loop {
            let locked = open(&path).and_then(|file| file.lock().map(|()| file));
            let file = locked.map_err(|error| unusable(&path, &error))?;
            // Between making and locking it another process may have swept it away.
            if path.exists() {
                return Ok(Self { process, path, _file: file });
            }
        }
    }

    /// The name of this process in leases.
    pub(crate) fn process(&self) -> String {
        self.process.to_string()
    }
}

impl Drop for SignOfLife {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Removes the signs of processes that were killed. What cannot be looked at stays.
fn sweep(store: &Path) {
    let (Some(folder), Some(name)) = (store.parent(), store.file_name().and_then(|name| name.to_str()))
    else {
        return;
    };
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let file = entry.file_name();
        let process =
            file.to_str().and_then(|file| file.strip_prefix(name)?.strip_prefix('.')?.strip_suffix(".alive"));
        if let Some(process) = process {
            has_ended(store, process);
        }
    }
}

/// Whether the process of this name has ended; removes what it left. Where that cannot be told, it counts as alive,
/// and its leases run out by themselves.
pub(crate) fn has_ended(store: &Path, process: &str) -> bool {
    // The name comes out of the store; nothing but a UUID is made a path of.
    let Ok(process) = Uuid::parse_str(process) else { return false };
    let path = alive_path(store, &process);
    match OpenOptions::new().read(true).write(true).open(&path) {
        Ok(file) => {
            let ended = file.try_lock().is_ok();
            if ended {
                let _ = std::fs::remove_file(&path);
            }
            ended
        }
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    }
}

fn open(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn unusable(path: &Path, error: &std::io::Error) -> StoreError {
    StoreError::Database(format!("the lock file {} cannot be used: {error}", path.display()))
}

fn alive_path(store: &Path, process: &Uuid) -> PathBuf {
    beside(store, &format!("{process}.alive"))
}

fn beside(store: &Path, extension: &str) -> PathBuf {
    let mut name = store.as_os_str().to_owned();
    name.push(".");
    name.push(extension);
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

    #[test]
    fn a_process_is_alive_until_its_lock_is_free() {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("mms.db");
        let sign = SignOfLife::give(&store).unwrap();
        let process = sign.process();
        assert!(!has_ended(&store, &process));

        // As after SIGKILL: the lock is free, the file lies there still.
        let path = sign.path.clone();
        drop(sign);
        std::fs::write(&path, "").unwrap();
        assert!(has_ended(&store, &process));
        assert!(!path.exists(), "what it left is removed");
        assert!(has_ended(&store, &process), "a process without a file has ended");
        assert!(!has_ended(&store, "../../etc/passwd"), "only names that MMS gives are looked for");

        std::fs::write(&path, "").unwrap();
        let living = SignOfLife::give(&store).unwrap();
        let _another = SignOfLife::give(&store).unwrap();
        assert!(!path.exists() && living.path.exists(), "what nobody holds is swept away");
    }
}
