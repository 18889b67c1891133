//! Signing keys: this browser's own, and the person's others.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use strongroom_bank::Error;
use strongroom_bank::device::DeviceView as Device;
use strongroom_crypto::sign::PublicKey;

use super::fields::Field;
use super::pages::{DeviceView, DevicesPage, Here, Notice, Trouble};
use super::reply;
use super::visitor::{Member, Posted};
use super::words::Moment;
use crate::App;

/// `GET /devices`
pub async fn list(
    State(app): State<Arc<App>>,
    member: Member,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    let notice = query.get("done").and_then(|done| match done.as_str() {
        "added" => Some(Notice::good("The key is registered", "It can sign from now on, and the log says since when.")),
        "revoked" => Some(Notice::good("The key is revoked", "Nothing it signs is accepted any more.")),
        _ => None,
    });
    answer(&app, &member, StatusCode::OK, notice, Trouble::default(), "").await
}

/// `POST /devices`
pub async fn add(State(app): State<Arc<App>>, member: Member, posted: Posted) -> Response {
    match register(&app, &member, &posted).await {
        Ok(()) => Redirect::to("/devices?done=added").into_response(),
        Err(error) => {
            let (status, trouble) = reply::trouble(&error);
            answer(&app, &member, status, None, trouble, posted.text("name")).await
        }
    }
}

/// `POST /devices/{id}/revoke`
pub async fn revoke(State(app): State<Arc<App>>, member: Member, Path(id): Path<String>, _posted: Posted) -> Response {
    let Ok(id) = id.parse() else { return reply::member_failure(&member, Here::Devices, &Error::NotFound) };
    match app.bank.revoke_device(&member.caller, id).await {
        Ok(()) => Redirect::to("/devices?done=revoked").into_response(),
        Err(error) => reply::member_failure(&member, Here::Devices, &error),
    }
}

async fn register(app: &App, member: &Member, posted: &Posted) -> Result<(), Error> {
    if posted.text("public_key").is_empty() {
        let detail = "The key is made by a script of the page: allow scripts for this site, then try again.";
        return Err(Error::forbidden("key_missing", detail));
    }
    let malformed =
        || Error::forbidden("key_malformed", "The browser sent a key that the bank cannot use. Try another browser.");
    let jwk = serde_json::from_str(posted.text("public_key")).map_err(|_| malformed())?;
    let key = PublicKey::from_jwk(&jwk).map_err(|_| malformed())?;
    app.bank.add_device(&member.caller, posted.text("name"), &key).await.map(|_| ())
}

async fn answer(
    app: &App,
    member: &Member,
    status: StatusCode,
    notice: Option<Notice>,
    trouble: Trouble,
    name: &str,
) -> Response {
    let devices = match app.bank.devices(&member.caller).await {
        Ok(devices) => devices,
        Err(error) => return reply::member_failure(member, Here::Devices, &error),
    };
    let page = DevicesPage {
        frame: member.frame(Here::Devices, notice),
        devices: devices.iter().map(view).collect(),
        name: Field::text("name", "Name for this browser")
            .at_most(64)
            .autocomplete("off")
            .value(name)
            .trouble(&trouble),
        user: member.id(),
        trouble,
    };
    reply::page(status, &page)
}

fn view(device: &Device) -> DeviceView {
    let jwk = device.public_key.to_jwk();
    DeviceView {
        id: device.id.to_string(),
        name: device.name.clone(),
        key: jwk["x"].as_str().unwrap_or_default().to_owned(),
        algorithm: if jwk["crv"] == "Ed25519" { "Ed25519" } else { "P-256" },
        since: Moment::new(device.created_us),
        is_active: device.revoked_us.is_none(),
    }
}
