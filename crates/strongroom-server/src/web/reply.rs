//! Answers: a page, a page that says what went wrong, and the words for it.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use strongroom_bank::Error;
use strongroom_ledger::refusal::Refusal;

use super::pages::{ErrorPage, Frame, Here, Trouble};
use super::visitor::{Member, Visitor};
use crate::App;
use crate::problem::{describe, problem};

/// A rendered page.
pub fn page(status: StatusCode, page: &impl Template) -> Response {
    match page.render() {
        Ok(html) => (status, Html(html)).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page could not be rendered");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// A page for an error that belongs to no form, for someone who is not signed in.
pub fn failure(visitor: &Visitor, error: &Error) -> Response {
    let (status, text) = words(error);
    visitor.show(status, &error_page(visitor.frame(None), status, text, "/"))
}

/// The same for someone who is.
pub fn member_failure(member: &Member, here: Here, error: &Error) -> Response {
    let (status, text) = words(error);
    page(status, &error_page(member.frame(here, None), status, text, member.start()))
}

/// A form that was not ours.
pub fn refused(visitor: &Visitor, title: &str, text: &str) -> Response {
    let page = ErrorPage {
        frame: visitor.frame(None),
        heading: title.to_owned(),
        text: text.to_owned(),
        href: "/",
        label: "Open the bank",
        request_id: String::new(),
    };
    visitor.show(StatusCode::FORBIDDEN, &page)
}

/// For any path that does not exist: a page for browsers, a problem document for programs.
pub async fn not_found(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    let accepts = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !accepts.contains("text/html") {
        return problem(StatusCode::NOT_FOUND, "not_found", "There is nothing here that you may see.", Vec::new());
    }
    match Member::of(&headers, &app).await {
        Ok(member) => member_failure(&member, Here::default(), &Error::NotFound),
        Err(_) => failure(&Visitor::of(&headers, &app), &Error::NotFound),
    }
}

/// What was refused for want of a fresh factor leads to giving one.
pub fn step_up(error: &Error) -> Option<Response> {
    let is_asked = matches!(error, Error::Forbidden { code: "step_up_required", .. });
    is_asked.then(|| Redirect::to("/step-up").into_response())
}

/// What to show above a form that was not accepted, and with which status.
pub fn trouble(error: &Error) -> (StatusCode, Trouble) {
    let (status, text) = words(error);
    let trouble = match error {
        Error::Invalid(fields) => Trouble {
            title: "Some fields need attention".into(),
            text: String::new(),
            fields: fields.iter().map(|field| (field.field.to_owned(), field.detail.clone())).collect(),
        },
        Error::Conflict { code: "username_taken", detail } => Trouble {
            title: "Some fields need attention".into(),
            text: String::new(),
            fields: vec![("username".into(), detail.clone())],
        },
        Error::Refused(refusal) => Trouble {
            title: "The order was refused, and nothing was moved".into(),
            text: if field_of(*refusal).is_empty() { text } else { String::new() },
            fields: [(field_of(*refusal).to_owned(), refusal.detail().to_owned())]
                .into_iter()
                .filter(|(name, _)| !name.is_empty())
                .collect(),
        },
        Error::BadCredentials => Trouble { title: "That did not work".into(), text, fields: Vec::new() },
        _ => Trouble { title: heading(status).into(), text, fields: Vec::new() },
    };
    (status, trouble)
}

/// The field that a refusal is about.
fn field_of(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::BadCheckDigit | Refusal::NotFound | Refusal::SameAccount | Refusal::CurrencyMismatch => "to",
        Refusal::AmountMalformed
        | Refusal::AmountNotPositive
        | Refusal::AmountTooLarge
        | Refusal::InsufficientFunds
        | Refusal::LimitExceeded => "amount",
        _ => "",
    }
}

fn words(error: &Error) -> (StatusCode, String) {
    let (status, _, text) = describe(error);
    match error {
        Error::NotFound => (status, "The page does not exist, or it is not yours to see.".into()),
        Error::Unauthenticated => (status, "Your sign-in has ended or took too long. Sign in again.".into()),
        Error::BadCredentials => (
            status,
            "The user name, password or code is not right. They are checked together, so we cannot say which.".into(),
        ),
        _ => (status, text),
    }
}

fn heading(status: StatusCode) -> &'static str {
    match status {
        StatusCode::NOT_FOUND => "There is nothing here",
        StatusCode::FORBIDDEN => "This is not allowed",
        StatusCode::CONFLICT => "This cannot be done now",
        StatusCode::SERVICE_UNAVAILABLE => "The bank is busy",
        StatusCode::TOO_MANY_REQUESTS => "Too many tries",
        StatusCode::UNAUTHORIZED => "Please sign in",
        status if status.is_server_error() => "Something went wrong on our side",
        _ => "This did not work",
    }
}

fn error_page(frame: Frame, status: StatusCode, text: String, href: &'static str) -> ErrorPage {
    let label = if href == "/" { "To the first page" } else { "Back to your bank" };
    ErrorPage { frame, heading: heading(status).to_owned(), text, href, label, request_id: String::new() }
}
