//! Signing in, in two steps; refreshing; listing and ending sessions.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use strongroom_api::{
    List, NewSession, PasskeyRequest, Refresh, SendCode, Session, SessionItem, SignInStep, StepUp, StepUpCode,
    StepUpRequest, VerifyFactor,
};
use strongroom_bank::Error;
use strongroom_bank::factor::proof::Proof;
use strongroom_bank::sessions::SignedIn as Tokens;
use strongroom_bank::sign_in::FirstStep;
use strongroom_identity::factor::FactorKind;

use super::{id, json};
use crate::App;
use crate::extract::{From, Json, Path, SignedIn};
use crate::problem::Answer;

/// `POST /v1/sessions`
pub async fn sign_in(State(app): State<Arc<App>>, From(source): From, Json(body): Json<NewSession>) -> Answer {
    let step = match app.bank.sign_in(&body.username, &body.password, &source).await? {
        FirstStep::Challenge { token, factors } => {
            let factors = factors.into_iter().map(str::to_owned).collect();
            SignInStep::FactorRequired { challenge: token, factors }
        }
        FirstStep::Enrolment { token } => SignInStep::EnrolmentRequired { enrolment_token: token },
    };
    Ok(json(StatusCode::CREATED, &step))
}

/// `POST /v1/sessions/verify`
pub async fn verify(State(app): State<Arc<App>>, From(source): From, Json(body): Json<VerifyFactor>) -> Answer {
    if let (Some(assertion), "passkey") = (&body.assertion, body.factor.as_str()) {
        let tokens = app.bank.verify_passkey(&body.challenge, assertion, false, &source).await?;
        return Ok(json(StatusCode::CREATED, &session(tokens)));
    }
    let code = body.code.ok_or_else(|| Error::field("code", "required", "Give the code of your factor."))?;
    let proof = Proof::code(&body.factor, &code)?;
    let tokens = app.bank.verify_factor(&body.challenge, proof, false, &source).await?;
    Ok(json(StatusCode::CREATED, &session(tokens)))
}

/// `POST /v1/sessions/passkey`: a sign-in with a passkey alone.
pub async fn passkey(State(app): State<Arc<App>>, From(source): From) -> Answer {
    let asked = app.bank.begin_passkey_sign_in(&source).await?;
    Ok(json(StatusCode::CREATED, &PasskeyRequest { challenge: asked.token, options: asked.options }))
}

/// `POST /v1/sessions/send`
pub async fn send(State(app): State<Arc<App>>, Json(body): Json<SendCode>) -> Answer {
    match body.factor.as_str() {
        "passkey" => {
            let options = app.bank.ask_for_passkey(&body.challenge).await?;
            Ok(json(StatusCode::OK, &PasskeyRequest { challenge: body.challenge, options }))
        }
        "email" => {
            app.bank.send_email_code(&body.challenge).await?;
            Ok(StatusCode::ACCEPTED.into_response())
        }
        "sms" => {
            app.bank.send_sms_code(&body.challenge).await?;
            Ok(StatusCode::ACCEPTED.into_response())
        }
        _ => Err(Error::field("factor", "unknown_factor", "This kind of factor is not set up for you.").into()),
    }
}

/// `POST /v1/sessions/step-up`
pub async fn step_up(
    State(app): State<Arc<App>>,
    SignedIn(caller): SignedIn,
    From(source): From,
    Json(body): Json<StepUp>,
) -> Answer {
    if let (Some(assertion), "passkey") = (&body.assertion, body.factor.as_str()) {
        let tokens = app.bank.step_up_by_passkey(&caller, assertion, &source).await?;
        return Ok(json(StatusCode::CREATED, &session(tokens)));
    }
    let code = body.code.ok_or_else(|| Error::field("code", "required", "Give the code of your factor."))?;
    let tokens = app.bank.step_up(&caller, Proof::code(&body.factor, &code)?, &source).await?;
    Ok(json(StatusCode::CREATED, &session(tokens)))
}

/// `POST /v1/sessions/step-up/send`
pub async fn send_step_up(
    State(app): State<Arc<App>>,
    SignedIn(caller): SignedIn,
    Json(body): Json<StepUpCode>,
) -> Answer {
    let unknown = || Error::field("factor", "unknown_factor", "Give one of email, sms, passkey.");
    let factor = FactorKind::from_name(&body.factor).ok_or_else(unknown)?;
    Ok(match app.bank.ask_for_step_up(&caller, factor).await? {
        Some(options) => json(StatusCode::OK, &StepUpRequest { options }),
        None => StatusCode::ACCEPTED.into_response(),
    })
}

/// `POST /v1/sessions/refresh`
pub async fn refresh(State(app): State<Arc<App>>, Json(body): Json<Refresh>) -> Answer {
    let tokens = app.bank.refresh(&body.refresh_token).await?;
    Ok(json(StatusCode::CREATED, &session(tokens)))
}

/// `GET /v1/sessions`
pub async fn list(State(app): State<Arc<App>>, SignedIn(caller): SignedIn) -> Answer {
    let sessions = app.bank.sessions(&caller).await?;
    let items = sessions
        .into_iter()
        .map(|s| SessionItem {
            id: s.id.to_string(),
            created_at: super::time(s.created_us),
            last_used_at: super::time(s.seen_us),
            expires_at: super::time(s.expires_us),
            current: s.current,
        })
        .collect();
    Ok(json(StatusCode::OK, &List { items, next_cursor: None }))
}

/// `DELETE /v1/sessions/{id}`
pub async fn end(State(app): State<Arc<App>>, SignedIn(caller): SignedIn, Path(session): Path<String>) -> Answer {
    app.bank.end_session(&caller, id(&session)?).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// A session as clients get it.
pub(super) fn session(tokens: Tokens) -> Session {
    Session {
        status: "authenticated".into(),
        access_token: tokens.access_token,
        token_type: "Bearer".into(),
        expires_in_s: tokens.expires_in_s,
        refresh_token: tokens.secret,
        session_id: tokens.session.to_string(),
    }
}
