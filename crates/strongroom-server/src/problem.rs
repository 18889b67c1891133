//! Errors as RFC 9457 problem documents: a stable code and words for the person who asked; the
//! operator's words go to the log and never into an answer.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use strongroom_api::{FieldProblem, Problem};
use strongroom_bank::Error;

/// An error on its way out.
pub struct Failure(pub Error);

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure(error)
    }
}

/// The result of a handler.
pub type Answer<T = Response> = Result<T, Failure>;

/// When to try again, for 503.
const RETRY_AFTER_S: &str = "1";

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let (status, code, detail) = describe(&self.0);
        let errors = match &self.0 {
            Error::Invalid(fields) => fields
                .iter()
                .map(|f| FieldProblem { field: f.field.to_owned(), code: f.code.to_owned(), detail: f.detail.clone() })
                .collect(),
            _ => Vec::new(),
        };
        let mut response = problem(status, code, &detail, errors);
        if let Error::TooMany { retry_after_s } = self.0 {
            response.headers_mut().insert(header::RETRY_AFTER, retry_after_s.into());
        }
        response
    }
}

/// A problem document.
pub fn problem(status: StatusCode, code: &str, detail: &str, errors: Vec<FieldProblem>) -> Response {
    let body = Problem::new(status.as_u16(), status.canonical_reason().unwrap_or("Error"), code, detail, errors);
    let json = serde_json::to_vec(&body).unwrap_or_default();
    let mut response = (status, json).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    match status {
        StatusCode::SERVICE_UNAVAILABLE => {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_S));
        }
        StatusCode::UNAUTHORIZED => {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        _ => {}
    }
    response
}

/// Status, code and words for the person; what only the operator may know is logged here.
pub fn describe(error: &Error) -> (StatusCode, &'static str, String) {
    let internal = || {
        "Something went wrong on the bank's side. Nothing was changed; try again, and tell the bank if it stays."
            .to_owned()
    };
    match error {
        Error::Unauthenticated => (
            StatusCode::UNAUTHORIZED,
            "unauthenticated",
            "Sign in first, or again: the token or session is missing, wrong or has ended.".into(),
        ),
        Error::BadCredentials => (
            StatusCode::UNAUTHORIZED,
            "bad_credentials",
            "The user name, password or code is wrong, or the sign-in took too long.".into(),
        ),
        Error::Forbidden { code, detail } => (StatusCode::FORBIDDEN, code, detail.clone()),
        Error::Erased(detail) => (StatusCode::FORBIDDEN, "erased", (*detail).to_owned()),
        Error::NotFound => (StatusCode::NOT_FOUND, "not_found", "There is nothing here that you may see.".into()),
        Error::Conflict { code, detail } => (StatusCode::CONFLICT, code, detail.clone()),
        Error::Malformed(detail) => (StatusCode::BAD_REQUEST, "malformed", detail.clone()),
        Error::Invalid(_) => (StatusCode::UNPROCESSABLE_ENTITY, "invalid", "Some fields need attention.".into()),
        Error::Refused(refusal) => {
            let status = StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::UNPROCESSABLE_ENTITY);
            (status, refusal.code(), refusal.detail().to_owned())
        }
        Error::TooMany { .. } => (
            StatusCode::TOO_MANY_REQUESTS,
            "too_many_attempts",
            "There were too many wrong attempts. Wait some minutes and try again.".into(),
        ),
        Error::Busy => (
            StatusCode::SERVICE_UNAVAILABLE,
            "busy",
            "The bank is busy. Nothing was done; try again in a moment.".into(),
        ),
        Error::ReadOnly(why) => {
            tracing::error!(why, "a change was refused: the bank only reads");
            (StatusCode::SERVICE_UNAVAILABLE, "read_only", why.clone())
        }
        Error::Database(e) => {
            tracing::error!(error = %e, "database");
            (StatusCode::INTERNAL_SERVER_ERROR, "internal", internal())
        }
        Error::Integrity(what) => {
            tracing::error!(what, "integrity");
            (StatusCode::CONFLICT, "under_review", "What you asked for is under review: the bank found that its records were changed. Please tell the bank.".into())
        }
        Error::Internal(what) => {
            tracing::error!(what, "internal");
            (StatusCode::INTERNAL_SERVER_ERROR, "internal", internal())
        }
    }
}
