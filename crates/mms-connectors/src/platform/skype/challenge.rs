//! The challenge of a web service: where tickets are given out, and for what.

use reqwest::header::{HeaderMap, WWW_AUTHENTICATE};

/// The longest header that is read.
const LONGEST: usize = 8 * 1024;

/// What `WWW-Authenticate: MsRtcOAuth` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Challenge {
    /// Where tickets are given out; it may be relative.
    pub(super) href: String,
    /// The grants that are taken there; empty where it does not say.
    pub(super) grants: Vec<String>,
}

impl Challenge {
    /// Reads the headers of an answer. Other challenges may stand before and behind it, in headers of their own or in
    /// the same one; values come quoted and bare.
    pub(super) fn read(headers: &HeaderMap) -> Option<Self> {
        headers
            .get_all(WWW_AUTHENTICATE)
            .iter()
            .filter_map(|header| header.to_str().ok())
            .find_map(Self::parse)
    }

    fn parse(header: &str) -> Option<Self> {
        const SCHEME: &str = "msrtcoauth";
        if header.len() > LONGEST {
            return None;
        }
        let at = header.to_ascii_lowercase().find(SCHEME)?;
        let mut rest = header.get(at + SCHEME.len()..)?;
        let (mut href, mut grants) = (None, Vec::new());
        while let Some((name, value, behind)) = parameter(rest) {
            if name.eq_ignore_ascii_case("href") && href.is_none() {
                href = Some(value.to_owned());
            } else if name.eq_ignore_ascii_case("grant_type") {
                grants
                    .extend(value.split(',').map(|grant| grant.trim().to_owned()).filter(|g| !g.is_empty()));
            } else if name.contains(' ') {
                // The name of the next challenge and of its first parameter.
                break;
            }
            rest = behind;
        }
        href.filter(|href| !href.is_empty()).map(|href| Self { href, grants })
    }
}

/// The next `name=value`, and what is behind it.
fn parameter(text: &str) -> Option<(&str, &str, &str)> {
    let text = text.trim_start_matches([' ', '\t', ',']);
    let (name, rest) = text.split_once('=')?;
    let rest = rest.trim_start();
    let (value, behind) = match rest.strip_prefix('"') {
        Some(quoted) => quoted.split_once('"')?,
        None => rest.find([',', ' ']).map_or((rest, ""), |end| rest.split_at(end)),
    };
    Some((name.trim(), value, behind))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(header: &str) -> Option<(String, Vec<String>)> {
        Challenge::parse(header).map(|challenge| (challenge.href, challenge.grants))
    }

    const GRANTS: &str = "urn:microsoft.rtc:windows,urn:microsoft.rtc:anonmeeting,password";

    #[test]
    fn every_spelling_is_read() {
        let href = "https://pool/WebTicket/oauthtoken";
        for header in [
            format!("MsRtcOAuth href=\"{href}\",grant_type=\"{GRANTS}\""),
            format!("MsRtcOAuth href=\"{href}\", grant_type=\"{GRANTS}\""),
            format!("MSRTCOAUTH HREF={href},grant_type=\"{GRANTS}\""),
            format!("MsRtcOAuth href={href}, grant_type=\"{GRANTS}\""),
            format!(
                "Bearer trusted_issuers=\"\", client_id=\"0000\", MsRtcOAuth href=\"{href}\",grant_type=\"{GRANTS}\""
            ),
            format!(
                "MsRtcOAuth href=\"{href}\",grant_type=\"{GRANTS}\", Negotiate realm=\"x\", href=\"https://evil\""
            ),
        ] {
            let (found, grants) = read(&header).unwrap();
            assert_eq!(found, href, "{header}");
            assert_eq!(grants.len(), 3, "{header}");
            assert!(grants.iter().any(|grant| grant == "password"));
        }
        assert_eq!(read("MsRtcOAuth href=/WebTicket/oauthtoken").unwrap().0, "/WebTicket/oauthtoken");
    }

    #[test]
    fn what_is_no_challenge_says_nothing() {
        for header in [
            "",
            "Bearer trusted_issuers=\"\"",
            "MsRtcOAuth",
            "MsRtcOAuth href",
            "MsRtcOAuth href=",
            "MsRtcOAuth href=\"https://pool",
            "MsRtcOAuth grant_type=\"password\"",
            "MsRtcOAuth href=\"\"",
        ] {
            assert_eq!(read(header), None, "{header}");
        }
        assert_eq!(read(&format!("MsRtcOAuth href=\"{}\"", "x".repeat(LONGEST))), None);
        assert_eq!(read(&format!("MsRtcOAuth {}", "a=b,".repeat(1000))), None);
    }

    #[test]
    fn each_header_of_several_is_looked_at() {
        let mut headers = HeaderMap::new();
        headers.append(WWW_AUTHENTICATE, "Negotiate".parse().unwrap());
        headers.append(WWW_AUTHENTICATE, "MsRtcOAuth href=\"https://pool/t\"".parse().unwrap());
        assert_eq!(Challenge::read(&headers).unwrap().href, "https://pool/t");
    }

    proptest::proptest! {
        #[test]
        fn no_header_is_a_panic(before in ".{0,40}", behind in "[a-z =,\\\"é]{0,80}") {
            let _ = Challenge::parse(&format!("{before}MsRtcOAuth{behind}"));
        }
    }
}
