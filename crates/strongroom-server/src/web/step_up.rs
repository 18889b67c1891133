//! The factor given again that sensitive changes ask for: a code, or a passkey.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use strongroom_bank::factor::proof::Proof;
use strongroom_bank::sessions::SignedIn;
use strongroom_bank::{Error, Result};
use strongroom_identity::factor::FactorKind;

use super::pages::{CodePage, CodePaths, Here, Trouble};
use super::reply;
use super::visitor::{Cookie, Member, Posted};
use crate::App;
use crate::extract::From;

/// `GET /step-up`
pub async fn page(
    State(app): State<Arc<App>>,
    member: Member,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    let by = query.get("by").map_or("", String::as_str);
    show(&app, &member, by, query.contains_key("sent"), StatusCode::OK, Trouble::default()).await
}

/// `POST /step-up/send`: a code by mail or SMS.
pub async fn send(State(app): State<Arc<App>>, member: Member, posted: Posted) -> Response {
    let by = posted.text("by");
    let (factor, next) = match by {
        "sms" => (FactorKind::Sms, "/step-up?by=sms&sent"),
        _ => (FactorKind::Email, "/step-up?by=email&sent"),
    };
    match app.bank.ask_for_step_up(&member.caller, factor).await {
        Ok(_) => Redirect::to(next).into_response(),
        Err(error) => {
            let (status, trouble) = reply::trouble(&error);
            show(&app, &member, by, false, status, trouble).await
        }
    }
}

/// `POST /step-up/ask`: asked by the page's script. Answers what a passkey is to sign.
pub async fn ask(State(app): State<Arc<App>>, member: Member, _posted: Posted) -> Response {
    match app.bank.ask_for_step_up(&member.caller, FactorKind::Passkey).await {
        Ok(options) => {
            let body = serde_json::json!({"challenge": "", "options": options});
            ([(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
        }
        Err(error) => reply::trouble(&error).0.into_response(),
    }
}

/// `POST /step-up`: a new session takes the place of this one.
pub async fn code(State(app): State<Arc<App>>, member: Member, From(source): From, posted: Posted) -> Response {
    let by = posted.text("by");
    let proof = if by.is_empty() { Proof::typed(posted.text("code")) } else { Proof::code(by, posted.text("code")) };
    let met = match proof {
        Ok(proof) => app.bank.step_up(&member.caller, proof, &source).await,
        Err(error) => Err(error),
    };
    met_or_again(&app, &member, by, met).await
}

/// `POST /step-up/passkey`: what a passkey has signed.
pub async fn passkey(State(app): State<Arc<App>>, member: Member, From(source): From, posted: Posted) -> Response {
    let met = match serde_json::from_str(posted.text("answer")) {
        Ok(answer) => app.bank.step_up_by_passkey(&member.caller, &answer, &source).await,
        Err(_) => Err(Error::BadCredentials),
    };
    met_or_again(&app, &member, "passkey", met).await
}

async fn met_or_again(app: &App, member: &Member, by: &str, met: Result<SignedIn>) -> Response {
    match met {
        Ok(signed_in) => {
            let mut response = Redirect::to("/security?done=stepped-up").into_response();
            Cookie::Session.set(&mut response, &signed_in.secret);
            response
        }
        Err(error) => {
            let (status, mut trouble) = reply::trouble(&error);
            if matches!(error, Error::BadCredentials) {
                trouble.text = "This is not right, was used before, or came too late.".into();
            }
            show(app, member, by, true, status, trouble).await
        }
    }
}

async fn show(app: &App, member: &Member, by: &str, is_sent: bool, status: StatusCode, trouble: Trouble) -> Response {
    let factors = match app.bank.factors(&member.caller).await {
        Ok(factors) => factors,
        Err(error) => return reply::member_failure(member, Here::Security, &error),
    };
    let offered = FactorKind::ALL.into_iter().filter(|kind| factors.iter().any(|held| held.kind == kind.name()));
    let page = CodePage::of(member.frame(Here::Security, None), offered.collect(), by, is_sent, trouble);
    reply::page(status, &CodePage { heading: "Is it you?", paths: CodePaths::STEP_UP, button: "Go on", ..page })
}
