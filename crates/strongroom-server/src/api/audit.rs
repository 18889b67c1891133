//! The audit log: one's own part of it, and all of it for who reads the books.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use strongroom_api::{AuditEntry, List};
use strongroom_bank::audit::Entry;

use super::{Page, json, page};
use crate::App;
use crate::extract::{Query, SignedIn};
use crate::problem::Answer;

/// `GET /v1/me/activity`
pub async fn activity(State(app): State<Arc<App>>, SignedIn(caller): SignedIn, Query(at): Query<Page>) -> Answer {
    let limit = at.limit()?;
    let entries = app.bank.activity(&caller, at.cursor()?.unwrap_or(i64::MAX), limit + 1).await?;
    let (items, next_cursor) = page(entries, limit, |entry| entry.position.to_string());
    Ok(json(StatusCode::OK, &List { items: items.into_iter().map(item).collect(), next_cursor }))
}

/// `GET /v1/audit`
pub async fn list(State(app): State<Arc<App>>, SignedIn(caller): SignedIn, Query(at): Query<Page>) -> Answer {
    let limit = at.limit()?;
    let entries = app.bank.audit_log(&caller, at.cursor()?.unwrap_or(i64::MAX), limit + 1).await?;
    let (items, next_cursor) = page(entries, limit, |entry| entry.position.to_string());
    Ok(json(StatusCode::OK, &List { items: items.into_iter().map(item).collect(), next_cursor }))
}

fn item(entry: Entry) -> AuditEntry {
    let Entry { position, time, event, person, subject, session, detail, detail_hash, hash } = entry;
    AuditEntry { position, time, event, person, subject, session, detail, detail_hash, hash }
}
