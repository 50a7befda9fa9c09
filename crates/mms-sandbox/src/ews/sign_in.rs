//! Who asks: Basic with each request, or NTLM with the connection.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::faults::Faults;
use crate::ntlm::{Connection, Demands, Outcome};
use crate::organisation::{ACCOUNT, PASSWORD};
use crate::state::Shared;

/// The answer to who is not the account, or has not proved it yet; none to the account.
pub(super) fn turn_away(
    shared: &Shared,
    faults: &Faults,
    connection: &Connection,
    headers: &HeaderMap,
) -> Option<Response> {
    let given = headers.get(header::AUTHORIZATION).and_then(|given| given.to_str().ok());
    let Some((scheme, token)) = given.and_then(|given| given.split_once(' ')) else {
        return if connection.is_signed_in() { None } else { Some(unauthorised(shared, faults)) };
    };
    if scheme.eq_ignore_ascii_case("ntlm") {
        let demands =
            Demands { end_point: shared.end_point(), binding_required: faults.channel_binding_required };
        return match connection.step(token, &demands) {
            Outcome::SignedIn => {
                shared.count_sign_in();
                None
            }
            Outcome::Challenge(token) => {
                shared.count_request("ntlmChallenge");
                Some(challenge(&token, fastrand::f64() < faults.dropped_challenges))
            }
            Outcome::Refused(why) => {
                shared.count_refusal(&format!("NTLM: {why}"));
                Some(unauthorised(shared, faults))
            }
        };
    }
    let expected = STANDARD.encode(format!("{ACCOUNT}:{PASSWORD}"));
    if scheme.eq_ignore_ascii_case("basic") && token == expected && !faults.no_basic {
        return None;
    }
    Some(unauthorised(shared, faults))
}

/// The first answer to who has not signed in, and the last one to whose sign-in failed.
fn unauthorised(shared: &Shared, faults: &Faults) -> Response {
    shared.count_request("unauthorised");
    let mut response = StatusCode::UNAUTHORIZED.into_response();
    let offered = response.headers_mut();
    offered.append(header::WWW_AUTHENTICATE, HeaderValue::from_static("NTLM"));
    if !faults.no_basic {
        offered.append(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"sandbox\""));
    }
    response
}

fn challenge(token: &str, closes: bool) -> Response {
    // IIS has a page for people in it, too, which a client has to read before it goes on.
    let page = "<html><body>401 - Unauthorized: Access is denied due to invalid credentials.</body></html>";
    let mut response = (StatusCode::UNAUTHORIZED, page).into_response();
    if let Ok(value) = HeaderValue::from_str(&format!("NTLM {token}")) {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, value);
    }
    if closes {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}
