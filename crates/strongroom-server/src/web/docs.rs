//! The description of the API, for people.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use super::pages::{Call, CallGroup, DocsPage};
use super::visitor::Visitor;
use crate::App;
use crate::openapi::operations;

/// `GET /docs`
pub async fn docs(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    let visitor = Visitor::of(&headers, &app);
    let mut groups: Vec<CallGroup> = Vec::new();
    for operation in operations() {
        let statuses: Vec<String> = operation.statuses().iter().map(u16::to_string).collect();
        let call = Call {
            method: operation.method,
            path: operation.path,
            summary: operation.summary,
            is_public: operation.is_public(),
            signed: operation.purpose(),
            statuses: statuses.join(", "),
        };
        match groups.iter_mut().find(|group| group.name == operation.tag()) {
            Some(group) => group.calls.push(call),
            None => groups.push(CallGroup { name: operation.tag(), calls: vec![call] }),
        }
    }
    visitor.show(StatusCode::OK, &DocsPage { frame: visitor.frame(None), groups })
}
