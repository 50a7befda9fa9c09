//! Writes a page of updates: each file once, whatever number of its events change, and each folder
//! brought to the disk once.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use mms_model::port::{Update, Updated};
use mms_model::{Code, PortError};

use super::event_file::{self, EventFile, EventGroup};
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
    let mut written: BTreeMap<PathBuf, Vec<usize>> = BTreeMap::new();
    for (relative, changes) in by_file {
        let path = opened.path(&relative);
        let positions: Vec<usize> = changes.iter().map(|c| c.position).collect();
        match apply_to_file(opened, &relative, changes, &mut outcomes) {
            Ok(true) => {
                let folder = path.parent().unwrap_or(&opened.folder).to_owned();
                written.entry(folder).or_default().extend(positions);
            }
            Ok(false) => {}
            Err(error) => {
                for position in positions {
                    if outcomes.get(position).is_some_and(Option::is_none) {
                        set(&mut outcomes, position, Err(copy(&error)));
                    }
                }
            }
        }
    }
    for (folder, positions) in written {
        if let Err(error) = replace::sync_folder(&folder) {
            positions.into_iter().for_each(|position| {
                if outcomes.get(position).is_some_and(|o| matches!(o, Some(Ok(_)))) {
                    set(&mut outcomes, position, Err(copy(&error)));
                }
            });
        }
    }
    outcomes.into_iter().map(|outcome| outcome.unwrap_or_else(|| Err(lost()))).collect()
}

/// Applies the changes of one file: outcomes for each change, and whether the file was replaced.
///
/// # Errors
/// What hinders every change that has no outcome yet.
fn apply_to_file(
    opened: &Opened,
    relative: &str,
    changes: Vec<Change>,
    outcomes: &mut [Option<Outcome>],
) -> Result<bool, PortError> {
    let path = opened.path(relative);
    let Some(file) = event_file::read_if_there(opened, relative)? else {
        for change in &changes {
            set(outcomes, change.position, Err(failure::gone(&path, &change.uid)));
        }
        return Ok(false);
    };
    let mut accepted: Vec<(&EventGroup, &Change)> = Vec::with_capacity(changes.len());
    let mut seen = BTreeSet::new();
    for change in &changes {
        match file.event(&change.uid) {
            None => set(outcomes, change.position, Err(failure::gone(&path, &change.uid))),
            Some(event) => {
                let current = event_file::version(&file.content(event));
                // A second update of one event was made on what the first one changes.
                if current != change.update.version || !seen.insert(change.uid.as_str()) {
                    set(outcomes, change.position, Err(failure::conflict(&path)));
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
    let bytes = file.with(&contents).map_err(|why| not_replaceable(&path, &why))?;
    // Looked at before it is written: what does not read back is not written.
    let after = EventFile::parse(bytes, file.metadata.clone())
        .map_err(|why| not_replaceable(&path, &format!("the new content {why}")))?;
    let mut results = Vec::with_capacity(accepted.len());
    for (_, change) in &accepted {
        let event = after
            .event(&change.uid)
            .ok_or_else(|| not_replaceable(&path, "the new content lost the event"))?;
        results.push((change.position, event_file::version(&after.content(event))));
    }
    let changed = after.bytes != file.bytes;
    if changed {
        let prepared = Prepared::write(&path, &after.bytes, &file.metadata)?;
        prepared.commit(&path, &file.bytes, &file.metadata)?;
    }
    for (position, version) in results {
        set(outcomes, position, Ok(Updated { version, attendees_told: 0, remarks: Vec::new() }));
    }
    Ok(changed)
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
