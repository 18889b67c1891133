//! The web bank: pages rendered here, plain forms, and a few modules of script for keys that sign.
//!
//! The pages ask the bank by the same calls as the API. A form is answered with a redirect when it
//! worked, and with itself and the reasons when it did not.

mod accounts;
mod assets;
mod cash;
mod contact;
mod devices;
mod docs;
mod enrol;
mod fields;
mod guard;
mod orders;
mod pages;
mod qr;
mod recover;
mod reply;
mod security;
mod sign_in;
mod sign_up;
mod step_up;
mod transfers;
mod visitor;
mod words;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn;
use axum::routing::{any, get, post};

use crate::App;
use crate::extract::BODY_BYTES_MAX;

/// Every page and every form.
pub fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/", get(sign_in::landing))
        .route("/sign-in", get(sign_in::to_landing).post(sign_in::password))
        .route("/sign-in/code", get(sign_in::code_page).post(sign_in::code))
        .route("/sign-in/send", get(sign_in::to_landing).post(sign_in::send))
        .route("/recover", get(recover::page).post(recover::begin))
        .route("/recover/send", post(recover::send))
        .route("/recover/prove", post(recover::prove))
        .route("/recover/finish", post(recover::finish))
        .route("/recover/stop", post(recover::stop))
        .route("/contact", get(contact::page))
        .route("/contact/{kind}/send", post(contact::send))
        .route("/contact/{kind}/confirm", post(contact::confirm))
        .route("/contact/{kind}/factor", post(contact::add_factor))
        .route("/security/password", post(security::password))
        .route("/sign-in/passkey", post(sign_in::passkey))
        .route("/step-up", get(step_up::page).post(step_up::code))
        .route("/step-up/send", post(step_up::send))
        .route("/step-up/ask", post(step_up::ask))
        .route("/step-up/passkey", post(step_up::passkey))
        .route("/security", get(security::page))
        .route("/security/recovery", post(security::recovery))
        .route("/security/factors/{id}/remove", post(security::remove))
        .route("/security/passkeys", post(security::begin_passkey))
        .route("/security/passkeys/{id}", post(security::add_passkey))
        .route("/sign-out", post(sign_in::sign_out))
        .route("/session", get(sign_in::still_here))
        .route("/sign-up", get(sign_up::page).post(sign_up::submit))
        .route("/sign-up/strength", post(sign_up::strength))
        .route("/join", get(sign_up::join_page).post(sign_up::join))
        .route("/enrol", get(enrol::page).post(enrol::confirm))
        .route("/accounts", get(accounts::list).post(accounts::open))
        .route("/accounts/{id}", get(accounts::show))
        .route("/transfers", get(transfers::to_form).post(transfers::place))
        .route("/transfers/new", get(transfers::form))
        .route("/transfers/{id}", get(transfers::show))
        .route("/transfers/{id}/receipt", get(transfers::receipt))
        .route("/docs", get(docs::docs))
        .route("/cash", get(cash::form).post(cash::deposit))
        .route("/devices", get(devices::list).post(devices::add))
        .route("/devices/{id}/revoke", post(devices::revoke))
        .route("/assets/{hash}/{name}", get(assets::serve))
        // Any other path: a page for browsers, a problem document for programs.
        .route("/{*path}", any(reply::not_found))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(from_fn(guard::protect))
}
