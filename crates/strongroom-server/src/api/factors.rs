//! Enrolling a TOTP factor.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use serde_json::json as value;
use strongroom_api::{ConfirmFactor, NewTotp};

use super::sessions::session;
use super::{id, json};
use crate::App;
use crate::extract::{Json, MayEnrol, Path};
use crate::problem::Answer;

/// `POST /v1/me/factors/totp`
pub async fn begin_totp(State(app): State<Arc<App>>, MayEnrol(enrolling): MayEnrol) -> Answer {
    let factor = app.bank.begin_totp(&enrolling).await?;
    let body = NewTotp { id: factor.id.to_string(), secret: factor.secret, otpauth_uri: factor.otpauth_uri };
    Ok(json(StatusCode::CREATED, &body))
}

/// `POST /v1/me/factors/{id}/confirm`
pub async fn confirm(
    State(app): State<Arc<App>>,
    MayEnrol(enrolling): MayEnrol,
    Path(factor): Path<String>,
    Json(body): Json<ConfirmFactor>,
) -> Answer {
    match app.bank.confirm_totp(&enrolling, id(&factor)?, &body.code, false).await? {
        Some(tokens) => Ok(json(StatusCode::CREATED, &session(tokens))),
        None => Ok(json(StatusCode::OK, &value!({"id": factor, "status": "confirmed"}))),
    }
}
