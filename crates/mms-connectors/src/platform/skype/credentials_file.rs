//! The file with each organizer's own name and password, parsed once for each state of it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use csv::{ReaderBuilder, StringRecord, Trim};

use crate::parsed_file::ParsedFile;
use crate::transport::SecretText;

/// A line of the file.
#[derive(Debug, Clone)]
pub(super) struct Person {
    /// The mail address that invites name as organizer.
    pub(super) address: String,
    /// The name to sign in with.
    pub(super) user: String,
    pub(super) password: SecretText,
}

/// Keeps what the file said, until the file is another.
#[derive(Debug)]
pub(super) struct CredentialsFile {
    path: PathBuf,
    people: ParsedFile<People>,
}

/// Those who stand in the file.
#[derive(Debug, Default)]
pub(super) struct People {
    lines: Vec<Person>,
    /// Number of the line by mail and SIP address in lower case; none where several lines have it.
    by_address: HashMap<String, Option<usize>>,
}

impl CredentialsFile {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, people: ParsedFile::default() }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What the file says now.
    ///
    /// # Errors
    /// What is wrong with it and where; quotes no secret.
    pub(super) fn people(&self) -> Result<Arc<People>, String> {
        let wrong = |what: String| format!("{}: {what}", self.path.display());
        self.people.read(&self.path, People::parse).map_err(wrong)
    }
}

impl People {
    fn parse(text: &str) -> Result<Self, String> {
        const HEADER: &str = "its first line must be address,username,password (and sip, where it differs)";
        let text = text.trim_start_matches('\u{feff}');
        let mut reader = ReaderBuilder::new().trim(Trim::Headers).flexible(true).from_reader(text.as_bytes());
        let header = reader.headers().map_err(|_| HEADER.to_owned())?.clone();
        let column = |name: &str| header.iter().position(|column| column.eq_ignore_ascii_case(name));
        let (Some(address), Some(user), Some(password)) =
            (column("address"), column("username"), column("password"))
        else {
            return Err(HEADER.to_owned());
        };
        let sip = column("sip");
        let mut people = Self::default();
        for record in reader.records() {
            // The error's own text could quote the line.
            let record = record.map_err(|_| "a line cannot be read as CSV in UTF-8".to_owned())?;
            let line = record.position().map_or(0, csv::Position::line);
            let field = |at: usize| text_of(&record, at).ok_or_else(|| format!("line {line}: {HEADER}"));
            let person = Person {
                address: field(address)?.trim().to_owned(),
                user: field(user)?.trim().to_owned(),
                password: SecretText::new(field(password)?),
            };
            people.add(person, sip.and_then(|at| text_of(&record, at)));
        }
        Ok(people)
    }

    fn add(&mut self, person: Person, sip: Option<&str>) {
        let number = self.lines.len();
        let mail = key(&person.address);
        let sip = sip.map(key).filter(|sip| *sip != mail);
        for name in std::iter::once(mail).chain(sip) {
            match self.by_address.entry(name) {
                Entry::Vacant(free) => drop(free.insert(Some(number))),
                Entry::Occupied(mut taken) => *taken.get_mut() = None,
            }
        }
        self.lines.push(person);
    }

    /// The person with this mail or SIP address.
    pub(super) fn find(&self, address: &str) -> Option<&Person> {
        self.by_address.get(&key(address))?.and_then(|number| self.lines.get(number))
    }

    pub(super) fn all(&self) -> &[Person] {
        &self.lines
    }
}

fn text_of(record: &StringRecord, at: usize) -> Option<&str> {
    record.get(at).filter(|text| !text.trim().is_empty())
}

/// An address as it is looked up.
fn key(address: &str) -> String {
    let bare = mms_model::Address::new(address).as_str().to_ascii_lowercase();
    bare.strip_prefix("sip:").map(str::to_owned).unwrap_or(bare)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    const TEXT: &str = "address,username,password,sip\n\
        alice@contoso.com,CONTOSO\\alice,\"pa,ss \"\"1\"\"\",sip:ally@contoso.com\n\
        Bob@Contoso.com, bob@corp.contoso.com ,hush,\n";

    #[test]
    fn people_are_found_by_mail_and_sip_address_in_any_case() {
        let people = People::parse(TEXT).unwrap();
        let alice = people.find("ALICE@contoso.com").unwrap();
        assert_eq!((alice.user.as_str(), alice.password.expose()), ("CONTOSO\\alice", "pa,ss \"1\""));
        assert_eq!(people.find("sip:Ally@contoso.com").unwrap().address, "alice@contoso.com");
        assert_eq!(people.find("bob@contoso.com").unwrap().user, "bob@corp.contoso.com");
        assert!(people.find("eve@contoso.com").is_none());
        assert_eq!(people.all().len(), 2);
    }

    #[test]
    fn of_two_lines_for_one_address_none_is_guessed() {
        let people = People::parse("address,username,password\na@x,a,1\nA@X,b,2\n").unwrap();
        assert!(people.find("a@x").is_none());
    }

    #[test]
    fn what_is_wrong_is_said_without_the_secret() {
        for (text, said) in [
            ("", "first line"),
            ("mail,login,secret\na,b,hush\n", "first line"),
            ("address,username,password\na@x,a,hush\nb@x,,hush\n", "line 3"),
            ("address,username,password\na@x,hush\n", "line 2"),
        ] {
            let error = People::parse(text).unwrap_err();
            assert!(error.contains(said) && !error.contains("hush"), "{text}: {error}");
        }
        assert!(!format!("{:?}", People::parse(TEXT).unwrap()).contains("hush"));
    }

    #[test]
    fn a_changed_file_is_read_again() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(TEXT.as_bytes()).unwrap();
        let credentials = CredentialsFile::new(file.path().to_owned());
        assert_eq!(credentials.people().unwrap().all().len(), 2);
        file.write_all(b"carol@contoso.com,carol,pw,\n").unwrap();
        assert_eq!(credentials.people().unwrap().all().len(), 3);
        let missing = CredentialsFile::new("/nowhere/at/all.csv".into());
        assert!(missing.people().unwrap_err().contains("/nowhere/at/all.csv"));
    }
}
