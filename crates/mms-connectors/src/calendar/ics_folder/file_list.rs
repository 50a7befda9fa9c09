//! The `.ics` files of a folder, in a stable order, kept compact: 200,000 names take a few MB.

use std::ops::Range;
use std::path::Path;

use mms_model::{Code, PortError};

use super::{failure, shown};

/// Folders nested deeper are not looked into.
const MAX_DEPTH: usize = 32;

/// Paths below a folder, with `/` between their parts, sorted.
#[derive(Debug, Default)]
pub(super) struct FileList {
    names: String,
    ranges: Vec<Range<u32>>,
    /// What could not be listed, each by its path below the folder.
    pub(super) failures: Vec<(String, PortError)>,
}

impl FileList {
    /// Lists the `.ics` files of `folder`.
    ///
    /// # Errors
    /// Where the folder itself cannot be read.
    pub(super) fn of(folder: &Path, recursive: bool) -> Result<Self, PortError> {
        let mut list = Self::default();
        list.add(folder, "", recursive, 0)?;
        let names = &list.names;
        list.ranges.sort_unstable_by(|a, b| slice(names, a).cmp(slice(names, b)));
        Ok(list)
    }

    fn add(&mut self, folder: &Path, prefix: &str, recursive: bool, depth: usize) -> Result<(), PortError> {
        let entries = std::fs::read_dir(folder).map_err(|error| failure::reading(folder, &error))?;
        let mut folders = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|error| failure::reading(folder, &error))?;
            let raw = entry.file_name();
            let is_calendar = raw.as_encoded_bytes().to_ascii_lowercase().ends_with(b".ics");
            if raw.as_encoded_bytes().starts_with(b".") {
                continue;
            }
            // Known from the listing itself on common file systems, so that no file is touched.
            let Ok(kind) = entry.file_type() else { continue };
            let Some(name) = raw.to_str() else {
                if is_calendar || kind.is_dir() {
                    let lossy = format!("{prefix}{}", raw.to_string_lossy());
                    let message = format!("{} has a name that is not UTF-8; rename it", shown(&entry.path()));
                    self.failures.push((lossy, PortError::permanent(Code::FileAccess, message)));
                }
                continue;
            };
            if kind.is_dir() && recursive && depth < MAX_DEPTH {
                folders.push(name.to_owned());
            } else if kind.is_file() && is_calendar {
                self.push(prefix, name);
            }
        }
        folders.sort_unstable();
        for name in folders {
            let below = format!("{prefix}{name}/");
            if let Err(error) = self.add(&folder.join(&name), &below, recursive, depth + 1) {
                self.failures.push((format!("{prefix}{name}"), error));
            }
        }
        Ok(())
    }

    fn push(&mut self, prefix: &str, name: &str) {
        let start = self.names.len();
        self.names.push_str(prefix);
        self.names.push_str(name);
        // 4 GiB of names are more files than any folder holds.
        if let (Ok(start), Ok(end)) = (u32::try_from(start), u32::try_from(self.names.len())) {
            self.ranges.push(start..end);
        }
    }

    /// How many files there are.
    pub(super) fn len(&self) -> usize {
        self.ranges.len()
    }

    /// The path of a file below the folder.
    pub(super) fn get(&self, position: usize) -> Option<&str> {
        self.ranges.get(position).map(|range| slice(&self.names, range))
    }
}

fn slice<'a>(names: &'a str, range: &Range<u32>) -> &'a str {
    names.get(range.start as usize..range.end as usize).unwrap_or_default()
}
