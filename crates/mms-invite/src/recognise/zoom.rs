//! Zoom: its links.

use mms_model::Platform;

use super::url::{Address, Join, Link, is_room};

const DOMAINS: &[&str] = &["zoom.us", "zoom.com", "zoom.com.cn", "zoomgov.com", "zoom-x.de", "zoomus.cn"];

pub(super) fn classify(address: &Address<'_>) -> Option<Link> {
    if !DOMAINS.iter().any(|domain| address.is_within(domain)) {
        return None;
    }
    let id = match (address.segment(0)?, address.segment(1)) {
        ("j" | "w" | "s", Some(id)) => Some(id),
        ("wc", Some("join")) => address.segment(2),
        ("wc", Some(id)) if matches!(address.segment(2), Some("join" | "start")) => Some(id),
        ("my", Some(name)) if is_room(name) => {
            let key = format!("zoom:my/{}", name.to_ascii_lowercase());
            return Some(Link::Join(Join::new(Platform::ZOOM, key, None)));
        }
        ("u" | "zoomconference" | "skype" | "meeting" | "webinar", _) => {
            return Some(Link::Part(Platform::ZOOM));
        }
        _ => None,
    }?;
    // Redacted invites write X for each digit.
    let valid = (9..=12).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_digit() || b == b'X');
    valid.then(|| Link::Join(Join::new(Platform::ZOOM, format!("zoom:{id}"), Some(id))))
}
