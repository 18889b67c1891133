//! Getting back in after a loss, in a browser: the recovery's token is its cookie.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use strongroom_bank::recovery::{Progress, Recovered};
use strongroom_bank::{Error, clock};
use strongroom_identity::recovery::Renewal;

use super::fields::Field;
use super::pages::{Notice, RecoverPage, RecoverySteps, Trouble};
use super::reply;
use super::visitor::{Cookie, Posted, Visitor};
use super::words::Moment;
use crate::App;
use crate::extract::From;

/// `GET /recover`
pub async fn page(State(app): State<Arc<App>>, visitor: Visitor, headers: HeaderMap) -> Response {
    show(&app, &visitor, &headers, StatusCode::OK, None, Trouble::default()).await
}

/// `POST /recover`
pub async fn begin(State(app): State<Arc<App>>, visitor: Visitor, From(source): From, posted: Posted) -> Response {
    match app.bank.begin_recovery(posted.text("username").trim(), &source).await {
        Ok(token) => {
            let mut response = Redirect::to("/recover").into_response();
            Cookie::Recovery.set(&mut response, &token);
            response
        }
        Err(error) => {
            let (status, trouble) = reply::trouble(&error);
            visitor.show(status, &first_page(&visitor, trouble, posted.text("username")))
        }
    }
}

/// `POST /recover/prove`
pub async fn prove(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    headers: HeaderMap,
    From(source): From,
    posted: Posted,
) -> Response {
    let Some(token) = Cookie::Recovery.of(&headers) else { return Redirect::to("/recover").into_response() };
    let proof = posted.text("proof");
    let value = match proof {
        "email" => posted.text("email_code"),
        "factor" => posted.text("factor_code"),
        "sms" => posted.text("sms_code"),
        _ => posted.text("password"),
    };
    match app.bank.prove_recovery(token, proof, value, &source).await {
        Ok(_) => Redirect::to("/recover").into_response(),
        Err(error) => {
            let (status, mut trouble) = reply::trouble(&error);
            if matches!(error, Error::BadCredentials) {
                trouble.text = "This is not right, was used before, or came too late.".into();
            }
            show(&app, &visitor, &headers, status, None, trouble).await
        }
    }
}

/// `POST /recover/send`: a code to the telephone.
pub async fn send(State(app): State<Arc<App>>, visitor: Visitor, headers: HeaderMap, _posted: Posted) -> Response {
    let Some(token) = Cookie::Recovery.of(&headers) else { return Redirect::to("/recover").into_response() };
    let (status, notice, trouble) = match app.bank.send_recovery_sms(token).await {
        Ok(()) => {
            let text = "If the number you gave is verified, a code is there in a moment. It is good for five minutes.";
            (StatusCode::OK, Some(Notice::good("Look at your phone", text)), Trouble::default())
        }
        Err(error) => {
            let (status, trouble) = reply::trouble(&error);
            (status, None, trouble)
        }
    };
    show(&app, &visitor, &headers, status, notice, trouble).await
}

/// `POST /recover/finish`
pub async fn finish(State(app): State<Arc<App>>, visitor: Visitor, headers: HeaderMap, posted: Posted) -> Response {
    let Some(token) = Cookie::Recovery.of(&headers) else { return Redirect::to("/recover").into_response() };
    match app.bank.finish_recovery(token, posted.optional("new_password").as_deref()).await {
        Ok(recovered) => {
            let path = if recovered == Recovered::SignIn { "/?out=recovered" } else { "/enrol" };
            let mut response = Redirect::to(path).into_response();
            Cookie::Recovery.clear(&mut response);
            if let Recovered::Enrolment(token) = &recovered {
                Cookie::Step.set(&mut response, token);
            }
            response
        }
        Err(error) => {
            let (status, trouble) = reply::trouble(&error);
            show(&app, &visitor, &headers, status, None, trouble).await
        }
    }
}

/// `POST /recover/stop`: forgets it in this browser.
pub async fn stop(_posted: Posted) -> Response {
    let mut response = Redirect::to("/recover").into_response();
    Cookie::Recovery.clear(&mut response);
    response
}

async fn show(
    app: &App,
    visitor: &Visitor,
    headers: &HeaderMap,
    status: StatusCode,
    notice: Option<Notice>,
    trouble: Trouble,
) -> Response {
    let Some(token) = Cookie::Recovery.of(headers) else {
        return visitor.show(status, &first_page(visitor, trouble, ""));
    };
    match app.bank.recovery(token).await {
        Ok((progress, renewal)) => {
            let recovery = Some(steps(app.bank.may_send_sms().is_ok(), &progress, renewal, &trouble));
            let username = Field::default();
            visitor.show(status, &RecoverPage { frame: visitor.frame(notice), trouble, recovery, username })
        }
        Err(_) => {
            let mut response = visitor.show(status, &first_page(visitor, trouble, ""));
            Cookie::Recovery.clear(&mut response);
            response
        }
    }
}

fn steps(sends_sms: bool, progress: &Progress, renewal: Option<Renewal>, trouble: &Trouble) -> RecoverySteps {
    let all = [
        ("email", "The code we mailed", "your e-mail address", Field::sent_code().called("email_code")),
        ("sms", "The code on your phone", "your telephone", Field::sent_code().called("sms_code")),
        ("password", "Your password", "your password", Field::password("password", "Password")),
        ("factor", "Your app or a recovery code", "your second factor", Field::any_code().called("factor_code")),
    ];
    let is_proven = |kind: &str| progress.proven.contains(&kind);
    let proven = all.iter().filter(|(kind, ..)| is_proven(kind)).map(|(_, _, words, _)| *words).collect();
    let open = all.into_iter().filter(|(kind, ..)| !is_proven(kind) && (sends_sms || *kind != "sms"));
    let new = Field::text("new_password", "New password").kind("password").autocomplete("new-password").plain();
    RecoverySteps {
        proven,
        open: open.map(|(kind, heading, _, field)| (kind, heading, field)).collect(),
        ready: progress.ready_us.map(Moment::new),
        is_ready: progress.ready_us.is_some_and(|ready_us| ready_us <= clock::now_us()),
        password: renewal.filter(|renewal| renewal.password).map(|_| new.at_most(1024).trouble(trouble)),
        replaces_factors: renewal.is_some_and(|renewal| renewal.factors),
    }
}

fn first_page(visitor: &Visitor, trouble: Trouble, username: &str) -> RecoverPage {
    let field = Field::text("username", "User name").autocomplete("username").plain().at_most(64).value(username);
    RecoverPage { frame: visitor.frame(None), username: field.trouble(&trouble).focused(), trouble, recovery: None }
}
