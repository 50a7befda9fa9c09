//! Links that mail scanners and search engines wrapped, unwrapped.

use std::borrow::Cow;

use base64::Engine as _;
use url::Url;

use super::url::plain_host;

/// Wrappers nest (SafeLinks around Proofpoint); more layers than this are an attack or a loop.
const MAX_LAYERS: usize = 5;

/// Longer links are left alone: no scanner writes them, and decoding costs memory.
const MAX_LENGTH: usize = 16 * 1024;

/// Domains of the wrappers; links to any other host are nobody's.
const WRAPPERS: &[&str] = &[
    "safelinks.protection.outlook.com",
    "safelinks.protection.office365.us",
    "safelinks.protection.partner.outlook.cn",
    "statics.teams.cdn.office.net",
    "trendmicro.com",
    "fireeye.com",
    "protection.sophos.com",
    "clicktime.symantec.com",
    "urlsand.esvalabs.com",
    "link.edgepilot.com",
    "protect.checkpoint.com",
    "url.avanan.click",
    "urldefense.proofpoint.com",
    "urldefense.com",
    "urldefense.us",
    "linkprotect.cudasvc.com",
    "secure-web.cisco.com",
    "google.com",
    "slack-redir.net",
    "l.facebook.com",
    "linkedin.com",
    "deref-mail.com",
    "deref-gmx.net",
    "deref-gmx.com",
    "deref-web.de",
    "deref-1und1.de",
];

/// The link that `url` leads to, with every known wrapper taken off. What cannot be decoded
/// (Mimecast keeps the target on its servers) comes back as it is.
pub(super) fn unwrap(url: &str) -> Cow<'_, str> {
    let mut current = Cow::Borrowed(url);
    for _ in 0..MAX_LAYERS {
        match peel(&current) {
            Some(inner) => current = Cow::Owned(inner),
            None => break,
        }
    }
    current
}

fn peel(wrapped: &str) -> Option<String> {
    if wrapped.len() > MAX_LENGTH || !wrapped.contains("://") {
        return None;
    }
    if plain_host(wrapped).is_some_and(|host| !WRAPPERS.iter().any(|domain| within(host, domain))) {
        return None;
    }
    let url = Url::parse(wrapped).ok()?;
    if !matches!(url.scheme(), "http" | "https") || !url.username().is_empty() {
        return None;
    }
    let host = url.host_str()?;
    let inner = match host {
        _ if within(host, "safelinks.protection.outlook.com")
            || within(host, "safelinks.protection.office365.us")
            || within(host, "safelinks.protection.partner.outlook.cn") =>
        {
            parameter(&url, "url")
        }
        // Links that Teams itself shows.
        "statics.teams.cdn.office.net" => parameter(&url, "url"),
        // Trend Micro, Trellix (FireEye), Sophos, Symantec, Libraesva, EdgePilot.
        _ if within(host, "trendmicro.com") && url.path().contains("/clicktime/") => parameter(&url, "url"),
        _ if within(host, "fireeye.com") && url.path().ends_with("/url") => parameter(&url, "u"),
        _ if within(host, "protection.sophos.com") => sophos(&url),
        "clicktime.symantec.com" | "urlsand.esvalabs.com" | "link.edgepilot.com" => parameter(&url, "u"),
        // Check Point Harmony and Avanan.
        "protect.checkpoint.com" | "url.avanan.click" => checkpoint(wrapped),
        "urldefense.proofpoint.com" | "urldefense.com" | "urldefense.us" => proofpoint(&url, wrapped),
        "linkprotect.cudasvc.com" => parameter(&url, "a"),
        "secure-web.cisco.com" => cisco(&url),
        "www.google.com" | "google.com" if url.path() == "/url" => {
            parameter(&url, "q").or_else(|| parameter(&url, "url"))
        }
        "slack-redir.net" if url.path() == "/link" => parameter(&url, "url"),
        "l.facebook.com" if url.path() == "/l.php" => parameter(&url, "u"),
        "www.linkedin.com" if url.path() == "/redir/redirect" => parameter(&url, "url"),
        "deref-mail.com" | "deref-gmx.net" | "deref-gmx.com" | "deref-web.de" | "deref-1und1.de" => {
            parameter(&url, "redirectUrl")
        }
        _ => None,
    }?;
    is_web_link(&inner).then_some(inner)
}

