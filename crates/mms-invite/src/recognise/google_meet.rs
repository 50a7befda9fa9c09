//! Google Meet: its links.

use mms_model::Platform;

use super::url::{Address, Join, Link, is_room};

pub(super) fn classify(address: &Address<'_>) -> Option<Link> {
    let first = address.segment(0);
    let join = |id: &str| {
        let id = id.to_ascii_lowercase();
        Some(Link::Join(Join::new(Platform::GOOGLE_MEET, format!("googlemeet:{id}"), Some(&id))))
    };
    match address.host.as_str() {
        "meet.google.com" if address.standard_port => match first? {
            "lookup" => join(address.segment(1).filter(|name| is_room(name))?),
            "_meet" => join(address.segment(1).filter(|code| is_code(code))?),
            code if is_code(code) => join(code),
            _ => None,
        },
        "hangouts.google.com" if first == Some("hangouts") => {
            join(address.path.last().filter(|name| is_room(name) && address.path.len() > 2)?)
        }
        "g.co" if first == Some("meet") => join(address.segment(1).filter(|name| is_room(name))?),
        "tel.meet" | "t.meet" | "stream.meet.google.com" => Some(Link::Part(Platform::GOOGLE_MEET)),
        "support.google.com" if address.raw.contains("/a/users/answer/") => {
            Some(Link::Part(Platform::GOOGLE_MEET))
        }
        _ => None,
    }
}

/// `abc-defg-hij`.
fn is_code(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    matches!(groups.as_slice(), [a, b, c] if a.len() == 3 && b.len() == 4 && c.len() == 3)
        && text.bytes().all(|b| b.is_ascii_alphabetic() || b == b'-')
}
