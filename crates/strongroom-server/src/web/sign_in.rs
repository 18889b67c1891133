//! The first page, signing in by password and code, and signing out.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use strongroom_bank::Error;
use strongroom_bank::factor::proof::Proof;
use strongroom_bank::sign_in::FirstStep;
use strongroom_ledger::id::SessionId;

use super::fields::Field;
use super::pages::{CodePage, Landing, Notice, Trouble};
use super::reply;
use super::visitor::{Cookie, Member, Posted, Visitor};
use crate::App;
use crate::extract::From;

/// `GET /`
pub async fn landing(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    headers: HeaderMap,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    if let Ok(member) = Member::of(&headers, &app).await {
        return Redirect::to(member.start()).into_response();
    }
    let notice = query.get("out").and_then(|reason| farewell(reason)).or_else(|| demo_notice(&app));
    visitor.show(StatusCode::OK, &landing_page(&visitor, notice, Trouble::default(), ""))
}

/// `GET /sign-in`: someone reloaded after a form.
pub async fn to_landing() -> Redirect {
    Redirect::to("/")
}

/// `POST /sign-in`
pub async fn password(State(app): State<Arc<App>>, visitor: Visitor, From(source): From, posted: Posted) -> Response {
    match app.bank.sign_in(posted.text("username").trim(), posted.text("password"), &source).await {
        Ok(step) => next_step(&step),
        Err(error) => {
            let (status, trouble) = reply::trouble(&error);
            visitor.show(status, &landing_page(&visitor, None, trouble, posted.text("username")))
        }
    }
}

/// Where the right password leads.
pub fn next_step(step: &FirstStep) -> Response {
    let (token, path) = match step {
        FirstStep::Challenge { token, .. } => (token, "/sign-in/code"),
        FirstStep::Enrolment { token } => (token, "/enrol"),
    };
    let mut response = Redirect::to(path).into_response();
    Cookie::Step.set(&mut response, token);
    response
}

/// `GET /sign-in/code`
pub async fn code_page(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    headers: HeaderMap,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    let by = query.get("by").map_or("", String::as_str);
    match second_page(&app, &visitor, &headers, by, query.contains_key("sent"), Trouble::default()).await {
        Some(page) => visitor.show(StatusCode::OK, &page),
        None => Redirect::to("/?out=late").into_response(),
    }
}

/// `POST /sign-in/send`: a code by mail or SMS.
pub async fn send(State(app): State<Arc<App>>, visitor: Visitor, headers: HeaderMap, posted: Posted) -> Response {
    let Some(challenge) = Cookie::Step.of(&headers) else { return Redirect::to("/?out=late").into_response() };
    let by = posted.text("by");
    let sent = match by {
        "sms" => app.bank.send_sms_code(challenge).await,
        _ => app.bank.send_email_code(challenge).await,
    };
    match sent {
        Ok(()) => Redirect::to(if by == "sms" { "/sign-in/code?by=sms&sent" } else { "/sign-in/code?by=email&sent" })
            .into_response(),
        Err(error) => {
            let (status, trouble) = reply::trouble(&error);
            match second_page(&app, &visitor, &headers, by, false, trouble).await {
                Some(page) => visitor.show(status, &page),
                None => Redirect::to("/?out=late").into_response(),
            }
        }
    }
}

/// `POST /sign-in/code`
pub async fn code(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    headers: HeaderMap,
    From(source): From,
    posted: Posted,
) -> Response {
    let Some(challenge) = Cookie::Step.of(&headers) else { return Redirect::to("/?out=late").into_response() };
    let by = posted.text("by");
    let proof = if by.is_empty() { Proof::typed(posted.text("code")) } else { Proof::code(by, posted.text("code")) };
    let met = match proof {
        Ok(proof) => app.bank.verify_factor(challenge, proof, true, &source).await,
        Err(error) => Err(error),
    };
    match met {
        Ok(signed_in) => welcome(&signed_in.secret),
        Err(error) => {
            let (status, mut trouble) = reply::trouble(&error);
            if matches!(error, Error::BadCredentials) {
                trouble.text = "The code is not right, was used before, or you took too long. Wait for the next one, or start again.".into();
            }
            match second_page(&app, &visitor, &headers, by, true, trouble).await {
                Some(page) => visitor.show(status, &page),
                None => Redirect::to("/?out=late").into_response(),
            }
        }
    }
}

