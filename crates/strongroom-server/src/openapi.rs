//! The description of the API, OpenAPI 3.1, made of one table of operations and the types that the handlers
//! take and give. A test holds the table against the router.

mod operations;

use std::collections::BTreeMap;
use std::sync::OnceLock;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value, json};
use strongroom_api::Problem;

/// One call of the API.
pub struct Operation {
    /// `GET`, `POST` …
    pub method: &'static str,
    /// As the router has it.
    pub path: &'static str,
    /// What it is for.
    pub summary: &'static str,
    caller: Caller,
    signed: Option<&'static str>,
    query: Vec<(&'static str, &'static str, Value)>,
    headers: Vec<(&'static str, &'static str)>,
    body: Option<Type>,
    answers: Vec<(u16, Content)>,
    refusals: Vec<u16>,
}

/// Who may call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Caller {
    Anyone,
    SignedIn,
}

type Type = fn(&mut SchemaGenerator) -> Schema;

enum Content {
    None,
    Json(Type),
    Text,
    Csv,
    Bytes,
}

impl Operation {
    fn new(method: &'static str, path: &'static str, summary: &'static str) -> Self {
        Operation {
            method,
            path,
            summary,
            caller: Caller::SignedIn,
            signed: None,
            query: Vec::new(),
            headers: Vec::new(),
            body: None,
            answers: Vec::new(),
            refusals: Vec::new(),
        }
    }

    fn for_anyone(mut self) -> Self {
        self.caller = Caller::Anyone;
        self
    }

    fn body<T: JsonSchema>(mut self) -> Self {
        self.body = Some(|generator| generator.subschema_for::<T>());
        self
    }

    /// The body is signed for this purpose.
    fn signed(mut self, purpose: &'static str) -> Self {
        self.signed = Some(purpose);
        self
    }

    fn asks(mut self, name: &'static str, words: &'static str, schema: Value) -> Self {
        self.query.push((name, words, schema));
        self
    }

    /// A header that may be given.
    fn takes_header(mut self, name: &'static str, words: &'static str) -> Self {
        self.headers.push((name, words));
        self
    }

    fn paged(self) -> Self {
        self.asks("cursor", "Where the list goes on: `next_cursor` of the page before.", json!({"type": "string"}))
            .asks(
                "limit",
                "How many items at most.",
                json!({"type": "integer", "minimum": 1, "maximum": 200, "default": 50}),
            )
    }

    fn gives<T: JsonSchema>(mut self, status: u16) -> Self {
        self.answers.push((status, Content::Json(|generator| generator.subschema_for::<T>())));
        self
    }

    fn gives_nothing(mut self, status: u16) -> Self {
        self.answers.push((status, Content::None));
        self
    }

    fn gives_content(mut self, content: Content) -> Self {
        self.answers.push((200, content));
        self
    }

    fn refuses(mut self, statuses: &[u16]) -> Self {
        self.refusals.extend_from_slice(statuses);
        self
    }

    /// Every status with which it may refuse: those of its own, and those of its kind.
    fn all_refusals(&self) -> Vec<u16> {
        let mut all = self.refusals.clone();
        let takes_body = self.body.is_some();
        let kinds: [(bool, &[u16]); 4] = [
            (takes_body, &[400, 413, 415, 422]),
            (self.caller == Caller::SignedIn, &[401, 403]),
            (!self.query.is_empty(), &[400]),
            (self.path.contains('{'), &[404]),
        ];
        all.extend(kinds.iter().filter(|(is_so, _)| *is_so).flat_map(|(_, statuses)| *statuses));
        // The queue is full, or the bank only reads.
        all.push(503);
        all.sort_unstable();
        all.dedup();
        all.retain(|status| !self.answers.iter().any(|(given, _)| given == status));
        all
    }

