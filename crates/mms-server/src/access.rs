//! Who asks, and whether they may: tokens over the network, the owner of the socket on the machine itself.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header, request};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use jiff::Timestamp;
use mms_model::port::{SecretDigest, TokenStore};
use mms_model::{Clock, Role};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::Problem;

/// How every token begins, so that scanners of leaked secrets know it.
const PREFIX: &str = "mms_";

/// The secret of a token, to be shown once.
pub struct Secret(String);

impl Secret {
    /// A new one, of 244 random bits of the operating system.
    pub fn generate() -> Self {
        Self(format!("{PREFIX}{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple()))
    }

    /// The secret itself.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What of it is kept.
    pub fn digest(&self) -> SecretDigest {
        digest(&self.0)
    }
}

/// Random bits need no salt and no slow hash.
fn digest(secret: &str) -> SecretDigest {
    Sha256::digest(secret.as_bytes()).into()
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// For the record: `token NAME`, or `admin socket`.
    pub name: String,
    /// What they may do.
    pub role: Role,
}

impl Caller {
    /// Whoever may open the socket: the account that the daemon runs as, and root.
    pub(crate) fn of_socket() -> Self {
        Self { name: "admin socket".to_owned(), role: Role::Admin }
    }

    /// # Errors
    /// 403, where the caller may not do what `role` may.
    pub(crate) fn require(&self, role: Role) -> Result<(), Problem> {
        if self.role >= role {
            return Ok(());
        }
        Err(Problem::new(
            StatusCode::FORBIDDEN,
            "Forbidden",
            format!("this takes the role {role}, and the {} has the role {}", self.name, self.role),
        ))
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut request::Parts, _state: &S) -> Result<Self, Problem> {
        // Without the layer that tells who asks, nobody does.
        parts.extensions.get::<Self>().cloned().ok_or_else(unauthorised)
    }
}

/// What tells bearers of tokens.
#[derive(Clone)]
pub struct Bearers {
    /// The tokens.
    pub tokens: Arc<dyn TokenStore>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl Bearers {
    async fn caller(&self, headers: &HeaderMap) -> Result<Caller, Problem> {
        let secret = bearer(headers).ok_or_else(unauthorised)?;
        let token = self.tokens.token_of(&digest(secret)).await?;
        let now: Timestamp = self.clock.now();
        // Whether it expired or never was is nobody's business who does not have it.
        let token = token.filter(|token| token.holds(now)).ok_or_else(unauthorised)?;
        Ok(Caller { name: format!("token {}", token.name), role: token.role })
    }
}

/// RFC 6750 section 2.1. A token has its place in this one header: URLs end up in logs.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(header::AUTHORIZATION).into_iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    let (scheme, secret) = value.to_str().ok()?.split_once(' ')?;
    let secret = secret.trim_start_matches(' ');
    (scheme.eq_ignore_ascii_case("Bearer") && secret.starts_with(PREFIX) && secret.len() < 200)
        .then_some(secret)
}

fn unauthorised() -> Problem {
    Problem::new(
        StatusCode::UNAUTHORIZED,
        "Unauthorised",
        "a token that holds is needed, as Authorization: Bearer mms_…; `mms token create` makes one",
    )
}

/// Lets those in who bear a token that holds.
pub(crate) async fn of_token(State(bearers): State<Bearers>, mut request: Request, next: Next) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    match bearers.caller(request.headers()).await {
        Ok(caller) => {
            request.extensions_mut().insert(caller.clone());
            let response = next.run(request).await;
            let status = response.status().as_u16();
            if response.status() == StatusCode::FORBIDDEN {
                tracing::warn!(caller = %caller.name, %method, path, status, "refused");
            } else {
                tracing::debug!(caller = %caller.name, %method, path, status, "answered");
            }
            response
        }
        Err(problem) => {
            tracing::warn!(%method, path, "a request without a token that holds");
            let mut response = problem.into_response();
            if response.status() == StatusCode::UNAUTHORIZED {
                let challenge = HeaderValue::from_static("Bearer realm=\"mms\"");
                response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
            }
            response
        }
    }
}

/// Everybody who can open the socket is let in.
pub(crate) async fn of_socket(mut request: Request, next: Next) -> Response {
    request.extensions_mut().insert(Caller::of_socket());
    next.run(request).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::AUTHORIZATION, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        headers
    }

    #[test]
    fn secrets_are_long_and_never_the_same() {
        let (one, other) = (Secret::generate(), Secret::generate());
        assert!(one.expose().len() == 68 && one.expose() != other.expose());
        assert_eq!(one.digest(), digest(one.expose()));
    }

    #[test]
    fn a_bearer_is_taken_from_one_well_formed_header() {
        assert_eq!(bearer(&headers(&["bearer  mms_1"])), Some("mms_1"));
        let long = format!("Bearer mms_{}", "x".repeat(300));
        for wrong in ["Bearer", "Bearer other_1", "Basic mms_1", "mms_1", "Bearer mms_\u{e4}", &long] {
            assert_eq!(bearer(&headers(&[wrong])), None, "{wrong}");
        }
        assert_eq!(bearer(&headers(&["Bearer mms_1", "Bearer mms_1"])), None);
        assert_eq!(bearer(&HeaderMap::new()), None);
    }

    #[test]
    fn a_role_may_not_do_what_takes_a_higher_one() {
        let caller = Caller { name: "token ci".to_owned(), role: Role::Operator };
        assert!(caller.require(Role::Viewer).is_ok() && caller.require(Role::Operator).is_ok());
        let response = caller.require(Role::Admin).unwrap_err().into_response();
        assert_eq!(response.status(), StatusCode::FORBIDDEN);
    }
}
