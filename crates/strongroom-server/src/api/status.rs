//! Is it alive, is it ready, and what a client must know before it trusts it.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};
use strongroom_bank::TokenKey;

use super::json;
use crate::App;

/// The process answers.
pub async fn healthz() -> StatusCode {
    StatusCode::NO_CONTENT
}

/// The bank can take orders.
pub async fn readyz(State(app): State<Arc<App>>) -> Response {
    match app.bank.read_only() {
        None => json(StatusCode::OK, &json!({"status": "ready"})),
        Some(why) => json(StatusCode::SERVICE_UNAVAILABLE, &json!({"status": "read_only", "detail": why})),
    }
}

/// What the bank is.
pub async fn well_known(State(app): State<Arc<App>>) -> Response {
    let body = json!({
        "bank": app.bank.config().bank.name,
        "origin": app.bank.origin(),
        "currencies": [app.bank.currency().to_string()],
        "log_key": app.bank.log_key().to_string(),
        "ca": app.ca,
    });
    json(StatusCode::OK, &body)
}

/// The keys that check access tokens.
pub async fn jwks(State(app): State<Arc<App>>) -> Response {
    let jwk = |key: TokenKey| {
        let mut jwk = key.key.to_jwk();
        jwk["kid"] = key.kid.into();
        jwk["use"] = "sig".into();
        jwk["alg"] = "EdDSA".into();
        jwk
    };
    let keys: Vec<Value> = app.bank.token_keys().into_iter().map(jwk).collect();
    json(StatusCode::OK, &json!({"keys": keys}))
}
