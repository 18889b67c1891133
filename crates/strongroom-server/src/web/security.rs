//! How one signs in: second factors, recovery codes, passkeys, what happened lately.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use strongroom_bank::Error;
use strongroom_bank::audit::Entry;
use strongroom_bank::factor::{Answer, Enrolling, FactorView};

use super::fields::Field;
use super::pages::{FactorLine, Happening, Here, Notice, SecurityPage, Trouble};
use super::reply;
use super::visitor::{Member, Posted};
use super::words::{Moment, program};
use crate::App;
use crate::extract::From;

/// Entries of the history that are shown.
const HAPPENINGS: i64 = 12;

/// `GET /security`
pub async fn page(
    State(app): State<Arc<App>>,
    member: Member,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    let notice = query.get("done").and_then(|done| match done.as_str() {
        "removed" => {
            Some(Notice::good("It was removed", "It opens nothing any more, and you were signed out elsewhere."))
        }
        "added" => Some(Notice::good("Your passkey is ready", "Next time you can sign in with it alone.")),
        "password" => {
            Some(Notice::good("Your password is changed", "Everyone else who was signed in as you is signed out."))
        }
        "stepped-up" => Some(Notice::good(
            "Thank you",
            "For the next ten minutes you can send large sums and change how you sign in.",
        )),
        _ => None,
    });
    show(&app, &member, StatusCode::OK, notice, Vec::new(), Trouble::default()).await
}

/// `POST /security/recovery`: new codes, shown once.
pub async fn recovery(State(app): State<Arc<App>>, member: Member, _posted: Posted) -> Response {
    match app.bank.make_recovery_codes(&member.caller).await {
        Ok(made) => show(&app, &member, StatusCode::OK, None, made.codes, Trouble::default()).await,
        Err(error) => refused(&app, &member, &error).await,
    }
}

/// `POST /security/password`
pub async fn password(State(app): State<Arc<App>>, member: Member, posted: Posted) -> Response {
    let (present, new) = (posted.text("current_password"), posted.text("new_password"));
    match app.bank.change_password(&member.caller, present, new).await {
        Ok(()) => Redirect::to("/security?done=password").into_response(),
        Err(error) => refused(&app, &member, &error).await,
    }
}

/// `POST /security/factors/{id}/remove`
pub async fn remove(State(app): State<Arc<App>>, member: Member, Path(id): Path<String>, _posted: Posted) -> Response {
    let Ok(id) = id.parse() else { return reply::member_failure(&member, Here::Security, &Error::NotFound) };
    match app.bank.remove_factor(&member.caller, id).await {
        Ok(()) => Redirect::to("/security?done=removed").into_response(),
        Err(error) => refused(&app, &member, &error).await,
    }
}

/// `POST /security/passkeys`: asked by the page's script. Answers what the browser is to make.
pub async fn begin_passkey(State(app): State<Arc<App>>, member: Member, _posted: Posted) -> Response {
    match app.bank.begin_passkey(&Enrolling::SignedIn(member.caller.clone())).await {
        Ok(begun) => {
            let body = serde_json::json!({"id": begun.id.to_string(), "options": begun.options});
            ([(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
        }
        Err(error) => reply::trouble(&error).0.into_response(),
    }
}

/// `POST /security/passkeys/{id}`: what the browser has made.
pub async fn add_passkey(
    State(app): State<Arc<App>>,
    member: Member,
    Path(id): Path<String>,
    From(source): From,
    posted: Posted,
) -> Response {
    let made = (id.parse(), serde_json::from_str(posted.text("answer")));
    let (Ok(id), Ok(answer)) = made else { return reply::member_failure(&member, Here::Security, &Error::NotFound) };
    let enrolling = Enrolling::SignedIn(member.caller.clone());
    let confirmed = app.bank.confirm_factor(&enrolling, id, Answer::Passkey(answer), true, &source).await;
    let named = match (confirmed, posted.optional("name")) {
        (Ok(_), Some(name)) => app.bank.name_factor(&member.caller, id, &name).await,
        (confirmed, _) => confirmed.map(drop),
    };
    match named {
        Ok(()) => Redirect::to("/security?done=added").into_response(),
        Err(error) => refused(&app, &member, &error).await,
    }
}

async fn refused(app: &App, member: &Member, error: &Error) -> Response {
    if let Some(response) = reply::step_up(error) {
        return response;
    }
    let (status, trouble) = reply::trouble(error);
    show(app, member, status, None, Vec::new(), trouble).await
}

async fn show(
    app: &App,
    member: &Member,
    status: StatusCode,
    notice: Option<Notice>,
    codes: Vec<String>,
    trouble: Trouble,
) -> Response {
    let seen = async {
        let factors = app.bank.factors(&member.caller).await?;
        let history = app.bank.activity(&member.caller, i64::MAX, HAPPENINGS).await?;
        Ok::<_, Error>((factors, history))
    };
    let (factors, history) = match seen.await {
        Ok(seen) => seen,
        Err(error) => return reply::member_failure(member, Here::Security, &error),
    };
    let new = Field::text("new_password", "New password").kind("password").autocomplete("new-password").plain();
    let present = Field::password("current_password", "Present password");
    let passwords = [present, new.at_most(1024)].map(|field| field.trouble(&trouble));
    let page = SecurityPage {
        frame: member.frame(Here::Security, notice),
        trouble,
        factors: factors.iter().map(line).collect(),
        codes,
        history: history.iter().map(happening).collect(),
        name: Field::text("name", "Name for this passkey").at_most(64).autocomplete("off").optional(),
        passwords,
    };
    reply::page(status, &page)
}

fn line(factor: &FactorView) -> FactorLine {
    let kind = match factor.kind {
        "totp" => "Authenticator app",
        "passkey" => "Passkey",
        "recovery" => "Recovery codes",
        "email" => "Codes by e-mail",
        _ => "Codes by SMS",
    };
    FactorLine {
        id: factor.id.to_string(),
        name: factor.name.clone().unwrap_or_else(|| kind.to_owned()),
        kind,
        since: Moment::new(factor.created_us),
        used: factor.last_used_us.map(Moment::new),
        left: factor.codes_left.map_or(String::new(), |left| format!("{left} of 10 left")),
    }
}

fn happening(entry: &Entry) -> Happening {
    let what = match entry.event.as_str() {
        "session.opened" => "Signed in",
        "session.ended" => "Signed out",
        "session.stepped_up" => "Second factor given again",
        "person.added" => "Joined the bank",
        "factor.added" => "Second factor added",
        "factor.removed" => "Second factor removed",
        "recovery_code.used" => "Recovery code used",
        "device.added" => "Signing key added",
        "device.revoked" => "Signing key revoked",
        "account.opened" => "Account opened",
        "password.changed" => "Password changed",
        "contact.changed" => "Contact data changed",
        "email.verified" => "E-mail address verified",
        "phone.verified" => "Phone number verified",
        "recovery.proven" => "Recovery of this account proven",
        "recovery.ended" => "Recovery ended by signing in",
        "recovery.finished" => "Account recovered",
        other => other,
    };
    let text = |name: &str| entry.detail.as_ref().and_then(|d| d[name].as_str()).unwrap_or_default().to_owned();
    Happening {
        what: what.to_owned(),
        time: Moment::exactly(&entry.time),
        place: text("address"),
        agent: program(&text("agent")),
    }
}
