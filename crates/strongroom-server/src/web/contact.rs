//! E-mail address and phone number: proving that they are one's own, and having codes sent there.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use strongroom_bank::Error;

use super::fields::Field;
use super::pages::{ContactPage, ContactWay, Here, Notice, Trouble};
use super::reply;
use super::visitor::{Member, Posted};
use crate::App;
use crate::extract::From;

/// `GET /contact`
pub async fn page(
    State(app): State<Arc<App>>,
    member: Member,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    let notice = query.get("done").and_then(|done| match done.as_str() {
        "sent" => Some(Notice::good("A code is on its way", "It is good for five minutes.")),
        "verified" => Some(Notice::good("It is verified", "Thank you.")),
        "added" => Some(Notice::good("Codes go there from now on", "You were signed out elsewhere.")),
        _ => None,
    });
    show(&app, &member, StatusCode::OK, notice, Trouble::default()).await
}

/// `POST /contact/{kind}/send`
pub async fn send(State(app): State<Arc<App>>, member: Member, Path(kind): Path<String>, _posted: Posted) -> Response {
    let sent = match kind.as_str() {
        "email" => app.bank.send_email_proof(&member.caller).await,
        "phone" => app.bank.send_phone_proof(&member.caller).await,
        _ => Err(Error::NotFound),
    };
    done(&app, &member, sent, "/contact?done=sent").await
}

/// `POST /contact/{kind}/confirm`
pub async fn confirm(
    State(app): State<Arc<App>>,
    member: Member,
    Path(kind): Path<String>,
    From(source): From,
    posted: Posted,
) -> Response {
    let confirmed = match kind.as_str() {
        "email" => app.bank.confirm_email(&member.caller, posted.text("email_code")).await,
        "phone" => app.bank.confirm_phone(&member.caller, posted.text("phone_code"), &source).await,
        _ => Err(Error::NotFound),
    };
    done(&app, &member, confirmed, "/contact?done=verified").await
}

/// `POST /contact/{kind}/factor`
pub async fn add_factor(
    State(app): State<Arc<App>>,
    member: Member,
    Path(kind): Path<String>,
    _posted: Posted,
) -> Response {
    let added = match kind.as_str() {
        "email" => app.bank.add_email_factor(&member.caller).await,
        "phone" => app.bank.add_sms_factor(&member.caller).await,
        _ => Err(Error::NotFound),
    };
    done(&app, &member, added.map(drop), "/contact?done=added").await
}

async fn done(app: &App, member: &Member, outcome: Result<(), Error>, next: &'static str) -> Response {
    let Err(error) = outcome else { return Redirect::to(next).into_response() };
    if let Some(response) = reply::step_up(&error) {
        return response;
    }
    let (status, trouble) = reply::trouble(&error);
    show(app, member, status, None, trouble).await
}

async fn show(app: &App, member: &Member, status: StatusCode, notice: Option<Notice>, trouble: Trouble) -> Response {
    let factors = match app.bank.factors(&member.caller).await {
        Ok(factors) => factors,
        Err(error) => return reply::member_failure(member, Here::Security, &error),
    };
    let (profile, config) = (&member.profile, app.bank.config());
    let way = |kind, label, address: &Option<String>, is_verified, factor: &str, is_served| ContactWay {
        kind,
        label,
        address: address.clone().unwrap_or_default(),
        is_verified,
        is_factor: factors.iter().any(|held| held.kind == factor),
        is_served,
        code: Field::sent_code().called(if kind == "email" { "email_code" } else { "phone_code" }),
    };
    let ways = vec![
        way("email", "E-mail", &profile.email, profile.is_email_verified, "email", config.mail.is_some()),
        way("phone", "Phone", &profile.phone, profile.is_phone_verified, "sms", config.sms.is_some()),
    ];
    reply::page(status, &ContactPage { frame: member.frame(Here::Security, notice), trouble, ways })
}