/// `POST /sign-in/passkey`: what a passkey has signed.
pub async fn passkey(State(app): State<Arc<App>>, visitor: Visitor, From(source): From, posted: Posted) -> Response {
    let signed_in = match serde_json::from_str(posted.text("answer")) {
        Ok(answer) => app.bank.verify_passkey(posted.text("challenge"), &answer, true, &source).await,
        Err(_) => Err(Error::BadCredentials),
    };
    match signed_in {
        Ok(signed_in) => welcome(&signed_in.secret),
        Err(error) => {
            let (status, mut trouble) = reply::trouble(&error);
            if matches!(error, Error::BadCredentials) {
                trouble.text = "The passkey was not accepted: it is not one of this bank, or it took too long.".into();
            }
            visitor.show(status, &landing_page(&visitor, None, trouble, ""))
        }
    }
}

/// The cookie of a session that was just opened, and on to the bank.
pub fn welcome(secret: &str) -> Response {
    let mut response = Redirect::to("/").into_response();
    Cookie::Session.set(&mut response, secret);
    Cookie::Step.clear(&mut response);
    response
}

/// `POST /sign-out`
pub async fn sign_out(State(app): State<Arc<App>>, member: Member, _posted: Posted) -> Response {
    if let Err(error) = app.bank.end_session(&member.caller, SessionId(member.caller.session)).await {
        return reply::member_failure(&member, Default::default(), &error);
    }
    let mut response = Redirect::to("/?out=signed-out").into_response();
    Cookie::Session.clear(&mut response);
    response
}

/// `GET /session`: 204 while the session holds; asking keeps it alive.
pub async fn still_here(State(app): State<Arc<App>>, headers: HeaderMap) -> StatusCode {
    let Some(cookie) = Cookie::Session.of(&headers) else { return StatusCode::UNAUTHORIZED };
    match app.bank.authenticate_cookie(cookie).await {
        Ok(_) => StatusCode::NO_CONTENT,
        Err(Error::Unauthenticated) => StatusCode::UNAUTHORIZED,
        Err(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}

fn landing_page(visitor: &Visitor, notice: Option<Notice>, trouble: Trouble, username: &str) -> Landing {
    Landing {
        frame: visitor.frame(notice),
        username: Field::text("username", "User name").autocomplete("username").plain().at_most(64).value(username),
        password: Field::password("password", "Password"),
        trouble,
    }
}

/// The page that asks for a code of one kind and offers the others. None: nothing is under way.
async fn second_page(
    app: &App,
    visitor: &Visitor,
    headers: &HeaderMap,
    by: &str,
    is_sent: bool,
    trouble: Trouble,
) -> Option<CodePage> {
    // A challenge that has just ended asks for nothing more; who reads why begins again.
    let offered = app.bank.offered(Cookie::Step.of(headers)?).await.unwrap_or_default();
    if offered.is_empty() && trouble.is_empty() {
        return None;
    }
    Some(CodePage::of(visitor.frame(None), offered, by, is_sent, trouble))
}

fn farewell(reason: &str) -> Option<Notice> {
    match reason {
        "signed-out" => Some(Notice::good("You are signed out", "Nothing of yours is left on this screen.")),
        "idle" => Some(Notice::care("You were signed out", "Nothing had happened for a while. Sign in to go on.")),
        "expired" => Some(Notice::care("Your session has ended", "Sign in to go on.")),
        "recovered" => {
            Some(Notice::good("You are back", "Sign in with what is new. Your devices were revoked: make new ones."))
        }
        "late" => Some(Notice::care("That took too long", "Begin again with your user name and password.")),
        _ => None,
    }
}

fn demo_notice(app: &App) -> Option<Notice> {
    let text =
        "No money here is real. The names and passwords of its people were printed where the server was started.";
    app.bank.config().bank.demo.then(|| Notice::care("This is a demonstration", text))
}
