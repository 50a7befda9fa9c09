//! The token endpoint of Microsoft Entra, for the client credentials grant.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Form;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::{CLIENT, SECRET};
use crate::organisation::{DOMAIN, TENANT};
use crate::state::Shared;

/// The tokens that were given out, and until when they are good.
#[derive(Default)]
pub(crate) struct Tokens(Mutex<HashMap<String, Instant>>);

impl Tokens {
    /// Whether an `Authorization` header holds one that is good.
    pub(super) fn is_good(&self, header: Option<&str>) -> bool {
        let Some(token) = header.and_then(|header| header.strip_prefix("Bearer ")) else { return false };
        let tokens = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tokens.get(token).is_some_and(|until| Instant::now() < *until)
    }

    fn issue(&self, seconds: u64) -> String {
        // Not signed: nobody but this server reads it.
        let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let roles = ["Calendars.ReadWrite", "OnlineMeetings.ReadWrite.All", "User.Read.All"];
        let claims =
            json!({"aud": "https://graph.microsoft.com", "tid": TENANT, "appid": CLIENT, "roles": roles});
        let token = format!(
            "{}.{}.{}",
            part(json!({"alg": "none", "typ": "JWT"})),
            part(claims),
            uuid::Uuid::new_v4().simple()
        );
        let mut tokens = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tokens.retain(|_, until| Instant::now() < *until);
        tokens.insert(token.clone(), Instant::now() + Duration::from_secs(seconds));
        token
    }
}

/// Answers `POST /{tenant}/oauth2/v2.0/token`.
pub(crate) async fn issue(
    State(shared): State<Arc<Shared>>,
    Path(tenant): Path<String>,
    Form(form): Form<HashMap<String, String>>,
) -> Response {
    shared.count_request("token");
    let given = |name: &str| form.get(name).map_or("", String::as_str);
    let refused = |error: &str, description: &str| {
        let body = json!({"error": error, "error_description": format!("{description} Trace ID: 1 Correlation ID: 2")});
        let status =
            if error == "invalid_client" { StatusCode::UNAUTHORIZED } else { StatusCode::BAD_REQUEST };
        (status, axum::Json(body)).into_response()
    };
    if tenant != TENANT && !tenant.eq_ignore_ascii_case(DOMAIN) {
        return refused("invalid_request", &format!("AADSTS90002: Tenant '{tenant}' not found."));
    }
    if given("grant_type") != "client_credentials" {
        return refused(
            "unsupported_grant_type",
            "AADSTS70003: The app requested an unsupported grant type.",
        );
    }
    if given("client_id") != CLIENT {
        return refused(
            "unauthorized_client",
            "AADSTS700016: Application with this identifier was not found in the directory.",
        );
    }
    if !given("scope").ends_with("/.default") {
        return refused("invalid_scope", "AADSTS1002012: The provided value for scope is not valid.");
    }
    if given("client_secret") != SECRET {
        return refused("invalid_client", "AADSTS7000215: Invalid client secret provided.");
    }
    let seconds = shared.faults().token_seconds.unwrap_or(3599);
    let body = json!({
        "token_type": "Bearer", "expires_in": seconds, "ext_expires_in": seconds,
        "access_token": shared.tokens.issue(seconds),
    });
    axum::Json(body).into_response()
}
