//! Device keys: registering, listing, revoking.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use strongroom_api::{CreatedDevice, DeviceItem, List, NewDevice};
use strongroom_bank::Error;
use strongroom_crypto::sign::PublicKey;

use super::{id, json};
use crate::App;
use crate::extract::{Json, Path, SignedIn};
use crate::problem::Answer;

/// `POST /v1/me/devices`
pub async fn add(State(app): State<Arc<App>>, SignedIn(caller): SignedIn, Json(body): Json<NewDevice>) -> Answer {
    let key = PublicKey::from_jwk(&body.public_key).map_err(|_| {
        Error::field("public_key", "malformed", "Give a public key as a JWK: OKP with Ed25519, or EC with P-256.")
    })?;
    let device = app.bank.add_device(&caller, &body.name, &key).await?;
    Ok(json(StatusCode::CREATED, &CreatedDevice { id: device.to_string(), name: body.name }))
}

/// `GET /v1/me/devices`
pub async fn list(State(app): State<Arc<App>>, SignedIn(caller): SignedIn) -> Answer {
    let devices = app.bank.devices(&caller).await?;
    let items = devices
        .into_iter()
        .map(|d| DeviceItem {
            id: d.id.to_string(),
            name: d.name,
            public_key: d.public_key.to_jwk(),
            created_at: super::time(d.created_us),
            revoked_at: d.revoked_us.map(super::time),
            log_index: d.leaf as u64,
        })
        .collect();
    Ok(json(StatusCode::OK, &List { items, next_cursor: None }))
}

/// `DELETE /v1/me/devices/{id}`
pub async fn revoke(State(app): State<Arc<App>>, SignedIn(caller): SignedIn, Path(device): Path<String>) -> Answer {
    app.bank.revoke_device(&caller, id(&device)?).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
