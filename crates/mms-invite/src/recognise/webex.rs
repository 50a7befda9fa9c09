//! Cisco Webex: its links and the addresses of video systems.

use mms_model::Platform;

use super::url::{Address, Join, Link, is_room};

pub(super) fn classify(address: &Address<'_>) -> Option<Link> {
    if address.is("help.webex.com") || address.is("collaborationhelp.cisco.com") {
        return Some(Link::Part(Platform::WEBEX));
    }
    if !(address.is_within("webex.com") || address.is_within("webex.com.cn")) {
        return None;
    }
    let last = address.path.last().copied().unwrap_or_default();
    let join = |key: String| Some(Link::Join(Join::new(Platform::WEBEX, key, None)));
    if let Some(meeting) = address.parameter("MTID")
        && matches!(last, "j.php" | "e.php" | "m.php" | "onstage.php" | "k2" | "g.php")
    {
        return join(format!("webex:{}", meeting.to_ascii_lowercase()));
    }
    match (address.segment(0).unwrap_or_default(), address.segment(1)) {
        ("meet" | "join", Some(user)) if is_room(user) => {
            return join(format!("webex:{}/{}", address.host, user.to_ascii_lowercase()));
        }
        ("m", Some(id)) if id.len() >= 16 => return join(format!("webex:{}", id.to_ascii_lowercase())),
        (_, Some("j")) if is_room(address.segment(2).unwrap_or_default()) => {
            return join(format!("webex:{}/{}", address.host, last.to_ascii_lowercase()));
        }
        ("wbxmjs" | "webappng" | "weblink", _) if is_room(last) && address.path.len() >= 4 => {
            return join(format!("webex:{}", last.to_ascii_lowercase()));
        }
        _ => {}
    }
    let part = last.eq_ignore_ascii_case("globalcallin.php")
        || last.eq_ignore_ascii_case("tollfree_restrictions.pdf")
        || address.raw.contains("globalcallin")
        || matches!(address.segment(0), Some("cmp" | "pdf"))
        || last.eq_ignore_ascii_case("mc");
    part.then_some(Link::Part(Platform::WEBEX))
}

/// Whether the line holds the address by which Skype for Business reaches a Webex room:
/// `user@lync.webex.com` or `user.site@lync.webex.com`.
pub(super) fn is_room_address(line: &str) -> bool {
    line.contains('@')
        && line.split_whitespace().any(|word| {
            word.trim_matches(|c: char| !c.is_alphanumeric())
                .split_once('@')
                .is_some_and(|(user, host)| !user.is_empty() && host.eq_ignore_ascii_case("lync.webex.com"))
        })
}
