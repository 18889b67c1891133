//! Second factors: enrolling, listing, naming, removing.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use strongroom_api::{
    ConfirmFactor, ConfirmedFactor, FactorItem, List, NameFactor, NewPasskey, NewTotp, RecoveryCodes,
};
use strongroom_bank::Error;
use strongroom_bank::factor::Answer as Confirmation;

use super::sessions::session;
use super::{id, json};
use crate::App;
use crate::extract::{From, Json, MayEnrol, Path, SignedIn};
use crate::problem::Answer;

/// `POST /v1/me/factors/totp`
pub async fn begin_totp(State(app): State<Arc<App>>, MayEnrol(enrolling): MayEnrol) -> Answer {
    let factor = app.bank.begin_totp(&enrolling).await?;
    let body = NewTotp { id: factor.id.to_string(), secret: factor.secret, otpauth_uri: factor.otpauth_uri };
    Ok(json(StatusCode::CREATED, &body))
}

/// `POST /v1/me/factors/passkey`
pub async fn begin_passkey(State(app): State<Arc<App>>, MayEnrol(enrolling): MayEnrol) -> Answer {
    let begun = app.bank.begin_passkey(&enrolling).await?;
    Ok(json(StatusCode::CREATED, &NewPasskey { id: begun.id.to_string(), options: begun.options }))
}

/// `POST /v1/me/factors/{id}/confirm`
pub async fn confirm(
    State(app): State<Arc<App>>,
    MayEnrol(enrolling): MayEnrol,
    From(source): From,
    Path(factor): Path<String>,
    Json(body): Json<ConfirmFactor>,
) -> Answer {
    let answer = match (body.code, body.credential) {
        (Some(code), None) => Confirmation::Code(code),
        (None, Some(credential)) => Confirmation::Passkey(credential),
        _ => return Err(Error::field("code", "required", "Give either a code or a credential.").into()),
    };
    match app.bank.confirm_factor(&enrolling, id(&factor)?, answer, false, &source).await? {
        Some(tokens) => Ok(json(StatusCode::CREATED, &session(tokens))),
        None => Ok(json(StatusCode::OK, &confirmed(factor))),
    }
}

/// `GET /v1/me/factors`
pub async fn list(State(app): State<Arc<App>>, SignedIn(caller): SignedIn) -> Answer {
    let factors = app.bank.factors(&caller).await?;
    let items = factors
        .into_iter()
        .map(|f| FactorItem {
            id: f.id.to_string(),
            kind: f.kind.to_owned(),
            name: f.name,
            created_at: super::time(f.created_us),
            last_used_at: f.last_used_us.map(super::time),
            codes_left: f.codes_left,
        })
        .collect();
    Ok(json(StatusCode::OK, &List { items, next_cursor: None }))
}

/// `POST /v1/me/factors/email`
pub async fn add_email(State(app): State<Arc<App>>, SignedIn(caller): SignedIn) -> Answer {
    let factor = app.bank.add_email_factor(&caller).await?;
    Ok(json(StatusCode::CREATED, &confirmed(factor.to_string())))
}

/// `POST /v1/me/factors/sms`
pub async fn add_sms(State(app): State<Arc<App>>, SignedIn(caller): SignedIn) -> Answer {
    let factor = app.bank.add_sms_factor(&caller).await?;
    Ok(json(StatusCode::CREATED, &confirmed(factor.to_string())))
}

/// `POST /v1/me/factors/recovery`
pub async fn recovery(State(app): State<Arc<App>>, SignedIn(caller): SignedIn) -> Answer {
    let made = app.bank.make_recovery_codes(&caller).await?;
    Ok(json(StatusCode::CREATED, &RecoveryCodes { id: made.id.to_string(), codes: made.codes }))
}

/// `PATCH /v1/me/factors/{id}`
pub async fn name(
    State(app): State<Arc<App>>,
    SignedIn(caller): SignedIn,
    Path(factor): Path<String>,
    Json(body): Json<NameFactor>,
) -> Answer {
    app.bank.name_factor(&caller, id(&factor)?, &body.name).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// `DELETE /v1/me/factors/{id}`
pub async fn remove(State(app): State<Arc<App>>, SignedIn(caller): SignedIn, Path(factor): Path<String>) -> Answer {
    app.bank.remove_factor(&caller, id(&factor)?).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn confirmed(id: String) -> ConfirmedFactor {
    ConfirmedFactor { id, status: "confirmed".into() }
}
