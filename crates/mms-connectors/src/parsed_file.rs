//! A file that is parsed once for each state of it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

/// How long a file must have been left alone when it is read for its time to tell of every later change:
/// file systems keep times in steps of up to 2 seconds (FAT).
const TIME_STEP: Duration = Duration::from_secs(2);

/// Keeps what a file said, until the file is another.
#[derive(Debug)]
pub(crate) struct ParsedFile<T> {
    last: Mutex<Option<Reading<T>>>,
}

/// The file as it was at one time.
#[derive(Debug)]
struct Reading<T> {
    path: PathBuf,
    /// Modification time and size; `None` where a change could leave them as they are.
    state: Option<(SystemTime, u64)>,
    content: Arc<T>,
}

impl<T> Default for ParsedFile<T> {
    fn default() -> Self {
        Self { last: Mutex::default() }
    }
}

impl<T> ParsedFile<T> {
    /// What the file `path` says now.
    ///
    /// # Errors
    /// It cannot be read; what `parse` finds wrong.
    pub(crate) fn read(
        &self,
        path: &Path,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<Arc<T>, String> {
        let unreadable = |e: std::io::Error| format!("cannot be read: {e}");
        // The time first: a change between it and the reading is then seen the next time.
        let metadata = std::fs::metadata(path).map_err(unreadable)?;
        let state = metadata.modified().ok().map(|modified| (modified, metadata.len()));
        // Held while the file is read, so that those who ask at once read it once.
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(reading) = last.as_ref()
            && reading.path == path
            && state.is_some()
            && reading.state == state
        {
            return Ok(Arc::clone(&reading.content));
        }
        let text = std::fs::read_to_string(path).map_err(unreadable)?;
        let content = Arc::new(parse(&text)?);
        let settled = state.filter(|(modified, _)| modified.elapsed().is_ok_and(|age| age > TIME_STEP));
        *last = Some(Reading { path: path.to_owned(), state: settled, content: Arc::clone(&content) });
        Ok(content)
    }
}
