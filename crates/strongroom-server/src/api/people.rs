//! Signing up, accepting an invitation, one's own data.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use strongroom_api::{CreatedUser, Enrolment, Me, NewUser, ProfileChange, SentCode};
use strongroom_bank::contact::Changes;
use strongroom_bank::people::{Profile, SignUp};

use super::json;
use crate::App;
use crate::extract::{From, Json, SignedIn};
use crate::problem::Answer;

/// `POST /v1/users`
pub async fn sign_up(State(app): State<Arc<App>>, From(source): From, Json(user): Json<NewUser>) -> Answer {
    let username = user.username.clone();
    let id = app.bank.sign_up(form(user), &source).await?;
    Ok(json(StatusCode::CREATED, &CreatedUser { id: id.to_string(), username, status: "active".into() }))
}

/// `POST /v1/enrolments`
pub async fn enrol(State(app): State<Arc<App>>, From(source): From, Json(enrolment): Json<Enrolment>) -> Answer {
    let Enrolment { code, username, password, full_name, email, phone, national_id, date_of_birth, address } =
        enrolment;
    let form =
        SignUp { username: username.clone(), password, full_name, email, phone, national_id, date_of_birth, address };
    let id = app.bank.enrol(&code, form, &source).await?;
    Ok(json(StatusCode::CREATED, &CreatedUser { id: id.to_string(), username, status: "active".into() }))
}

/// `GET /v1/me`
pub async fn me(State(app): State<Arc<App>>, SignedIn(caller): SignedIn) -> Answer {
    let Profile {
        id,
        status,
        roles,
        created_us,
        username,
        full_name,
        email,
        phone,
        national_id,
        date_of_birth,
        address,
        ..
    } = app.bank.me(&caller).await?;
    let me = Me {
        id: id.map(|id| id.to_string()).unwrap_or_default(),
        username,
        status: status.to_owned(),
        roles,
        created_at: super::time(created_us),
        full_name,
        email,
        phone,
        national_id,
        date_of_birth,
        address,
    };
    Ok(json(StatusCode::OK, &me))
}

/// `PATCH /v1/me`
pub async fn change(
    State(app): State<Arc<App>>,
    SignedIn(caller): SignedIn,
    Json(change): Json<ProfileChange>,
) -> Answer {
    let ProfileChange { full_name, email, phone, address } = change;
    app.bank.change_profile(&caller, Changes { full_name, email, phone, address }).await?;
    me(State(app), SignedIn(caller)).await
}

/// `POST /v1/me/email/send`: a code to the caller's address.
pub async fn send_email_proof(State(app): State<Arc<App>>, SignedIn(caller): SignedIn) -> Answer {
    app.bank.send_email_proof(&caller).await?;
    Ok(StatusCode::ACCEPTED.into_response())
}

/// `POST /v1/me/email/confirm`
pub async fn confirm_email(
    State(app): State<Arc<App>>,
    SignedIn(caller): SignedIn,
    Json(body): Json<SentCode>,
) -> Answer {
    app.bank.confirm_email(&caller, &body.code).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// `POST /v1/me/phone/send`: a code to the caller's telephone.
pub async fn send_phone_proof(State(app): State<Arc<App>>, SignedIn(caller): SignedIn) -> Answer {
    app.bank.send_phone_proof(&caller).await?;
    Ok(StatusCode::ACCEPTED.into_response())
}

/// `POST /v1/me/phone/confirm`
pub async fn confirm_phone(
    State(app): State<Arc<App>>,
    SignedIn(caller): SignedIn,
    From(source): From,
    Json(body): Json<SentCode>,
) -> Answer {
    app.bank.confirm_phone(&caller, &body.code, &source).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn form(user: NewUser) -> SignUp {
    let NewUser { username, password, full_name, email, phone, national_id, date_of_birth, address } = user;
    SignUp { username, password, full_name, email, phone, national_id, date_of_birth, address }
}
