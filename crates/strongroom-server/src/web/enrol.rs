//! The first authenticator: its secret is shown once, and a code from it opens the first session.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use strongroom_bank::Error;
use strongroom_bank::factor::{Answer, Enrolling, NewTotp};

use super::fields::Field;
use super::pages::{EnrolPage, Trouble};
use super::sign_in::welcome;
use super::visitor::{Cookie, Posted, Visitor};
use super::words::spaced_secret;
use super::{qr, reply};
use crate::App;
use crate::extract::From;

/// `GET /enrol`: a new secret each time it is looked at; only the newest one counts.
pub async fn page(State(app): State<Arc<App>>, visitor: Visitor, headers: HeaderMap) -> Response {
    let Some(enrolling) = enrolling(&headers) else { return too_late() };
    match app.bank.begin_totp(&enrolling).await {
        Ok(factor) => visitor.show(StatusCode::OK, &enrol_page(&visitor, &factor)),
        Err(Error::Unauthenticated) => too_late(),
        Err(error) => reply::failure(&visitor, &error),
    }
}

/// `POST /enrol`
pub async fn confirm(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    headers: HeaderMap,
    From(source): From,
    posted: Posted,
) -> Response {
    let Some(enrolling) = enrolling(&headers) else { return too_late() };
    let Ok(factor) = posted.text("factor").parse() else { return Redirect::to("/enrol").into_response() };
    let code = posted.text("code").replace(' ', "");
    match app.bank.confirm_factor(&enrolling, factor, Answer::Code(code), true, &source).await {
        Ok(Some(signed_in)) => welcome(&signed_in.secret),
        Ok(None) => Redirect::to("/").into_response(),
        Err(Error::Unauthenticated) => too_late(),
        Err(Error::NotFound) => Redirect::to("/enrol").into_response(),
        Err(error) => {
            let (status, trouble) = reply::trouble(&error);
            visitor.show(status, &retry_page(&visitor, posted.text("factor"), trouble))
        }
    }
}

fn enrolling(headers: &HeaderMap) -> Option<Enrolling> {
    Cookie::Step.of(headers).filter(|token| token.starts_with("enr_")).map(|token| Enrolling::First(token.to_owned()))
}

fn too_late() -> Response {
    Redirect::to("/?out=late").into_response()
}

fn enrol_page(visitor: &Visitor, factor: &NewTotp) -> EnrolPage {
    EnrolPage {
        secret: spaced_secret(&factor.secret),
        qr: qr::svg(&factor.otpauth_uri),
        otpauth_uri: factor.otpauth_uri.clone(),
        ..retry_page(visitor, &factor.id.to_string(), Trouble::default())
    }
}

/// Without the secret: it is shown once.
fn retry_page(visitor: &Visitor, factor: &str, trouble: Trouble) -> EnrolPage {
    EnrolPage {
        frame: visitor.frame(None),
        factor: factor.to_owned(),
        secret: String::new(),
        otpauth_uri: String::new(),
        qr: String::new(),
        code: Field::code().trouble(&trouble),
        trouble,
    }
}
