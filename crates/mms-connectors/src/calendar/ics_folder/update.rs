//! Writes a page of updates: each file once, whatever number of its events change, and each folder
//! brought to the disk once.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use mms_model::port::{ReadBack, Update, Updated};
use mms_model::{Code, PortError};

use super::event_file::{self, EventGroup};
use super::replace::{self, Prepared};
use super::{Opened, event_id, failure, shown};

type Outcome = Result<Updated, PortError>;

/// One update in its file.
struct Change {
    /// Where its result goes.
    position: usize,
    uid: String,
    update: Update,
}

/// The changes of one file.
struct FileChanges {
    relative: String,
    changes: Vec<Change>,
}

/// What became of the changes of one file.
struct FileOutcomes {
    outcomes: Vec<(usize, Outcome)>,
    /// The folder whose names changed.
    written: Option<PathBuf>,
}

/// Files of which more are written at a time: bringing one to the disk is mostly waiting.
const WRITERS: usize = 8;
/// Larger files are written one after the other, so that no more than one is in memory.
const LARGE_FILE_BYTES: u64 = 1024 * 1024;

/// Applies `updates`, each on the condition of its version; results in their order.
pub(super) fn apply(opened: &Opened, updates: Vec<Update>) -> Vec<Outcome> {
    let mut outcomes: Vec<Option<Outcome>> = updates.iter().map(|_| None).collect();
    let mut by_file: BTreeMap<String, Vec<Change>> = BTreeMap::new();
    for (position, update) in updates.into_iter().enumerate() {
        match event_id::parts(&update.id) {
            Ok((relative, uid)) => {
                by_file.entry(relative).or_default().push(Change { position, uid, update })
            }
            Err(error) => set(&mut outcomes, position, Err(error)),
        }
    }
    let files = by_file.into_iter().map(|(relative, changes)| FileChanges { relative, changes });
    let is_large = |file: &FileChanges| {
        opened.path(&file.relative).symlink_metadata().is_ok_and(|metadata| metadata.len() > LARGE_FILE_BYTES)
    };
    let (large, small): (Vec<_>, Vec<_>) = files.partition(is_large);
    let mut done = apply_at_once(opened, small);
    done.extend(large.into_iter().map(|file| apply_to_file(opened, file)));

    let folders: BTreeSet<PathBuf> = done.iter().filter_map(|file| file.written.clone()).collect();
    let unsynced: BTreeMap<PathBuf, PortError> = folders
        .into_iter()
        .filter_map(|folder| replace::sync_folder(&folder).err().map(|error| (folder, error)))
        .collect();
    for file in done {
        let lost = file.written.as_ref().and_then(|folder| unsynced.get(folder));
        for (position, outcome) in file.outcomes {
            let outcome = match lost {
                Some(error) => outcome.and_then(|_| Err(copy(error))),
                None => outcome,
            };
            set(&mut outcomes, position, outcome);
        }
    }
    outcomes.into_iter().map(|outcome| outcome.unwrap_or_else(|| Err(lost()))).collect()
}

/// Several files at a time.
fn apply_at_once(opened: &Opened, files: Vec<FileChanges>) -> Vec<FileOutcomes> {
    let writers = WRITERS.min(files.len());
    let waiting = Mutex::new(files.into_iter());
    let done = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..writers {
            scope.spawn(|| {
                loop {
                    let Some(file) = waiting.lock().unwrap_or_else(PoisonError::into_inner).next() else {
                        break;
                    };
                    let outcomes = apply_to_file(opened, file);
                    done.lock().unwrap_or_else(PoisonError::into_inner).push(outcomes);
                }
            });
        }
    });
    done.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// Applies the changes of one file.
fn apply_to_file(opened: &Opened, file: FileChanges) -> FileOutcomes {
    let path = opened.path(&file.relative);
    let mut outcomes = Vec::with_capacity(file.changes.len());
    match write_file(opened, &file, &mut outcomes) {
        Ok(true) => {
            let folder = path.parent().unwrap_or(&opened.folder).to_owned();
            FileOutcomes { outcomes, written: Some(folder) }
        }
        Ok(false) => FileOutcomes { outcomes, written: None },
        Err(error) => {
            let settled: BTreeSet<usize> = outcomes.iter().map(|(position, _)| *position).collect();
            let others = file.changes.iter().filter(|change| !settled.contains(&change.position));
            outcomes.extend(others.map(|change| (change.position, Err(copy(&error)))));
            FileOutcomes { outcomes, written: None }
        }
    }
}

/// Writes the file: an outcome for each change, and whether its bytes changed.
///
/// # Errors
/// What hinders every change that has no outcome yet.
fn write_file(
    opened: &Opened,
    changes: &FileChanges,
    outcomes: &mut Vec<(usize, Outcome)>,
) -> Result<bool, PortError> {
    let FileChanges { relative, changes } = changes;
    let path = opened.path(relative);
    let Some(file) = event_file::read_if_there(opened, relative)? else {
        outcomes.extend(changes.iter().map(|c| (c.position, Err(failure::gone(&path, &c.uid)))));
        return Ok(false);
    };
    let mut accepted: Vec<(&EventGroup, &Change)> = Vec::with_capacity(changes.len());
    let mut seen = BTreeSet::new();
    for change in changes {
        match file.event(&change.uid) {
            None => outcomes.push((change.position, Err(failure::gone(&path, &change.uid)))),
            Some(event) => {
                let current = event_file::version(&file.content(event));
                // A second update of one event was made on what the first one changes.
                if current != change.update.version || !seen.insert(change.uid.as_str()) {
                    outcomes.push((change.position, Err(failure::conflict(&path))));
                } else {
                    accepted.push((event, change));
                }
            }
        }
    }
    if accepted.is_empty() {
        return Ok(false);
    }
    let contents: Vec<(&EventGroup, &[u8])> =
        accepted.iter().map(|(event, change)| (*event, change.update.content.as_slice())).collect();
    let changed = file.with(&contents).map_err(|why| not_replaceable(&path, &why))?;
    if changed.is_change {
        let prepared = Prepared::write(&path, &changed.pieces, &file.metadata)?;
        prepared.commit(&path, &file.bytes, &file.metadata)?;
    }
    for ((_, change), version) in accepted.iter().zip(changed.versions) {
        let updated =
            Updated { version, attendees_told: 0, remarks: Vec::new(), read_back: ReadBack::Unread };
        outcomes.push((change.position, Ok(updated)));
    }
    Ok(changed.is_change)
}

fn not_replaceable(path: &Path, why: &str) -> PortError {
    PortError::permanent(Code::BlockNotReplaceable, format!("{} was not written: {why}", shown(path)))
}

fn set(outcomes: &mut [Option<Outcome>], position: usize, outcome: Outcome) {
    if let Some(slot) = outcomes.get_mut(position) {
        *slot = Some(outcome);
    }
}

fn copy(error: &PortError) -> PortError {
    PortError::new(error.kind, error.code, error.message.clone())
}

/// Every update has got an outcome; this one would say that the code above is wrong.
fn lost() -> PortError {
    PortError::retry(Code::FileAccess, "an update of a page was passed over; it is tried again")
}
