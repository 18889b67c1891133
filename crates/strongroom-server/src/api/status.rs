//! Is it alive, is it ready, and what a client must know before it trusts it.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use strongroom_api::{Readiness, TokenKey, TokenKeys, WellKnown};

use super::json;
use crate::{App, openapi};

/// The process answers.
pub async fn healthz() -> StatusCode {
    StatusCode::NO_CONTENT
}

/// The bank can take orders.
pub async fn readyz(State(app): State<Arc<App>>) -> Response {
    match app.bank.read_only() {
        None => json(StatusCode::OK, &Readiness { status: "ready".into(), detail: None }),
        why => json(StatusCode::SERVICE_UNAVAILABLE, &Readiness { status: "read_only".into(), detail: why }),
    }
}

/// What the bank is.
pub async fn well_known(State(app): State<Arc<App>>) -> Response {
    let body = WellKnown {
        bank: app.bank.config().bank.name.clone(),
        origin: app.bank.origin().to_owned(),
        currencies: vec![app.bank.currency().to_string()],
        log_key: app.bank.log_key().to_string(),
        ca: app.ca.clone(),
    };
    json(StatusCode::OK, &body)
}

/// The keys that check access tokens.
pub async fn jwks(State(app): State<Arc<App>>) -> Response {
    let key = |key: strongroom_bank::TokenKey| TokenKey {
        kty: "OKP".into(),
        crv: "Ed25519".into(),
        x: key.key.to_jwk()["x"].as_str().unwrap_or_default().to_owned(),
        kid: key.kid,
        usage: "sig".into(),
        alg: "EdDSA".into(),
    };
    json(StatusCode::OK, &TokenKeys { keys: app.bank.token_keys().into_iter().map(key).collect() })
}

/// The description of the API (OpenAPI 3.1).
pub async fn openapi() -> Response {
    json(StatusCode::OK, openapi::document())
}
