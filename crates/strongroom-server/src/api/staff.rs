//! People, as staff see and handle them.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde::Deserialize;
use strongroom_api::{Invitation, List, NewInvitation, PersonItem, PersonView, Reveal};
use strongroom_bank::people::Profile;

use super::{Page, id, json, page};
use crate::App;
use crate::extract::{Json, Path, Query, SignedIn};
use crate::problem::Answer;

/// Whom to list.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    username: Option<String>,
    cursor: Option<String>,
    limit: Option<i64>,
}

/// `GET /v1/users`
pub async fn list(State(app): State<Arc<App>>, SignedIn(caller): SignedIn, Query(wanted): Query<Wanted>) -> Answer {
    let at = Page { cursor: wanted.cursor, limit: wanted.limit };
    let limit = at.limit()?;
    let people = app.bank.people(&caller, wanted.username.as_deref(), at.cursor()?, limit + 1).await?;
    let (people, next_cursor) = page(people, limit, |person| person.id.to_string());
    let items = people
        .into_iter()
        .map(|p| PersonItem {
            id: p.id.to_string(),
            status: p.status.to_owned(),
            roles: p.roles,
            created_at: super::time(p.created_us),
        })
        .collect();
    Ok(json(StatusCode::OK, &List { items, next_cursor }))
}

/// `GET /v1/users/{id}`
pub async fn show(State(app): State<Arc<App>>, SignedIn(caller): SignedIn, Path(person): Path<String>) -> Answer {
    Ok(json(StatusCode::OK, &view(app.bank.person(&caller, id(&person)?).await?)))
}

/// `POST /v1/users/{id}/reveal`
pub async fn reveal(
    State(app): State<Arc<App>>,
    SignedIn(caller): SignedIn,
    Path(person): Path<String>,
    Json(body): Json<Reveal>,
) -> Answer {
    Ok(json(StatusCode::OK, &view(app.bank.reveal(&caller, id(&person)?, &body.fields, &body.reason).await?)))
}

fn view(profile: Profile) -> PersonView {
    PersonView {
        id: profile.id.map(|id| id.to_string()).unwrap_or_default(),
        status: profile.status.to_owned(),
        roles: profile.roles,
        created_at: super::time(profile.created_us),
        username: profile.username,
        full_name: profile.full_name,
        email: profile.email,
        phone: profile.phone,
        national_id: profile.national_id,
        date_of_birth: profile.date_of_birth,
        address: profile.address,
    }
}

/// `POST /v1/users/invitations`
pub async fn invite(
    State(app): State<Arc<App>>,
    SignedIn(caller): SignedIn,
    Json(body): Json<NewInvitation>,
) -> Answer {
    let invitation = app.bank.invite(&caller, &body.role).await?;
    let body = Invitation {
        code: invitation.code,
        role: invitation.role,
        expires_at: super::time(invitation.expires_us),
        approval: invitation.approval.map(|id| id.to_string()),
    };
    Ok(json(StatusCode::CREATED, &body))
}

/// `POST /v1/users/{id}/lock`
pub async fn lock(State(app): State<Arc<App>>, SignedIn(caller): SignedIn, Path(person): Path<String>) -> Answer {
    app.bank.lock_person(&caller, id(&person)?).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// `POST /v1/users/{id}/unlock`
pub async fn unlock(State(app): State<Arc<App>>, SignedIn(caller): SignedIn, Path(person): Path<String>) -> Answer {
    app.bank.unlock_person(&caller, id(&person)?).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
