//! One row of a directory file, in whichever format it was written, and the user it makes.

use mms_model::{Address, CalendarLocation, User};
use uuid::Uuid;

use super::{ImportError, ImportErrors};

/// The namespace of the ids of users whose row has none:
/// the version 5 UUID of `urn:mms:user-principal-name` in the URL namespace.
fn upn_namespace() -> Uuid {
    Uuid::new_v5(&Uuid::NAMESPACE_URL, b"urn:mms:user-principal-name")
}

/// A field of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Id,
    Upn,
    Sip,
    Logon,
    DisplayName,
    DistinguishedName,
    Addresses,
    Calendar,
    Place,
}

impl Field {
    pub(super) const ALL: [Field; 9] = [
        Self::Id,
        Self::Upn,
        Self::Sip,
        Self::Logon,
        Self::DisplayName,
        Self::DistinguishedName,
        Self::Addresses,
        Self::Calendar,
        Self::Place,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Upn => "upn",
            Self::Sip => "sip",
            Self::Logon => "logon",
            Self::DisplayName => "display_name",
            Self::DistinguishedName => "distinguished_name",
            Self::Addresses => "addresses",
            Self::Calendar => "calendar",
            Self::Place => "place",
        }
    }

    /// The field of a column or key; case does not count.
    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.name().eq_ignore_ascii_case(name))
    }

    /// The error of a column or key nobody knows.
    pub(super) fn unknown(name: &str) -> String {
        let known: Vec<&str> = Self::ALL.into_iter().map(Self::name).collect();
        format!("unknown column \"{}\"; the columns are {}", name.escape_debug(), known.join(", "))
    }
}

/// The values of one user. An empty value is none.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) line: u64,
    values: [Option<String>; Field::ALL.len()],
    pub(super) addresses: Vec<String>,
}

impl Row {
    pub(super) fn new(line: u64) -> Self {
        Self { line, values: Default::default(), addresses: Vec::new() }
    }

    pub(super) fn set(&mut self, field: Field, value: &str) {
        let value = value.trim();
        if value.is_empty() {
            return;
        }
        if field == Field::Addresses {
            self.addresses
                .extend(value.split(';').map(str::trim).filter(|a| !a.is_empty()).map(str::to_owned));
        } else if let Some(slot) = self.values.get_mut(field as usize) {
            *slot = Some(value.to_owned());
        }
    }

    fn take(&mut self, field: Field) -> Option<String> {
        self.values.get_mut(field as usize).and_then(Option::take)
    }

    /// The user, or none with everything that is wrong with the row added to `errors`.
    pub(super) fn into_user(
        mut self,
        default_calendar: Option<&str>,
        errors: &mut ImportErrors,
    ) -> Option<User> {
        let mut wrong = Vec::new();
        for (field, value) in Field::ALL.iter().zip(&self.values) {
            if value.as_deref().is_some_and(|v| v.contains(char::is_control)) {
                wrong.push(format!(
                    "{} holds a line break or control character; is a closing quote missing?",
                    field.name()
                ));
            }
        }
        let upn = self.take(Field::Upn).unwrap_or_default();
        if upn.is_empty() {
            wrong.push("upn is missing; every user needs a user principal name".to_owned());
        } else if !is_address(&upn) {
            wrong.push(format!("upn \"{}\" is not of the form name@domain", upn.escape_debug()));
        }
        let id = match self.take(Field::Id) {
            None => Uuid::new_v5(&upn_namespace(), upn.to_lowercase().as_bytes()),
            Some(text) => Uuid::parse_str(&text).unwrap_or_else(|_| {
                wrong.push(format!("id \"{}\" is not a GUID", text.escape_debug()));
                Uuid::nil()
            }),
        };
        let sip = self.take(Field::Sip).map(|text| without_sip_scheme(&text).to_owned());
        if let Some(sip) = sip.as_deref().filter(|sip| !is_address(sip)) {
            wrong.push(format!("sip \"{}\" is not of the form name@domain", sip.escape_debug()));
        }
        let logon = self.take(Field::Logon);
        if let Some(logon) = logon.as_deref().filter(|logon| !is_logon(logon)) {
            wrong.push(format!("logon \"{}\" is not of the form domain\\logon", logon.escape_debug()));
        }
        for address in self.addresses.iter().filter(|a| !is_address(Address::new(a).as_str())) {
            wrong.push(format!(
                "addresses holds \"{}\", which is not a mail address; several are separated by \";\"",
                address.escape_debug()
            ));
        }
        let calendar = self.calendar(default_calendar, &mut wrong);
        if !wrong.is_empty() {
            let line = self.line;
            wrong.into_iter().for_each(|message| errors.push(ImportError::at(line, message)));
            return None;
        }
        Some(User {
            skype: None,
            id,
            sip,
            logon,
            display_name: self.take(Field::DisplayName),
            distinguished_name: self.take(Field::DistinguishedName),
            addresses: self.addresses.iter().map(|a| Address::new(a)).collect(),
            calendar,
            upn,
        })
    }

    fn calendar(
        &mut self,
        default_calendar: Option<&str>,
        wrong: &mut Vec<String>,
    ) -> Option<CalendarLocation> {
        let connector = self.take(Field::Calendar).or_else(|| default_calendar.map(str::to_owned));
        let place = self.take(Field::Place);
        match (connector, place) {
            (Some(connector), place) => {
                Some(CalendarLocation { connector, place: place.unwrap_or_default() })
            }
            (None, None) => None,
            (None, Some(_)) => {
                wrong.push("place is given but no calendar; name the calendar connector".to_owned());
                None
            }
        }
    }
}

/// `name@domain`, without blanks; what a directory takes for an address, not the whole of RFC 5321.
fn is_address(text: &str) -> bool {
    let parts = text.rsplit_once('@');
    parts.is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty())
        && !text.contains(|c: char| c.is_whitespace() || c.is_control() || matches!(c, '<' | '>' | ',' | ';'))
}

fn is_logon(text: &str) -> bool {
    let parts = text.split_once('\\');
    parts.is_some_and(|(domain, logon)| !domain.is_empty() && !logon.is_empty() && !logon.contains('\\'))
}

pub(super) fn without_sip_scheme(text: &str) -> &str {
    match text.get(..4) {
        Some(scheme) if scheme.eq_ignore_ascii_case("sip:") => text.get(4..).unwrap_or_default(),
        _ => text,
    }
}
