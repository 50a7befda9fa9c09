//! `WWW-Authenticate` and `Authorization` with tokens (RFC 4559, [MS-NTHT]).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{HeaderMap, HeaderValue, WWW_AUTHENTICATE};

/// Schemes that a message about a server names.
const NAMED: usize = 8;

/// What a server says to one scheme.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// It goes on with this token.
    With(Vec<u8>),
    /// It offers the scheme, without a token.
    Bare,
    /// It offers others alone.
    Not(Vec<String>),
}

/// Reads what the server offers. Some put more than one scheme into one header, and Exchange 2013 another scheme behind
/// the token.
pub(super) fn read(headers: &HeaderMap, scheme: &str) -> Asked {
    let values = headers.get_all(WWW_AUTHENTICATE).into_iter().filter_map(|value| value.to_str().ok());
    let mut offered = Vec::new();
    let mut bare = false;
    for part in values.flat_map(parts) {
        let (name, token) = part.split_once(' ').unwrap_or((part, ""));
        if !name.eq_ignore_ascii_case(scheme) {
            // The second parameter of a scheme is none itself.
            if !name.is_empty() && !name.contains('=') && offered.len() < NAMED {
                offered.push(name.chars().take(40).collect());
            }
        } else if let Some(token) = decode(token) {
            return Asked::With(token);
        } else {
            bare = true;
        }
    }
    if bare { Asked::Bare } else { Asked::Not(offered) }
}

/// The header that answers.
pub(super) fn authorization(scheme: &str, token: &[u8]) -> HeaderValue {
    let text = format!("{scheme} {}", STANDARD.encode(token));
    // Letters, digits and signs that every header may hold.
    let mut value = HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(""));
    value.set_sensitive(true);
    value
}

fn decode(token: &str) -> Option<Vec<u8>> {
    let token = token.trim();
    if token.is_empty() { None } else { STANDARD.decode(token).ok() }
}

/// A header's parts between commas that stand in no quotes.
fn parts(value: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    value
        .split(move |c: char| {
            quoted ^= c == '"';
            c == ',' && !quoted
        })
        .map(str::trim)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn asked(values: &[&str]) -> Asked {
        let headers = values.iter().map(|v| (WWW_AUTHENTICATE, HeaderValue::from_str(v).unwrap()));
        read(&headers.collect(), "NTLM")
    }

    #[test]
    fn a_token_is_found_wherever_a_server_puts_it() {
        let token = || Asked::With(b"NTLMSSP\0".to_vec());
        assert_eq!(asked(&["NTLM TlRMTVNTUAA="]), token());
        assert_eq!(asked(&["ntlm  TlRMTVNTUAA= "]), token());
        assert_eq!(asked(&["Negotiate", "NTLM TlRMTVNTUAA=, Negotiate"]), token());
        assert_eq!(asked(&["Basic realm=\"a, NTLM AAAA\", NTLM TlRMTVNTUAA="]), token());
    }

    #[test]
    fn offers_without_a_token_are_told_apart() {
        assert_eq!(asked(&["Negotiate, NTLM"]), Asked::Bare);
        assert_eq!(asked(&["NTLM not base64"]), Asked::Bare);
        assert_eq!(
            asked(&["Negotiate", "Basic realm=\"NTLM\", charset=\"UTF-8\""]),
            Asked::Not(vec!["Negotiate".to_owned(), "Basic".to_owned()])
        );
        assert_eq!(asked(&[]), Asked::Not(Vec::new()));
        assert_eq!(
            asked(&["NTLMv9 AAAA", "\"", ",,,"]),
            Asked::Not(vec!["NTLMv9".to_owned(), "\"".to_owned()])
        );
    }

    proptest! {
        #[test]
        fn any_header_can_be_read(values in proptest::collection::vec("[ -~]{0,60}", 0..4)) {
            let _ = asked(&values.iter().map(String::as_str).collect::<Vec<_>>());
        }
    }

    #[test]
    fn an_authorization_is_not_printed() {
        let header = authorization("NTLM", b"secret");
        assert!(header.is_sensitive() && !format!("{header:?}").contains("c2VjcmV0"));
    }
}
