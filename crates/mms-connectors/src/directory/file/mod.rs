//! A directory in a file: TOML (`[[user]]`) or CSV with a header row.
//!
//! | field | meaning |
//! |---|---|
//! | `upn` | user principal name; the one field that must be there |
//! | `id` | object id (GUID); where absent, a version 5 UUID of the UPN, the same at each import |
//! | `sip` | SIP address, `sip:` optional |
//! | `logon` | `domain\logon` |
//! | `display_name` | display name |
//! | `distinguished_name` | RFC 4514 distinguished name |
//! | `addresses` | mail addresses, the primary one first; in CSV separated by `;` |
//! | `calendar` | name of the calendar connector |
//! | `place` | where the calendar is, as that connector understands it |
//!
//! The file is read once. Who wants to see a changed file makes a new [`FileDirectory`].

pub(super) mod csv_rows;
mod import_error;
mod index;
mod row;
mod toml_rows;

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use mms_model::port::Directory;
use mms_model::{Identity, PortError, User};
use serde::Deserialize;

pub use import_error::{ImportError, ImportErrors};
use index::Index;
use row::Row;

/// The largest directory file that is read: some 500,000 users.
const MAX_FILE_BYTES: u64 = 256 * 1024 * 1024;

/// Settings of a directory file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileDirectorySettings {
    /// The file; `.toml` is read as TOML, everything else as CSV.
    pub path: PathBuf,
    /// The calendar connector of users whose row names none.
    #[serde(default)]
    pub default_calendar: Option<String>,
}

/// How a directory file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileFormat {
    /// `[[user]]` tables.
    Toml,
    /// A header row and one row for each user; comma, semicolon or tab between fields.
    Csv,
}

impl FileFormat {
    /// The format that the extension of `path` names.
    pub fn of(path: &Path) -> Self {
        match path.extension() {
            Some(extension) if extension.eq_ignore_ascii_case("toml") => Self::Toml,
            _ => Self::Csv,
        }
    }
}

/// Users from a file, indexed by every form of identity.
#[derive(Debug)]
pub struct FileDirectory {
    users: Vec<User>,
    /// The line of each user.
    lines: Vec<u64>,
    index: Index,
}

impl FileDirectory {
    /// Reads and indexes the file.
    ///
    /// # Errors
    /// Everything that is wrong with the file, up to a limit, each by line.
    pub fn load(settings: &FileDirectorySettings) -> Result<Self, ImportErrors> {
        let path = &settings.path;
        let name = path.display().to_string();
        let cannot = |reason: String| ImportErrors::whole_file(&name, reason);
        let length = std::fs::metadata(path).map_err(|e| cannot(format!("cannot be read: {e}")))?.len();
        if length > MAX_FILE_BYTES {
            return Err(cannot(format!(
                "is {length} bytes long; a directory file may have up to {MAX_FILE_BYTES}"
            )));
        }
        let bytes = std::fs::read(path).map_err(|e| cannot(format!("cannot be read: {e}")))?;
        Self::parse(&name, FileFormat::of(path), &bytes, settings.default_calendar.as_deref())
    }

    /// Takes the users from the bytes of a file; `name` is what errors call it.
    ///
    /// # Errors
    /// As for [`FileDirectory::load`].
    pub fn parse(
        name: &str,
        format: FileFormat,
        bytes: &[u8],
        default_calendar: Option<&str>,
    ) -> Result<Self, ImportErrors> {
        let mut errors = ImportErrors::none(name);
        let rows = match text_of(bytes) {
            Ok(text) => match format {
                FileFormat::Toml => toml_rows::read(text, &mut errors),
                FileFormat::Csv => csv_rows::read(text, &mut errors),
            },
            Err(error) => {
                errors.push(error);
                Vec::new()
            }
        };
        let mut users = Vec::with_capacity(rows.len());
        let mut lines = Vec::with_capacity(rows.len());
        for row in rows {
            let line = row.line;
            if let Some(user) = row.into_user(default_calendar, &mut errors) {
                users.push(user);
                lines.push(line);
            }
        }
        let index = Index::of(&users, &lines, &mut errors);
        errors.into_result(Self { users, lines, index })
    }

    /// How many users there are.
    pub fn len(&self) -> usize {
        self.users.len()
    }

    /// The users in the order of the file, each with the line on which it begins.
    pub fn lines(&self) -> impl Iterator<Item = (u64, &User)> {
        self.lines.iter().copied().zip(&self.users)
    }

    /// Whether there is nobody.
    pub fn is_empty(&self) -> bool {
        self.users.is_empty()
    }
}

#[async_trait]
impl Directory for FileDirectory {
    async fn resolve(&self, identity: &Identity) -> Result<User, PortError> {
        let found: Vec<&User> = self
            .index
            .find(identity)
            .iter()
            .filter_map(|&position| self.users.get(position as usize))
            .collect();
        super::only(identity, &found).cloned()
    }

    async fn users(&self) -> Result<Vec<User>, PortError> {
        Ok(self.users.clone())
    }
}

/// The text of a file without its byte order mark, or the line at which it is no UTF-8.
pub(super) fn text_of(bytes: &[u8]) -> Result<&str, ImportError> {
    if bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]) {
        return Err(ImportError::at(1, "the file is UTF-16; save it as UTF-8"));
    }
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    std::str::from_utf8(bytes).map_err(|error| {
        let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
        ImportError::at(line_at(before), "this is not UTF-8; save the file as UTF-8")
    })
}

/// The number of the line that follows on `before`, counted from 1.
fn line_at(before: &[u8]) -> u64 {
    before.iter().filter(|&&b| b == b'\n').count() as u64 + 1
}

#[cfg(test)]
mod tests;
