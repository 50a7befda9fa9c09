//! Skype for Business and Lync: their links and conference URIs.

use mms_model::Platform;

use super::url::{Address, Hosts, Join, Link};

/// A link on a host that the administrator named as a simple URL.
pub(super) fn configured(address: &Address<'_>, hosts: &Hosts) -> Option<Link> {
    if !address.is_any(&hosts.skype) {
        return None;
    }
    Some(meeting(address).map_or(Link::Part(Platform::SFB), Link::Join))
}

pub(super) fn classify(address: &Address<'_>) -> Option<Link> {
    if address.is("meet.lync.com") {
        return meeting(address).map(Link::Join);
    }
    let part = match address.host.as_str() {
        "o15.officeredir.microsoft.com" => true,
        "go.microsoft.com" => address.parameter("linkid").is_some_and(|id| id == "389737"),
        "support.office.com" | "support.microsoft.com" => {
            let path = address.raw.to_ascii_lowercase();
            path.contains("lync") || path.contains("skype")
        }
        host => host.starts_with("dialin.") && address.path.len() <= 1,
    };
    if part {
        return Some(Link::Part(Platform::SFB));
    }
    simple_url(address).map(Link::Weak)
}

/// The meeting of a link with the shape of a simple URL, which stand on any host: `/user/ID`, `/meet/user/ID`.
pub(super) fn simple_url(address: &Address<'_>) -> Option<Join> {
    let plain = address.path.len() == 2 || (address.path.len() == 3 && address.segment(0) == Some("meet"));
    if plain { meeting(address) } else { None }
}

fn meeting(address: &Address<'_>) -> Option<Join> {
    let id = address.path.last().filter(|id| address.path.len() >= 2 && is_conference_id(id))?;
    Some(Join::new(Platform::SFB, key(id), None))
}

/// The conference id names the meeting; host and user are written in several ways (simple URL,
/// vanity domain, GRUU).
fn key(id: &str) -> String {
    format!("sfb:{}", id.to_ascii_uppercase())
}

fn is_conference_id(text: &str) -> bool {
    (5..=8).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
}

/// The key in an `OnlineMeetingConfLink`; none where it leads to Teams.
pub(super) fn key_of_conference(value: &str) -> Option<String> {
    let (_, rest) = value.split_once("focus:id:")?;
    let id = rest.split(['?', ';', '!']).next()?;
    is_conference_id(id).then(|| key(id))
}