fn within(host: &str, domain: &str) -> bool {
    host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

fn is_web_link(text: &str) -> bool {
    let start = text.get(..8).unwrap_or(text).to_ascii_lowercase();
    (start.starts_with("https://") || start.starts_with("http://")) && !text.contains(['\0', '\n', '\r', ' '])
}

/// A query parameter, percent-decoded once; `+` stays `+`, as the wrappers mean it.
fn parameter(url: &Url, name: &str) -> Option<String> {
    url.query()?.split('&').find_map(|pair| {
        let (key, value) = pair.split_once('=')?;
        key.eq_ignore_ascii_case(name).then(|| percent_decode(value))
    })
}

/// Proofpoint URL Defense: version 2 writes `-` for `%` and `_` for `/`; version 3 replaces runs of
/// characters by `*`, listed in URL-safe base64 after the second `__;`.
fn proofpoint(url: &Url, wrapped: &str) -> Option<String> {
    if url.path().starts_with("/v2/") || url.path().starts_with("/v1/") {
        let encoded = url.query()?.split('&').find_map(|pair| pair.strip_prefix("u="))?;
        let translated = if url.path().starts_with("/v2/") {
            encoded.replace('-', "%").replace('_', "/")
        } else {
            encoded.to_owned()
        };
        return Some(percent_decode(&translated));
    }
    let (_, rest) = wrapped.split_once("/v3/__")?;
    let (target, rest) = rest.rsplit_once("__;")?;
    // Browsers and mail programs fold the double slash of the inner link.
    let target = match target.split_once(":/") {
        Some((scheme, rest)) if !rest.starts_with('/') => Cow::Owned(format!("{scheme}://{rest}")),
        _ => Cow::Borrowed(target),
    };
    let list = rest.split('!').next().unwrap_or_default();
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(list.trim_end_matches('=')).ok()?;
    let replaced = String::from_utf8(bytes).ok()?;
    Some(fill_in(&target, &replaced))
}

/// Puts the characters of a version 3 list back: `*` is one of them, `**X` a run of 2 + X's place in
/// the base64 alphabet.
fn fill_in(target: &str, replaced: &str) -> String {
    const LENGTHS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut characters = replaced.chars();
    let mut out = String::with_capacity(target.len());
    let mut rest = target;
    while let Some(star) = rest.find('*') {
        let (before, after) = rest.split_at(star);
        out.push_str(before);
        let run = after
            .strip_prefix("**")
            .and_then(|tail| tail.chars().next())
            .and_then(|letter| Some((letter, LENGTHS.find(letter)? + 2)));
        if let Some((letter, length)) = run {
            out.extend(characters.by_ref().take(length));
            rest = after.get(2 + letter.len_utf8()..).unwrap_or_default();
        } else {
            out.push(characters.next().unwrap_or('*'));
            rest = after.get(1..).unwrap_or_default();
        }
    }
    out.push_str(rest);
    out
}

/// Cisco Secure Email ends the path in the percent-encoded target.
fn cisco(url: &Url) -> Option<String> {
    let last = url.path().rsplit('/').next()?;
    Some(percent_decode(last))
}

/// Sophos Email writes the target as base64 in `u`.
fn sophos(url: &Url) -> Option<String> {
    let encoded = parameter(url, "u")?;
    let plain: String = encoded.trim_end_matches('=').replace('-', "+").replace('_', "/");
    let bytes = base64::engine::general_purpose::STANDARD_NO_PAD.decode(plain).ok()?;
    String::from_utf8(bytes).ok()
}

/// `/v2/___https://…___.signature`; newer versions scramble the target and begin with `r0`.
fn checkpoint(wrapped: &str) -> Option<String> {
    let (_, rest) = wrapped.split_once("/___")?;
    let (target, _) = rest.split_once("___.")?;
    Some(target.to_owned())
}

/// Whether the target of a link is known to its scanner alone (Mimecast and others keep it on their
/// servers), so that what the visible text spells is the best that is known.
pub(super) fn is_opaque(link: &str) -> bool {
    let Some(host) = Url::parse(link).ok().and_then(|url| url.host_str().map(str::to_owned)) else {
        return false;
    };
    [
        "mimecast.com",
        "mimecastprotect.com",
        "emailprotection.link",
        "inky.com",
        "checkpoint.com",
        "avanan.click",
    ]
    .iter()
    .any(|domain| within(&host, domain))
}

/// Percent-decodes once. Broken escapes and what is not UTF-8 stay as they are.
pub(crate) fn percent_decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let hex = |offset: usize| bytes.get(at + offset).and_then(|b| (*b as char).to_digit(16));
        if byte == b'%'
            && let (Some(high), Some(low)) = (hex(1), hex(2))
        {
            out.push((high * 16 + low) as u8);
            at += 3;
        } else {
            out.push(byte);
            at += 1;
        }
    }
    String::from_utf8(out).unwrap_or_else(|_| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_each_wrapper_off() {
        for (wrapped, target) in [
            (
                "https://eur01.safelinks.protection.outlook.com/?url=https%3A%2F%2Fzoom.us%2Fj%2F123456789%3Fpwd%3Da%252B&data=05&reserved=0",
                "https://zoom.us/j/123456789?pwd=a%2B",
            ),
            (
                "https://urldefense.proofpoint.com/v2/url?u=https-3A__zoom.us_j_123456789-3Fpwd-3Dx&d=DwMF&c=1",
                "https://zoom.us/j/123456789?pwd=x",
            ),
            (
                "https://urldefense.com/v3/__https://zoom.us/j/123456789?pwd=a*b**Ac__;PSgp!!abc!def$",
                "https://zoom.us/j/123456789?pwd=a=b()c",
            ),
            (
                "https://linkprotect.cudasvc.com/url?a=https%3a%2f%2fzoom.us%2fj%2f123456789&c=E,1",
                "https://zoom.us/j/123456789",
            ),
            (
                "https://secure-web.cisco.com/1abc/https%3A%2F%2Fzoom.us%2Fj%2F123456789",
                "https://zoom.us/j/123456789",
            ),
            ("https://www.google.com/url?q=https://zoom.us/j/123456789&sa=D", "https://zoom.us/j/123456789"),
            (
                "https://imsva91-ctp.trendmicro.com:443/wis/clicktime/v1/query?url=https%3a%2f%2fzoom.us%2fj%2f123456789&umid=1",
                "https://zoom.us/j/123456789",
            ),
            (
                "https://eu-central-1.protection.sophos.com?d=zoom.us&u=aHR0cHM6Ly96b29tLnVzL2ovMTIzNDU2Nzg5&p=m",
                "https://zoom.us/j/123456789",
            ),
            (
                "https://protect2.fireeye.com/v1/url?k=1&q=1&e=1&u=https%3A%2F%2Fzoom.us%2Fj%2F123456789",
                "https://zoom.us/j/123456789",
            ),
            (
                "https://protect2.fireeye.com/url?k=1&u=https://zoom.us/j/123456789",
                "https://zoom.us/j/123456789",
            ),
            (
                "https://protect.checkpoint.com/v2/___https://zoom.us/j/123456789?pwd=a___.YzJlOmV4",
                "https://zoom.us/j/123456789?pwd=a",
            ),
            (
                "https://statics.teams.cdn.office.net/evergreen-assets/safelinks/1/atp-safelinks.html?url=https%3A%2F%2Fzoom.us%2Fj%2F123456789&locale=en-us",
                "https://zoom.us/j/123456789",
            ),
        ] {
            assert_eq!(unwrap(wrapped), target);
        }
    }

    #[test]
    fn unwraps_nested_links_up_to_a_cap_and_survives_broken_escapes() {
        let wrap = |url: &str| {
            let encoded: String = url.bytes().map(|b| format!("%{b:02X}")).collect();
            format!("https://x.safelinks.protection.outlook.com/?url={encoded}&data=1")
        };
        let twice = wrap(&wrap("https://zoom.us/j/1"));
        assert_eq!(unwrap(&twice), "https://zoom.us/j/1");
        for broken in [
            "https://x.safelinks.protection.outlook.com/?url=https%3A%2F%2Fa%zz%",
            "https://x.safelinks.protection.outlook.com/?url=%ff%fe",
            "https://urldefense.com/v3/__",
            "https://urldefense.com/v3/__https://a.b/**é__;w6k!!x",
            "https://x.safelinks.protection.outlook.com/?url=javascript:alert(1)",
        ] {
            unwrap(broken);
        }
        assert_eq!(
            unwrap("https://safelinks.protection.outlook.com.evil.test/?url=https%3A%2F%2Fzoom.us"),
            "https://safelinks.protection.outlook.com.evil.test/?url=https%3A%2F%2Fzoom.us"
        );
    }
}
