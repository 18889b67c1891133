//! Roles, service accounts and what else a second person has to approve.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde::Deserialize;
use strongroom_api::{
    Approval, KeyDestruction, List, NewRoles, NewService, NewServiceKey, RoleDefinition, RoleItem, ServiceKey,
    ServiceKeyItem,
};
use strongroom_bank::Error;
use strongroom_bank::approvals::{ApprovalView, Request};
use strongroom_ledger::order::ApprovalOrder;

use super::{Page, id, json, page};
use crate::App;
use crate::extract::{Json, Path, Query, Signed, SignedIn};
use crate::problem::Answer;

/// `GET /v1/roles`
pub async fn roles(State(app): State<Arc<App>>, SignedIn(caller): SignedIn) -> Answer {
    let roles = app.bank.roles(&caller).await?.into_iter().map(|role| RoleItem {
        permissions: role.permissions.iter().map(|permission| permission.name().to_owned()).collect(),
        name: role.name,
        staff: role.is_staff,
    });
    Ok(json(StatusCode::OK, &List { items: roles.collect(), next_cursor: None }))
}

/// `PUT /v1/roles/{name}`: asks for it.
pub async fn define_role(
    State(app): State<Arc<App>>,
    SignedIn(caller): SignedIn,
    Path(role): Path<String>,
    Json(body): Json<RoleDefinition>,
) -> Answer {
    let request = Request::DefineRole { role, staff: body.staff, permissions: body.permissions };
    Ok(accepted(app.bank.request(&caller, request).await?))
}

/// `DELETE /v1/roles/{name}`: asks for it.
pub async fn remove_role(State(app): State<Arc<App>>, SignedIn(caller): SignedIn, Path(role): Path<String>) -> Answer {
    Ok(accepted(app.bank.request(&caller, Request::RemoveRole { role }).await?))
}

/// `PUT /v1/users/{id}/roles`: asks for it.
pub async fn assign_roles(
    State(app): State<Arc<App>>,
    SignedIn(caller): SignedIn,
    Path(person): Path<String>,
    Json(body): Json<NewRoles>,
) -> Answer {
    let request = Request::AssignRoles { user: id(&person)?, roles: body.roles };
    Ok(accepted(app.bank.request(&caller, request).await?))
}

/// `POST /v1/services`: asks for it.
pub async fn create_service(
    State(app): State<Arc<App>>,
    SignedIn(caller): SignedIn,
    Json(body): Json<NewService>,
) -> Answer {
    let request = Request::CreateService { name: body.name, roles: body.roles };
    Ok(accepted(app.bank.request(&caller, request).await?))
}

/// `GET /v1/services/{id}/keys`
pub async fn service_keys(
    State(app): State<Arc<App>>,
    SignedIn(caller): SignedIn,
    Path(service): Path<String>,
) -> Answer {
    let keys = app.bank.service_keys(&caller, id(&service)?).await?.into_iter().map(|key| ServiceKeyItem {
        id: key.id.to_string(),
        created_at: super::time(key.created_us),
        expires_at: super::time(key.expires_us),
    });
    Ok(json(StatusCode::OK, &List { items: keys.collect(), next_cursor: None }))
}

/// `POST /v1/services/{id}/keys`: asks for it; the key is shown at once.
pub async fn make_service_key(
    State(app): State<Arc<App>>,
    SignedIn(caller): SignedIn,
    Path(service): Path<String>,
    Json(body): Json<NewServiceKey>,
) -> Answer {
    let key = app.bank.ask_for_service_key(&caller, id(&service)?, body.days).await?;
    let body = ServiceKey {
        id: key.id.to_string(),
        api_key: key.secret,
        expires_at: super::time(key.expires_us),
        approval: key.approval.to_string(),
    };
    Ok(json(StatusCode::ACCEPTED, &body))
}

/// `DELETE /v1/services/{id}/keys/{key}`
pub async fn end_service_key(
    State(app): State<Arc<App>>,
    SignedIn(caller): SignedIn,
    Path((service, key)): Path<(String, String)>,
) -> Answer {
    app.bank.end_service_key(&caller, id(&service)?, id(&key)?).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// `POST /v1/keys/destroy`: asks for it.
pub async fn destroy_key(
    State(app): State<Arc<App>>,
    SignedIn(caller): SignedIn,
    Json(body): Json<KeyDestruction>,
) -> Answer {
    let malformed = |_| Error::field("user", "malformed", "This is not a person's id.");
    let user = body.user.map(|user| user.parse().map_err(malformed)).transpose()?;
    let request = Request::DestroyKey { purpose: body.purpose, user, version: body.version };
    Ok(accepted(app.bank.request(&caller, request).await?))
}

/// Which requests to list.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    status: Option<String>,
    cursor: Option<String>,
    limit: Option<i64>,
}

/// `GET /v1/approvals`
pub async fn list(State(app): State<Arc<App>>, SignedIn(caller): SignedIn, Query(wanted): Query<Wanted>) -> Answer {
    let pending = match wanted.status.as_deref() {
        None | Some("all") => false,
        Some("pending") => true,
        Some(_) => return Err(Error::Malformed("The status is pending or all.".into()).into()),
    };
    let at = Page { cursor: wanted.cursor, limit: wanted.limit };
    let limit = at.limit()?;
    let approvals = app.bank.approvals(&caller, pending, at.cursor()?, limit + 1).await?;
    let (approvals, next_cursor) = page(approvals, limit, |approval| approval.id.to_string());
    Ok(json(StatusCode::OK, &List { items: approvals.into_iter().map(item).collect(), next_cursor }))
}

/// `GET /v1/approvals/{id}`
pub async fn show(State(app): State<Arc<App>>, SignedIn(caller): SignedIn, Path(approval): Path<String>) -> Answer {
    Ok(json(StatusCode::OK, &item(app.bank.approval(&caller, id(&approval)?).await?)))
}

/// `POST /v1/approvals/{id}/approve`, signed.
pub async fn approve(
    State(app): State<Arc<App>>,
    SignedIn(caller): SignedIn,
    Path(approval): Path<String>,
    Signed { body, signature }: Signed,
) -> Answer {
    let verified = app.bank.verify_order::<ApprovalOrder>(&caller, signature.as_deref(), &body).await?;
    Ok(json(StatusCode::OK, &item(app.bank.approve(id(&approval)?, verified).await?)))
}

/// `POST /v1/approvals/{id}/refuse`
pub async fn refuse(State(app): State<Arc<App>>, SignedIn(caller): SignedIn, Path(approval): Path<String>) -> Answer {
    Ok(json(StatusCode::OK, &item(app.bank.refuse(&caller, id(&approval)?).await?)))
}

fn accepted(approval: ApprovalView) -> axum::response::Response {
    json(StatusCode::ACCEPTED, &item(approval))
}

fn item(approval: ApprovalView) -> Approval {
    Approval {
        id: approval.id.to_string(),
        status: approval.status.to_owned(),
        request: serde_json::from_str(&approval.request).unwrap_or_default(),
        digest: approval.digest,
        requested_by: approval.requested_by.to_string(),
        created_at: super::time(approval.created_us),
        expires_at: super::time(approval.expires_us),
        decided_by: approval.decided_by.map(|id| id.to_string()),
        decided_at: approval.decided_us.map(super::time),
    }
}
