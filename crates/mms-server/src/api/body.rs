//! What is sent as JSON.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::Problem;

/// The most bytes of a body.
pub(super) const MOST: usize = 64 * 1024;

/// The object that a body is. A list would be taken for the members of one, in their order.
///
/// # Errors
/// 400, 413 or 415, with what is wrong.
pub(super) fn object<T: DeserializeOwned>(body: Result<Json<Value>, JsonRejection>) -> Result<T, Problem> {
    let Json(value) = body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "TooLarge",
            format!("the body is larger than {MOST} bytes"),
        ),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "UnsupportedMediaType",
            "the body must be sent with Content-Type: application/json",
        ),
        _ => Problem::bad_request(rejection.body_text()),
    })?;
    if !value.is_object() {
        return Err(Problem::bad_request("the body must be a JSON object, with members by their names"));
    }
    serde_json::from_value(value).map_err(|error| Problem::bad_request(error.to_string()))
}
