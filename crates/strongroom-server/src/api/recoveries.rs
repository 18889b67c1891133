//! Getting back in, and changing one's password.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use strongroom_api::{
    NewRecovery, PasswordChange, Recovered, Recovery, RecoveryEnd, RecoveryProgress, RecoveryProof, SendProof,
};
use strongroom_bank::{Error, recovery};

use super::json;
use crate::App;
use crate::extract::{From, Json, SignedIn};
use crate::problem::Answer;

/// `POST /v1/me/password`
pub async fn change_password(
    State(app): State<Arc<App>>,
    SignedIn(caller): SignedIn,
    Json(body): Json<PasswordChange>,
) -> Answer {
    app.bank.change_password(&caller, &body.current_password, &body.new_password).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// `POST /v1/recoveries`
pub async fn begin(State(app): State<Arc<App>>, From(source): From, Json(body): Json<NewRecovery>) -> Answer {
    let recovery = app.bank.begin_recovery(&body.username, &source).await?;
    Ok(json(StatusCode::CREATED, &Recovery { recovery }))
}

/// `POST /v1/recoveries/prove`
pub async fn prove(State(app): State<Arc<App>>, From(source): From, Json(body): Json<RecoveryProof>) -> Answer {
    let progress = app.bank.prove_recovery(&body.recovery, &body.proof, &body.value, &source).await?;
    let proven = progress.proven.into_iter().map(str::to_owned).collect();
    Ok(json(StatusCode::OK, &RecoveryProgress { proven, ready_at: progress.ready_us.map(super::time) }))
}

/// `POST /v1/recoveries/send`
pub async fn send(State(app): State<Arc<App>>, Json(body): Json<SendProof>) -> Answer {
    if body.proof != "sms" {
        return Err(
            Error::field("proof", "unknown_proof", "Only sms is sent: the code by mail goes out at once.").into()
        );
    }
    app.bank.send_recovery_sms(&body.recovery).await?;
    Ok(StatusCode::ACCEPTED.into_response())
}

/// `POST /v1/recoveries/finish`
pub async fn finish(State(app): State<Arc<App>>, Json(body): Json<RecoveryEnd>) -> Answer {
    let recovered = app.bank.finish_recovery(&body.recovery, body.new_password.as_deref()).await?;
    let (status, enrolment_token) = match recovered {
        recovery::Recovered::SignIn => ("recovered", None),
        recovery::Recovered::Enrolment(token) => ("enrolment_required", Some(token)),
    };
    Ok(json(StatusCode::OK, &Recovered { status: status.into(), enrolment_token }))
}
