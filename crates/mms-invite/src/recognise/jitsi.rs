//! Jitsi Meet: its links, on the public servers and on an organisation's own.

use mms_model::Platform;

use super::safelinks::percent_decode;
use super::skype;
use super::url::{Address, Hosts, Join, Link, is_room};

/// Servers that are open to everyone.
const SERVERS: &[&str] = &[
    "meet.jit.si",
    "beta.meet.jit.si",
    "8x8.vc",
    "kmeet.infomaniak.com",
    "meet.ffmuc.net",
    "meet.systemli.org",
    "meet.golem.de",
    "meet.nerd.re",
    "meet.mayfirst.org",
    "meet.greenhost.net",
    "meet.in-berlin.de",
    "framatalk.org",
    "fairmeeting.net",
    "calls.disroot.org",
    "jitsi.riot.im",
    "meet.element.io",
    "meet.opensuse.org",
    "webconf.numerique.gouv.fr",
];

/// A link on a host that the administrator named.
pub(super) fn configured(address: &Address<'_>, hosts: &Hosts) -> Option<Link> {
    if !address.is_any(&hosts.jitsi) {
        return None;
    }
    // A Jitsi server often takes over the host of Skype's simple URLs, `meet.DOMAIN`. The old links must not pass for
    // rooms of it: they would count as moved already.
    skype::simple_url(address).map(Link::Join).or_else(|| on_server(address))
}

pub(super) fn classify(address: &Address<'_>) -> Option<Link> {
    if SERVERS.iter().any(|host| address.is(host)) {
        return on_server(address);
    }
    if address.path.last() == Some(&"dialInInfo.html") && address.parameter("room").is_some() {
        return Some(Link::Part(Platform::JITSI));
    }
    let named = address.host.split('.').any(|label| label == "jitsi") && !address.is_within("jitsi.org");
    match on_server(address) {
        Some(Link::Join(join)) if named && address.path.len() == 1 => Some(Link::Weak(join)),
        _ => None,
    }
}

fn on_server(address: &Address<'_>) -> Option<Link> {
    if matches!(address.segment(0)?, "static" | "images" | "libs" | "css" | "api") {
        return Some(Link::Part(Platform::JITSI));
    }
    if address.path.len() > 3 || !address.path.iter().all(|segment| is_room(segment)) {
        return None;
    }
    // Rooms compare without case; a tenant stands before them.
    let room = percent_decode(&address.path.join("/")).to_lowercase();
    let host = address.host.strip_prefix("beta.meet.jit.si").map_or(address.host.as_str(), |_| "meet.jit.si");
    Some(Link::Join(Join::new(Platform::JITSI, format!("jitsi:{host}/{room}"), None)))
}

/// A link that a text names as a Jitsi meeting, on a host nobody told of.
pub(super) fn presumed(url: &str) -> Option<Join> {
    let address = Address::parse(url)?;
    // The project's own pages, and pages of whatever host, are no rooms.
    if address.is_within("jitsi.org") || url.ends_with(".html") {
        return None;
    }
    match on_server(&address) {
        Some(Link::Join(join)) => Some(join),
        _ => None,
    }
}