    fn describe(&self, generator: &mut SchemaGenerator) -> Value {
        let mut responses = Map::new();
        for (status, content) in &self.answers {
            let content = match content {
                Content::None => json!({}),
                Content::Json(of) => json!({"application/json": {"schema": of(generator)}}),
                Content::Csv => json!({"text/csv": {"schema": {"type": "string"}}}),
                Content::Text => json!({"text/plain": {"schema": {"type": "string"}}}),
                Content::Bytes => {
                    json!({"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}})
                }
            };
            let mut response = json!({"description": words_of(*status)});
            if content.as_object().is_some_and(|content| !content.is_empty()) {
                response["content"] = content;
            }
            responses.insert(status.to_string(), response);
        }
        for status in self.all_refusals() {
            responses.insert(status.to_string(), json!({"$ref": format!("#/components/responses/{status}")}));
        }
        let mut operation = json!({
            "operationId": self.id(),
            "summary": self.summary,
            "tags": [self.tag()],
            "parameters": self.parameters(),
            "responses": responses,
        });
        if self.caller == Caller::SignedIn {
            operation["security"] = json!([{"token": []}]);
        }
        if let Some(of) = self.body {
            operation["requestBody"] =
                json!({"required": true, "content": {"application/json": {"schema": of(generator)}}});
        }
        operation
    }

    fn parameters(&self) -> Vec<Value> {
        let in_path = self.path.split('{').skip(1).filter_map(|part| part.split('}').next());
        let mut parameters: Vec<Value> = in_path
            .map(|name| {
                let name = name.trim_start_matches('*');
                json!({"name": name, "in": "path", "required": true, "schema": {"type": "string", "minLength": 1}})
            })
            .collect();
        parameters.extend(
            self.query.iter().map(
                |(name, words, schema)| json!({"name": name, "in": "query", "description": words, "schema": schema}),
            ),
        );
        parameters.extend(self.headers.iter().map(
            |(name, words)| json!({"name": name, "in": "header", "description": words, "schema": {"type": "string"}}),
        ));
        if let Some(purpose) = self.signed {
            let words = format!(
                "Detached JWS of the exact body by a device of the caller (RFC 7797), with `typ` `{purpose}` and the bank's origin as `aud`."
            );
            parameters.push(json!({"name": "x-jws-signature", "in": "header", "required": true, "description": words, "schema": {"type": "string"}}));
        }
        parameters
    }

    /// A name for programs: `post_v1_users`.
    fn id(&self) -> String {
        let path = self.path.trim_start_matches('/').replace(['/', '-', '.'], "_").replace(['{', '}', '*'], "");
        format!("{}_{path}", self.method.to_lowercase())
    }

    /// Whether anyone may call it.
    pub fn is_public(&self) -> bool {
        self.caller == Caller::Anyone
    }

    /// The purpose for which its body is signed.
    pub fn purpose(&self) -> Option<&'static str> {
        self.signed
    }

    /// Every status that it answers with.
    pub fn statuses(&self) -> Vec<u16> {
        self.answers.iter().map(|(status, _)| *status).chain(self.all_refusals()).collect()
    }

    /// What it is about.
    pub fn tag(&self) -> &'static str {
        let mut parts = self.path.trim_start_matches('/').split('/');
        match (parts.next(), parts.next()) {
            (Some("v1"), Some("me")) => "Oneself",
            (Some("v1"), Some("sessions" | "recoveries" | "enrolments")) => "Signing in",
            (Some("v1"), Some("accounts" | "transfers" | "cash")) => "Money",
            (Some("v1"), Some("ledger")) | (Some("log"), _) => "The log",
            (Some("v1"), _) => "Administration",
            _ => "The bank",
        }
    }
}

/// All operations, in the order of the router.
pub fn operations() -> Vec<Operation> {
    operations::all()
}

/// The document.
pub fn document() -> &'static Value {
    static DOCUMENT: OnceLock<Value> = OnceLock::new();
    DOCUMENT.get_or_init(make)
}

fn make() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut generator = SchemaGenerator::new(settings);
    let mut paths: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
    let mut refusals = Map::new();
    let problem = generator.subschema_for::<Problem>();
    for operation in operations() {
        let described = operation.describe(&mut generator);
        let path = operation.path.replace("{*", "{");
        paths.entry(path).or_default().insert(operation.method.to_lowercase(), described);
        for status in operation.all_refusals() {
            refusals.insert(status.to_string(), refusal(status, &problem));
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Strongroom",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "A bank: accounts, transfers signed by the customer's own device, receipts that anyone can verify.",
        },
        "paths": paths,
        "components": {
            "schemas": generator.definitions(),
            "responses": refusals,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "An access token, or the key of a service account."},
            },
        },
    })
}

fn refusal(status: u16, problem: &Schema) -> Value {
    let mut response =
        json!({"description": words_of(status), "content": {"application/problem+json": {"schema": problem}}});
    if status == 429 || status == 503 {
        let words = "Seconds after which to try again.";
        response["headers"] = json!({"Retry-After": {"description": words, "schema": {"type": "integer"}}});
    }
    response
}

fn words_of(status: u16) -> &'static str {
    match status {
        200 => "Done",
        201 => "Made",
        202 => "Accepted",
        204 => "Done; nothing to say",
        400 => "Unparsable, or an unknown or repeated field",
        401 => "Bad credentials or token",
        403 => "Not allowed, a fresh factor is needed, or the signature does not hold",
        404 => "Not there, or someone else's",
        409 => "It contradicts what is there",
        413 => "The body is too large",
        415 => "The body is not JSON",
        422 => "Understood, and refused",
        429 => "Too often",
        _ => "The bank is busy, or only reads",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::PUBLIC_ROUTES;

    #[test]
    fn every_route_is_described_and_nothing_else() {
        let described: BTreeSet<_> = operations().iter().map(|o| (o.path, o.method)).collect();
        let routed: BTreeSet<_> = PUBLIC_ROUTES
            .iter()
            .flat_map(|(path, methods, _)| methods.iter().map(move |method| (*path, *method)))
            .collect();
        assert_eq!(described, routed);
        assert_eq!(operations().len(), described.len(), "once each");
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let text = document().to_string();
        for reference in text.split("\"$ref\":\"#").skip(1).filter_map(|rest| rest.split('"').next()) {
            assert!(document().pointer(reference).is_some(), "{reference}");
        }
        assert!(document()["components"]["schemas"]["NewUser"]["additionalProperties"] == json!(false));
    }
}
