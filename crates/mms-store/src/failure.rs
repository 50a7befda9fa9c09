//! What the database says, as a sentence that says what to do.

use std::path::Path;

use mms_model::port::StoreError;

/// The error for what SQLite says about the file at `path` (result codes: sqlite.org/rescode.html).
pub(crate) fn describe(path: &Path, error: &sqlx::Error) -> StoreError {
    let file = path.display();
    let code = match error {
        sqlx::Error::Database(error) => error.code().and_then(|c| c.parse::<u32>().ok()).map(|c| c & 0xff),
        _ => None,
    };
    StoreError::Database(match code {
        Some(5 | 6) => format!("the store {file} is busy: another process has held it for too long"),
        Some(8) => {
            format!("the store {file} is read-only: give this user the right to write it and its folder")
        }
        Some(10) => format!("the disk of the store {file} fails: {error}"),
        Some(11 | 26) => {
            format!(
                "the store {file} is damaged or no SQLite file: restore a backup or move it out of the way"
            )
        }
        Some(13) => {
            format!("the disk of the store {file} is full: make room; nothing that was noted is lost")
        }
        Some(14) => {
            format!("the store {file} cannot be opened: check that its folder exists and may be written")
        }
        _ => format!("the store {file} failed: {error}"),
    })
}
