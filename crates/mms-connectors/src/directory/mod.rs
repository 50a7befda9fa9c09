//! Directories of users.

pub mod file;
pub mod former_addresses;
pub mod graph;
pub mod identity_map;
pub mod ldap;

use mms_model::port::Directory;
use mms_model::{Code, ErrorKind, Identity, PortError, User};

use crate::diagnosis::DiagnosticStep;

/// Users without a calendar whom `mms doctor` names.
const NAMED: usize = 5;

/// What `mms doctor` says of the users that a server lists: how many, and who has no calendar and why.
async fn listed(directory: &dyn Directory, users: &[User]) -> Vec<DiagnosticStep> {
    let without: Vec<&User> = users.iter().filter(|user| user.calendar.is_none()).collect();
    let count = format!("{} users, {} without a calendar", users.len(), without.len());
    let mut steps = vec![DiagnosticStep::passed("users", count)];
    for user in without.into_iter().take(NAMED) {
        let why =
            directory.why_no_calendar(user).await.unwrap_or_else(|| "there is none for them".to_owned());
        steps.push(DiagnosticStep::warning(
            "users",
            format!("{} has no calendar: {why}", user.upn),
            "their migrations fail with NoCalendar; docs/directory.md says what a calendar follows from",
        ));
    }
    steps
}

/// The one user that `identity` names.
fn only<'u>(identity: &Identity, found: &[&'u User]) -> Result<&'u User, PortError> {
    match found {
        [] => Err(unknown(identity)),
        [user] => Ok(user),
        several => Err(ambiguous(identity, several)),
    }
}

/// What a form of identity is called in errors.
fn form(identity: &Identity) -> &'static str {
    match identity {
        Identity::DistinguishedName(_) => "distinguished name",
        Identity::ObjectId(_) => "object id",
        Identity::Sip(_) => "SIP address",
        Identity::Logon(_) => "domain\\logon",
        Identity::UserPrincipalName(_) => "user principal name, SIP address or mail address",
        Identity::DisplayName(_) => "display name",
    }
}

fn unknown(identity: &Identity) -> PortError {
    PortError::new(
        ErrorKind::Permanent,
        Code::UserNotFound,
        format!("no user in the directory has the {} \"{identity}\"; check the spelling", form(identity)),
    )
}

fn ambiguous(identity: &Identity, users: &[&User]) -> PortError {
    const SHOWN: usize = 5;
    let mut candidates: Vec<&str> = users.iter().take(SHOWN).map(|u| u.upn.as_str()).collect();
    let more = format!("and {} more", users.len().saturating_sub(SHOWN));
    if users.len() > SHOWN {
        candidates.push(&more);
    }
    PortError::new(
        ErrorKind::Permanent,
        Code::UserAmbiguous,
        format!(
            "{} users have the {} \"{identity}\": {}; name the one that is meant by its user principal name",
            users.len(),
            form(identity),
            candidates.join(", ")
        ),
    )
}
