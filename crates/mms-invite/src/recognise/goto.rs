//! GoTo Meeting: its links.

use mms_model::Platform;

use super::url::{Address, Join, Link, is_digits, is_room};

pub(super) fn classify(address: &Address<'_>) -> Option<Link> {
    let join = |id: &str| {
        let key = format!("goto:{}", id.to_ascii_lowercase());
        Some(Link::Join(Join::new(Platform::GOTO, key, is_digits(id, 6).then_some(id))))
    };
    if address.is_within("gotomeeting.com") {
        return match (address.segment(0), address.segment(1)) {
            (Some("join" | "meeting"), Some(id)) if is_digits(id, 6) => join(id),
            (Some("meeting"), Some("join")) => join(address.segment(2).filter(|id| is_digits(id, 6))?),
            (None, _) if address.host == "app.gotomeeting.com" => {
                join(address.parameter("meetingId").filter(|id| is_digits(id, 6))?)
            }
            (Some("system-check" | "install" | "email-welcome"), _) => Some(Link::Part(Platform::GOTO)),
            _ => None,
        };
    }
    let name = address.segment(0).filter(|name| is_room(name));
    match address.host.as_str() {
        "gotomeet.me" | "www.gotomeet.me" | "gotomeet.at" => join(name?),
        "meet.goto.com" if name == Some("install") => Some(Link::Part(Platform::GOTO)),
        "meet.goto.com" => join(name?),
        "app.goto.com" if matches!(name, Some("meeting" | "meet")) => {
            join(address.segment(1).filter(|id| is_digits(id, 6))?)
        }
        "support.goto.com" | "www.gotomeeting.com" => Some(Link::Part(Platform::GOTO)),
        _ => None,
    }
}
