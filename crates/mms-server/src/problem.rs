//! Errors of the API: `application/problem+json` (RFC 9457).

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use mms_engine::{EngineError, UnknownType};
use mms_model::port::StoreError;
use mms_model::{Code, PortError};
use serde::Serialize;

/// A problem: a status, a stable code and a sentence.
#[derive(Debug)]
pub struct Problem {
    status: StatusCode,
    code: String,
    detail: String,
}

#[derive(Serialize)]
struct Body<'a> {
    title: &'a str,
    status: u16,
    code: &'a str,
    detail: &'a str,
}

impl Problem {
    /// A problem that has no code of the catalogue.
    pub fn new(status: StatusCode, code: &str, detail: impl Into<String>) -> Self {
        Self { status, code: code.to_owned(), detail: detail.into() }
    }

    /// The request cannot be understood.
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "BadRequest", detail)
    }

    /// There is no such thing.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "NotFound", detail)
    }

    /// The thing is in a state that does not allow it.
    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "Conflict", detail)
    }
}

impl From<PortError> for Problem {
    fn from(error: PortError) -> Self {
        let status = match error.code {
            Code::UserNotFound => StatusCode::NOT_FOUND,
            Code::UserAmbiguous => StatusCode::CONFLICT,
            Code::MigrationDisabled => StatusCode::FORBIDDEN,
            Code::PlatformNotConfigured | Code::NoCalendar => StatusCode::UNPROCESSABLE_ENTITY,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self { status, code: error.code.name().to_owned(), detail: error.message }
    }
}

impl From<EngineError> for Problem {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::Store(error) => error.into(),
            EngineError::Port(error) => error.into(),
            EngineError::Unknown(error) => error.into(),
            EngineError::Disabled => {
                Self::new(StatusCode::FORBIDDEN, Code::MigrationDisabled.name(), error.to_string())
            }
            EngineError::NoSuchRequest(_) => Self::not_found(error.to_string()),
            EngineError::NotAvailable(..) => Self::conflict(error.to_string()),
        }
    }
}

impl From<UnknownType> for Problem {
    fn from(error: UnknownType) -> Self {
        match error {
            UnknownType::Source { .. } => Self::bad_request(error.to_string()),
            UnknownType::Target { .. } => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                Code::PlatformNotConfigured.name(),
                error.to_string(),
            ),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        tracing::error!(error = %error, "the store failed");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, Code::StoreError.name(), error.to_string())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = Body {
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            code: &self.code,
            detail: &self.detail,
        };
        let mut response = (self.status, Json(body)).into_response();
        let problem = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, problem);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_problem_json() {
        let response = Problem::from(PortError::permanent(Code::UserNotFound, "no user x")).into_response();
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json");
    }
}
