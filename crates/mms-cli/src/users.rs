//! Which users a command is for: identities, a file of identities, or everybody.

use std::path::{Path, PathBuf};

use mms_model::port::Directory;
use mms_model::{Identity, User};

use crate::failure::Failure;

/// The users of `migrate`, `start` and `preview`.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Choice {
    /// Users: SIP address, user principal name, domain\logon, display name, distinguished name or object id.
    #[arg(value_name = "IDENTITY", required_unless_present_any = ["all", "file"])]
    pub identities: Vec<Identity>,
    /// Every user of the directory.
    #[arg(long, conflicts_with_all = ["identities", "file"])]
    pub all: bool,
    /// The users of a CSV file: the column Identity (or UserPrincipalName, or the first one).
    #[arg(long, value_name = "FILE", conflicts_with = "identities")]
    pub file: Option<PathBuf>,
}

impl Choice {
    /// Resolves every user of the choice, each once.
    ///
    /// # Errors
    /// The first identity that is unknown or ambiguous; of a file with its line.
    pub async fn resolve(&self, directory: &dyn Directory) -> Result<Vec<User>, Failure> {
        if self.all {
            return Ok(directory.users().await?);
        }
        let named = match &self.file {
            Some(file) => read_identities(file)?,
            None => self.identities.iter().cloned().map(|identity| (None, identity)).collect(),
        };
        let mut users: Vec<User> = Vec::with_capacity(named.len());
        let mut seen = std::collections::HashSet::new();
        for (place, identity) in named {
            let user = directory.resolve(&identity).await.map_err(|error| {
                let mut failure = Failure::from(error);
                if let Some(place) = place {
                    failure.message = format!("{place}: {}", failure.message);
                }
                failure
            })?;
            if seen.insert(user.id) {
                users.push(user);
            }
        }
        Ok(users)
    }
}

/// The identities of a CSV file, each with its place for errors.
fn read_identities(path: &Path) -> Result<Vec<(Option<String>, Identity)>, Failure> {
    let shown = path.display();
    let text = std::fs::read_to_string(path).map_err(|error| {
        Failure::usage(format!("the file of users {shown} cannot be read: {error}; check the path"))
    })?;
    identities(&text)
        .map(|found| {
            found.into_iter().map(|(line, identity)| (Some(format!("{shown}:{line}")), identity)).collect()
        })
        .map_err(|(line, message)| Failure::usage(format!("{shown}:{line}: {message}")))
}

/// The identities of a CSV text with their lines. A first row that holds a known column name is a
/// header; without one the first column is taken.
fn identities(text: &str) -> Result<Vec<(u64, Identity)>, (u64, String)> {
    const COLUMNS: [&str; 4] = ["identity", "userprincipalname", "upn", "user"];
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .trim(csv::Trim::All)
        .comment(Some(b'#'))
        .from_reader(text.as_bytes());
    let mut column = 0;
    let mut found = Vec::new();
    for (number, record) in reader.records().enumerate() {
        let record = record
            .map_err(|e| (e.position().map_or(0, csv::Position::line), format!("this is not CSV: {e}")))?;
        let line = record.position().map_or(0, |position| line_at(text, position.byte()));
        if number == 0 {
            let known = COLUMNS
                .iter()
                .find_map(|name| record.iter().position(|cell| cell.eq_ignore_ascii_case(name)));
            if let Some(at) = known {
                column = at;
                continue;
            }
        }
        match record.get(column).map(str::trim) {
            None | Some("") => {
                return Err((line, format!("column {} is empty: put an identity there", column + 1)));
            }
            Some(cell) => found.push((line, cell.parse::<Identity>().map_err(|e| (line, e.to_string()))?)),
        }
    }
    Ok(found)
}

/// The line of the record at a byte offset, which may lie before line ends and comments that the
/// reader passes over.
fn line_at(text: &str, offset: u64) -> u64 {
    let (before, mut rest) =
        usize::try_from(offset).ok().and_then(|at| text.split_at_checked(at)).unwrap_or((text, ""));
    let mut line = before.bytes().filter(|b| *b == b'\n').count() as u64 + 1;
    while let Some(head) = rest.chars().next() {
        rest = match head {
            '\r' | '\n' => rest.get(1..).unwrap_or_default(),
            '#' => rest.split_once('\n').map_or("", |(_, behind)| behind),
            _ => break,
        };
        line += u64::from(head != '\r');
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(u64, String)> {
        identities(text).unwrap().into_iter().map(|(line, identity)| (line, identity.to_string())).collect()
    }

    #[test]
    fn files_with_and_without_a_header() {
        assert_eq!(read("a@x.test\nb@x.test\n"), [(1, "a@x.test".into()), (2, "b@x.test".into())]);
        assert_eq!(
            read(
                "\u{feff}Name,UserPrincipalName\r\n\"Myer, Ken\",ken@x.test\r\n# left\r\nAna,ana@x.test\r\n"
            ),
            [(2, "ken@x.test".into()), (4, "ana@x.test".into())]
        );
    }

    #[test]
    fn an_empty_cell_names_its_line() {
        assert_eq!(identities("Name,Identity\nKen,\n").unwrap_err().0, 2);
    }
}
