//! BigBlueButton behind Greenlight: its links.

use mms_model::Platform;

use super::url::{Address, Hosts, Join, Link, is_room};

/// A link on a host that the administrator named.
pub(super) fn configured(address: &Address<'_>, hosts: &Hosts) -> Option<Link> {
    if !address.is_any(&hosts.big_blue_button) {
        return None;
    }
    let room = room(address).or_else(|| address.path.last().copied().filter(|room| is_room(room)))?;
    Some(Link::Join(join(address, room)))
}

/// Greenlight 2 (`/b/abc-def-ghi`) and 3 (`/rooms/abc-def-ghi-jkl/join`). They stand on any host;
/// one that is called after the product is taken at its shape, another needs more evidence.
pub(super) fn classify(address: &Address<'_>) -> Option<Link> {
    let join = join(address, room(address)?);
    let named = address.host.split('.').any(|label| {
        let label = label.trim_end_matches(|c: char| c.is_ascii_digit() || c == '-');
        matches!(label, "bbb" | "bigbluebutton" | "greenlight")
    });
    Some(if named { Link::Join(join) } else { Link::Weak(join) })
}

fn join(address: &Address<'_>, room: &str) -> Join {
    let key = format!("bigbluebutton:{}/{}", address.host, room.to_ascii_lowercase());
    Join::new(Platform::BIG_BLUE_BUTTON, key, None)
}

fn room<'a>(address: &Address<'a>) -> Option<&'a str> {
    let at = address.path.iter().position(|segment| matches!(*segment, "b" | "rooms"))?;
    let room = address.path.get(at + 1).copied()?;
    let groups: Vec<&str> = room.split('-').collect();
    let rest = address.path.get(at + 2..).unwrap_or_default();
    let shaped = (3..=4).contains(&groups.len())
        && groups
            .iter()
            .all(|g| g.len() == 3 && g.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()));
    (shaped && at <= 1 && (rest.is_empty() || rest == ["join"])).then_some(room)
}
