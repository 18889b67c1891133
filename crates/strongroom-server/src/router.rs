//! Every public route, in one place.

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{MethodRouter, delete, get, patch, post, put};

use crate::problem::problem;
use crate::{App, api, web};

/// A route of the API: its path, its methods, and what serves it.
type Route = (&'static str, &'static [&'static str], fn() -> MethodRouter<Arc<App>>);

/// The API's routes. Tests walk this table, so a route cannot be added without an entry in them.
pub const PUBLIC_ROUTES: &[Route] = &[
    ("/healthz", &["GET", "POST"], || get(api::status::healthz).post(api::status::healthz)),
    ("/readyz", &["GET"], || get(api::status::readyz)),
    ("/.well-known/strongroom", &["GET"], || get(api::status::well_known)),
    ("/.well-known/jwks.json", &["GET"], || get(api::status::jwks)),
    ("/openapi.json", &["GET"], || get(api::status::openapi)),
    ("/v1/users", &["GET", "POST"], || get(api::staff::list).post(api::people::sign_up)),
    ("/v1/users/invitations", &["POST"], || post(api::staff::invite)),
    ("/v1/users/{id}", &["GET"], || get(api::staff::show)),
    ("/v1/users/{id}/reveal", &["POST"], || post(api::staff::reveal)),
    ("/v1/users/{id}/roles", &["PUT"], || put(api::approvals::assign_roles)),
    ("/v1/roles", &["GET"], || get(api::approvals::roles)),
    ("/v1/roles/{name}", &["PUT", "DELETE"], || put(api::approvals::define_role).delete(api::approvals::remove_role)),
    ("/v1/services", &["POST"], || post(api::approvals::create_service)),
    ("/v1/services/{id}/keys", &["GET", "POST"], || {
        get(api::approvals::service_keys).post(api::approvals::make_service_key)
    }),
    ("/v1/services/{id}/keys/{key}", &["DELETE"], || delete(api::approvals::end_service_key)),
    ("/v1/keys/destroy", &["POST"], || post(api::approvals::destroy_key)),
    ("/v1/approvals", &["GET"], || get(api::approvals::list)),
    ("/v1/approvals/{id}", &["GET"], || get(api::approvals::show)),
    ("/v1/approvals/{id}/approve", &["POST"], || post(api::approvals::approve)),
    ("/v1/approvals/{id}/refuse", &["POST"], || post(api::approvals::refuse)),
    ("/v1/users/{id}/lock", &["POST"], || post(api::staff::lock)),
    ("/v1/users/{id}/unlock", &["POST"], || post(api::staff::unlock)),
    ("/v1/enrolments", &["POST"], || post(api::people::enrol)),
    ("/v1/me", &["GET", "PATCH"], || get(api::people::me).patch(api::people::change)),
    ("/v1/me/password", &["POST"], || post(api::recoveries::change_password)),
    ("/v1/recoveries", &["POST"], || post(api::recoveries::begin)),
    ("/v1/recoveries/send", &["POST"], || post(api::recoveries::send)),
    ("/v1/recoveries/prove", &["POST"], || post(api::recoveries::prove)),
    ("/v1/recoveries/finish", &["POST"], || post(api::recoveries::finish)),
    ("/v1/me/email/send", &["POST"], || post(api::people::send_email_proof)),
    ("/v1/me/email/confirm", &["POST"], || post(api::people::confirm_email)),
    ("/v1/me/phone/send", &["POST"], || post(api::people::send_phone_proof)),
    ("/v1/me/phone/confirm", &["POST"], || post(api::people::confirm_phone)),
    ("/v1/me/factors/sms", &["POST"], || post(api::factors::add_sms)),
    ("/v1/me/factors/email", &["POST"], || post(api::factors::add_email)),
    ("/v1/me/factors/totp", &["POST"], || post(api::factors::begin_totp)),
    ("/v1/me/factors", &["GET"], || get(api::factors::list)),
    ("/v1/me/factors/passkey", &["POST"], || post(api::factors::begin_passkey)),
    ("/v1/me/factors/recovery", &["POST"], || post(api::factors::recovery)),
    ("/v1/me/factors/{id}", &["PATCH", "DELETE"], || patch(api::factors::name).delete(api::factors::remove)),
    ("/v1/me/factors/{id}/confirm", &["POST"], || post(api::factors::confirm)),
    ("/v1/me/activity", &["GET"], || get(api::audit::activity)),
    ("/v1/audit", &["GET"], || get(api::audit::list)),
    ("/v1/me/devices", &["GET", "POST"], || get(api::devices::list).post(api::devices::add)),
    ("/v1/me/devices/{id}", &["DELETE"], || delete(api::devices::revoke)),
    ("/v1/sessions", &["GET", "POST"], || get(api::sessions::list).post(api::sessions::sign_in)),
    ("/v1/sessions/verify", &["POST"], || post(api::sessions::verify)),
    ("/v1/sessions/passkey", &["POST"], || post(api::sessions::passkey)),
    ("/v1/sessions/send", &["POST"], || post(api::sessions::send)),
    ("/v1/sessions/step-up", &["POST"], || post(api::sessions::step_up)),
    ("/v1/sessions/step-up/send", &["POST"], || post(api::sessions::send_step_up)),
    ("/v1/sessions/refresh", &["POST"], || post(api::sessions::refresh)),
    ("/v1/sessions/{id}", &["DELETE"], || delete(api::sessions::end)),
    ("/v1/accounts", &["GET", "POST"], || get(api::accounts::list).post(api::accounts::open)),
    ("/v1/accounts/{id}", &["GET", "PATCH"], || get(api::accounts::show).patch(api::accounts::change)),
    ("/v1/accounts/{id}/entries", &["GET"], || get(api::history::entries)),
    ("/v1/accounts/{id}/balance", &["GET"], || get(api::history::balance)),
    ("/v1/accounts/{id}/statement", &["GET"], || get(api::history::statement)),
    ("/v1/transfers", &["POST"], || post(api::transfers::place)),
    ("/v1/transfers/bulk", &["POST"], || post(api::transfers::bulk)),
    ("/v1/transfers/{id}", &["GET"], || get(api::transfers::show)),
    ("/v1/transfers/{id}/receipt", &["GET"], || get(api::transfers::receipt)),
    ("/v1/transfers/{id}/verification", &["GET"], || get(api::transfers::verification)),
    ("/v1/transfers/{id}/capture", &["POST"], || post(api::transfers::follow_up)),
    ("/v1/transfers/{id}/release", &["POST"], || post(api::transfers::follow_up)),
    ("/v1/transfers/{id}/reverse", &["POST"], || post(api::transfers::follow_up)),
    ("/v1/cash/deposits", &["POST"], || post(api::transfers::deposit)),
    ("/v1/cash/withdrawals", &["POST"], || post(api::transfers::withdraw)),
    ("/v1/ledger/trial-balance", &["GET"], || get(api::history::trial_balance)),
    ("/v1/ledger/blocks", &["GET"], || get(api::log::blocks)),
    ("/v1/ledger/blocks/{height}", &["GET"], || get(api::log::block)),
    ("/log/checkpoint", &["GET"], || get(api::log::checkpoint)),
    ("/log/tile/{*path}", &["GET"], || get(api::log::tile)),
    ("/log/proof/{index}", &["GET"], || get(api::log::proof)),
    ("/log/extension/{size}", &["GET"], || get(api::log::extension)),
    ("/log/witnessed", &["GET"], || get(api::log::witnessed)),
];

/// The API and the web pages.
pub fn router(app: Arc<App>) -> Router {
    let mut router = Router::new();
    for (path, _, handler) in PUBLIC_ROUTES {
        router = router.route(path, handler());
    }
    router
        .merge(web::routes())
        .fallback(async || {
            problem(StatusCode::NOT_FOUND, "not_found", "There is nothing here that you may see.", Vec::new())
        })
        .method_not_allowed_fallback(async || {
            problem(
                StatusCode::METHOD_NOT_ALLOWED,
                "method_not_allowed",
                "This path does not take that method.",
                Vec::new(),
            )
        })
        .layer(middleware::from_fn(stamp))
        .with_state(app)
}

/// Every answer has an id that the log knows, and says that browsers shall come back by HTTPS only.
async fn stamp(request: Request, next: Next) -> Response {
    let id: String = strongroom_crypto::random::bytes::<8>().iter().map(|b| format!("{b:02x}")).collect();
    let method = request.method().clone();
    let path = request.extensions().get::<axum::extract::MatchedPath>().map(|p| p.as_str().to_owned());
    let mut response = next.run(request).await;
    tracing::debug!(request_id = id, %method, path = path.unwrap_or_default(), status = response.status().as_u16(), "answered");
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(&id) {
        headers.insert("x-request-id", value);
    }
    headers.insert("strict-transport-security", HeaderValue::from_static("max-age=63072000"));
    headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    headers.entry("cache-control").or_insert(HeaderValue::from_static("no-store"));
    response
}
