//! Every route of the API for every role: expected and observed. The routes are the router's own list, so
//! that a new one without a line here fails. The table is also docs/routes.md.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use strongroom_client::{Client, Content, Method};
use strongroom_server::PUBLIC_ROUTES;

use crate::approvals::{approve, asked};
use crate::bank::{Engine, TestBank, block_on};
use crate::customer::{Customer, now_s};

/// Who asks. Objects in a path are the owner's; the person of `/v1/users/{id}` is a third customer.
const WHO: [&str; 7] = ["nobody", "owner", "other customer", "teller", "manager", "admin", "auditor"];

/// Method and path, and what each of them gets.
const EXPECTED: &[(&str, [u16; 7])] = &[
    ("GET /healthz", [204, 204, 204, 204, 204, 204, 204]),
    ("POST /healthz", [204, 204, 204, 204, 204, 204, 204]),
    ("GET /readyz", [200, 200, 200, 200, 200, 200, 200]),
    ("GET /.well-known/strongroom", [200, 200, 200, 200, 200, 200, 200]),
    ("GET /.well-known/jwks.json", [200, 200, 200, 200, 200, 200, 200]),
    ("GET /openapi.json", [200, 200, 200, 200, 200, 200, 200]),
    ("GET /v1/users", [401, 403, 403, 200, 200, 200, 200]),
    ("POST /v1/users", [400, 400, 400, 400, 400, 400, 400]),
    ("POST /v1/users/invitations", [401, 403, 403, 403, 403, 201, 403]),
    ("GET /v1/users/{id}", [401, 403, 403, 200, 200, 403, 200]),
    ("POST /v1/users/{id}/reveal", [401, 403, 403, 403, 200, 403, 403]),
    ("PUT /v1/users/{id}/roles", [401, 403, 403, 403, 403, 202, 403]),
    ("GET /v1/roles", [401, 403, 403, 200, 200, 200, 200]),
    ("PUT /v1/roles/{name}", [401, 403, 403, 403, 403, 202, 403]),
    ("DELETE /v1/roles/{name}", [401, 403, 403, 403, 403, 409, 403]),
    ("POST /v1/services", [401, 403, 403, 403, 403, 202, 403]),
    ("GET /v1/services/{id}/keys", [401, 403, 403, 403, 403, 200, 200]),
    ("POST /v1/services/{id}/keys", [401, 403, 403, 403, 403, 202, 403]),
    ("DELETE /v1/services/{id}/keys/{key}", [401, 403, 403, 403, 403, 204, 403]),
    ("POST /v1/keys/destroy", [401, 403, 403, 403, 403, 202, 403]),
    ("GET /v1/approvals", [401, 403, 403, 403, 200, 200, 200]),
    ("GET /v1/approvals/{id}", [401, 403, 403, 403, 200, 200, 200]),
    ("POST /v1/approvals/{id}/approve", [401, 400, 400, 400, 400, 400, 400]),
    ("POST /v1/approvals/{id}/refuse", [401, 403, 403, 403, 200, 409, 403]),
    ("POST /v1/users/{id}/lock", [401, 403, 403, 403, 204, 409, 403]),
    ("POST /v1/users/{id}/unlock", [401, 403, 403, 403, 204, 409, 403]),
    ("POST /v1/enrolments", [400, 400, 400, 400, 400, 400, 400]),
    ("GET /v1/me", [401, 200, 200, 200, 200, 200, 200]),
    ("PATCH /v1/me", [401, 200, 200, 200, 200, 200, 200]),
    ("POST /v1/me/password", [401, 400, 400, 400, 400, 400, 400]),
    ("POST /v1/recoveries", [400, 400, 400, 400, 400, 400, 400]),
    ("POST /v1/recoveries/send", [400, 400, 400, 400, 400, 400, 400]),
    ("POST /v1/recoveries/prove", [400, 400, 400, 400, 400, 400, 400]),
    ("POST /v1/recoveries/finish", [400, 400, 400, 400, 400, 400, 400]),
    ("POST /v1/me/email/send", [401, 202, 202, 202, 202, 202, 202]),
    ("POST /v1/me/email/confirm", [401, 422, 422, 422, 422, 422, 422]),
    ("POST /v1/me/phone/send", [401, 422, 422, 202, 202, 202, 202]),
    ("POST /v1/me/phone/confirm", [401, 422, 422, 422, 422, 422, 422]),
    ("POST /v1/me/factors/sms", [401, 409, 409, 409, 409, 409, 409]),
    ("POST /v1/me/factors/email", [401, 409, 409, 409, 409, 409, 409]),
    ("POST /v1/me/factors/totp", [401, 201, 201, 201, 201, 201, 201]),
    ("GET /v1/me/factors", [401, 200, 200, 200, 200, 200, 200]),
    ("POST /v1/me/factors/passkey", [401, 201, 201, 201, 201, 201, 201]),
    ("POST /v1/me/factors/recovery", [401, 201, 201, 201, 201, 201, 201]),
    ("PATCH /v1/me/factors/{id}", [401, 204, 404, 404, 404, 404, 404]),
    ("POST /v1/me/factors/{id}/confirm", [401, 404, 404, 404, 404, 404, 404]),
    ("GET /v1/me/activity", [401, 200, 200, 200, 200, 200, 200]),
    ("GET /v1/audit", [401, 403, 403, 403, 403, 403, 200]),
    ("GET /v1/me/devices", [401, 200, 200, 200, 200, 200, 200]),
    ("POST /v1/me/devices", [401, 400, 400, 400, 400, 400, 400]),
    ("GET /v1/sessions", [401, 200, 200, 200, 200, 200, 200]),
    ("POST /v1/sessions", [400, 400, 400, 400, 400, 400, 400]),
    ("POST /v1/sessions/verify", [400, 400, 400, 400, 400, 400, 400]),
    ("POST /v1/sessions/passkey", [201, 201, 201, 201, 201, 201, 201]),
    ("POST /v1/sessions/send", [400, 400, 400, 400, 400, 400, 400]),
    ("POST /v1/sessions/step-up", [401, 401, 401, 401, 401, 401, 401]),
    ("POST /v1/sessions/step-up/send", [401, 422, 422, 422, 422, 422, 422]),
    ("POST /v1/sessions/refresh", [400, 400, 400, 400, 400, 400, 400]),
    ("GET /v1/accounts", [401, 200, 200, 200, 200, 200, 200]),
    ("POST /v1/accounts", [401, 201, 201, 403, 403, 403, 403]),
    ("GET /v1/accounts/{id}", [401, 200, 404, 404, 404, 404, 200]),
    ("GET /v1/accounts/{id}/entries", [401, 200, 404, 404, 404, 404, 200]),
    ("PATCH /v1/accounts/{id}", [401, 403, 404, 404, 200, 404, 404]),
    ("GET /v1/accounts/{id}/balance", [401, 200, 404, 404, 404, 404, 200]),
    ("GET /v1/accounts/{id}/statement", [401, 200, 404, 404, 404, 404, 200]),
    ("POST /v1/transfers/{id}/capture", [401, 400, 400, 400, 400, 400, 400]),
    ("POST /v1/transfers/{id}/release", [401, 400, 400, 400, 400, 400, 400]),
    ("POST /v1/transfers/{id}/reverse", [401, 400, 400, 400, 400, 400, 400]),
    ("POST /v1/cash/withdrawals", [401, 403, 403, 403, 403, 403, 403]),
    ("GET /v1/ledger/trial-balance", [401, 403, 403, 403, 403, 403, 200]),
    ("POST /v1/transfers/bulk", [401, 400, 400, 400, 400, 400, 400]),
    ("POST /v1/transfers", [401, 400, 400, 400, 400, 400, 400]),
    ("GET /v1/transfers/{id}", [401, 200, 404, 200, 404, 404, 200]),
    ("GET /v1/transfers/{id}/receipt", [401, 200, 404, 404, 404, 404, 404]),
    ("GET /v1/transfers/{id}/verification", [401, 200, 404, 200, 404, 404, 200]),
    ("POST /v1/cash/deposits", [401, 400, 400, 400, 400, 400, 400]),
    ("GET /v1/ledger/blocks", [401, 200, 200, 200, 200, 200, 200]),
    ("GET /v1/ledger/blocks/{height}", [401, 200, 200, 200, 200, 200, 200]),
    ("GET /log/checkpoint", [200, 200, 200, 200, 200, 200, 200]),
    ("GET /log/tile/{*path}", [404, 404, 404, 404, 404, 404, 404]),
    ("GET /log/proof/{index}", [200, 200, 200, 200, 200, 200, 200]),
    ("GET /log/extension/{size}", [200, 200, 200, 200, 200, 200, 200]),
    ("GET /log/witnessed", [404, 404, 404, 404, 404, 404, 404]),
    ("DELETE /v1/me/factors/{id}", [401, 409, 404, 404, 404, 404, 404]),
    ("DELETE /v1/me/devices/{id}", [401, 204, 404, 404, 404, 404, 404]),
    ("DELETE /v1/sessions/{id}", [401, 204, 404, 404, 404, 404, 404]),
];

struct Scene {
    bank: TestBank,
    clients: Vec<Client>,
    ids: BTreeMap<&'static str, String>,
}

impl Scene {
    async fn set(bank: TestBank) -> Self {
        let (owner, other) = (Customer::sign_up(&bank, "owner").await, Customer::sign_up(&bank, "other").await);
        let third = Customer::sign_up(&bank, "third").await;
        let teller = Customer::sign_in(&bank, "teller").await;
        let account = owner.open_account().await;
        let posted = teller.deposit(&account.id, "5.00").await;
        let codes = owner.client.make_recovery_codes().await.expect("she has just given a factor");
        // A second session, to be ended.
        let step = bank.client().sign_in("owner", &owner.password).await.expect("the password is right");
        let strongroom_api::SignInStep::FactorRequired { challenge, .. } = step else { panic!("{step:?}") };
        let second = bank.client().verify(&challenge, "recovery", &codes.codes[0]).await.expect("the code is right");
        let factor = owner.client.factors().await.expect("one's factors").items.remove(0);
        let (manager, admin) = (Customer::sign_in(&bank, "manager").await, Customer::sign_in(&bank, "admin").await);
        let body = json!({"staff": true, "permissions": ["books.read"]});
        let role = asked(&admin, Method::PUT, "/v1/roles/reporter", Some(body)).await;
        assert_eq!(approve(&manager, &role).await.status, 200);
        let body = json!({"name": "report", "roles": ["reporter"]});
        let service = asked(&admin, Method::POST, "/v1/services", Some(body)).await;
        assert_eq!(approve(&manager, &service).await.status, 200);
        let service = admin.client.find_person("report").await.expect("found by name").expect("there is one").id;
        let path = format!("/v1/services/{service}/keys");
        let key = asked(&admin, Method::POST, &path, Some(json!({"days": 1}))).await;
        let request =
            manager.client.approval(key["approval"].as_str().expect("text")).await.expect("a manager may look");
        manager.client.approve(&manager.signer(), &request, now_s()).await.expect("a manager may");
        let roles = format!("/v1/users/{}/roles", third.id);
        let request = asked(&admin, Method::PUT, &roles, Some(json!({"roles": ["customer"]}))).await;
        let ids = BTreeMap::from([
            ("/v1/services/", service),
            ("/v1/approvals/", request["id"].as_str().expect("text").to_owned()),
            ("key", key["id"].as_str().expect("text").to_owned()),
            ("/v1/accounts/", account.id),
            ("/v1/transfers/", posted.id),
            ("/v1/me/devices/", owner.device.clone()),
            ("/v1/me/factors/", factor.id),
            ("/v1/sessions/", second.session_id),
            ("/v1/users/", third.id),
        ]);
        let mut clients = vec![bank.client(), owner.client, other.client, teller.client];
        clients.extend([manager.client, admin.client, Customer::sign_in(&bank, "auditor").await.client]);
        Scene { bank, clients, ids }
    }

    fn path(&self, route: &str) -> String {
        let id = self.ids.iter().find(|(start, _)| route.starts_with(*start)).map_or("", |(_, id)| id);
        let key = self.ids.get("key").map_or("", String::as_str);
        route
            .replace("{id}", id)
            .replace("{key}", key)
            .replace("{name}", "reporter")
            .replace("{height}", "1")
            .replace("{index}", "1")
            .replace("{size}", "1")
            .replace("{*path}", "0/000")
    }

    async fn ask(&self, who: usize, method: &str, route: &str) -> u16 {
        let body = match (method, route) {
            ("GET" | "DELETE", _) => None,
            (_, "/v1/sessions/step-up/send") => Some(json!({"factor": "totp"})),
            (_, "/v1/sessions/step-up") => Some(json!({"factor": "totp", "code": "000000"})),
            (_, "/v1/users/invitations") => Some(json!({"role": "teller"})),
            (_, "/v1/me/factors/{id}/confirm") => Some(json!({"code": "000000"})),
            (_, "/v1/me/factors/{id}") => Some(json!({"name": "Mine"})),
            (_, "/v1/accounts") => Some(json!({"currency": "USD", "name": "Mine"})),
            (_, "/v1/me/email/confirm" | "/v1/me/phone/confirm") => Some(json!({"code": "00000000"})),
            ("PUT", "/v1/users/{id}/roles") => Some(json!({"roles": ["customer"]})),
            ("PUT", "/v1/roles/{name}") => Some(json!({"staff": true, "permissions": []})),
            (_, "/v1/users/{id}/reveal") => Some(json!({"fields": ["phone"], "reason": "to see who may"})),
            (_, "/v1/services") => Some(json!({"name": "robot", "roles": ["reporter"]})),
            (_, "/v1/services/{id}/keys") => Some(json!({"days": 1})),
            (_, "/v1/keys/destroy") => Some(json!({"purpose": "token", "version": 1})),
            _ => Some(json!({})),
        };
        let content = body.map(|body: Value| Content::json(&body).expect("it is JSON"));
        let method: Method = method.parse().expect("it is a method");
        self.clients[who].send(method, &self.path(route), content).await.expect("the bank answers").status
    }
}

#[test]
fn checklist_16_every_route_for_every_role() {
    let observed = block_on(async {
        let scene = Scene::set(TestBank::open(Engine::Sqlite)).await;
        let mut observed = Vec::new();
        // What ends or removes something of the owner's comes last, and the owner after everyone else.
        let mut calls: Vec<(&str, &str)> = Vec::new();
        for (route, methods, _) in PUBLIC_ROUTES {
            calls.extend(methods.iter().map(|method| (*method, *route)));
        }
        calls.sort_by_key(|(method, _)| *method == "DELETE");
        for (method, route) in calls {
            let mut statuses = [0; 7];
            for who in [0, 2, 3, 4, 5, 6, 1] {
                statuses[who] = scene.ask(who, method, route).await;
            }
            observed.push((format!("{method} {route}"), statuses));
        }
        drop(scene.bank);
        observed
    });
    let expected: BTreeMap<&str, &[u16; 7]> = EXPECTED.iter().map(|(call, statuses)| (*call, statuses)).collect();
    let wrong: Vec<String> = observed
        .iter()
        .filter(|(call, statuses)| expected.get(call.as_str()) != Some(&statuses))
        .map(|(call, statuses)| format!("(\"{call}\", {statuses:?}), // expected {:?}", expected.get(call.as_str())))
        .collect();
    assert!(wrong.is_empty(), "{WHO:?}\n{}", wrong.join("\n"));
    assert_eq!(expected.len(), observed.len(), "a line without a route");
    let mut table = String::from(HEAD);
    table.push_str(&format!("| call | {} |\n|---|{}\n", WHO.join(" | "), "---|".repeat(WHO.len())));
    for (call, statuses) in EXPECTED {
        let cells: Vec<String> = statuses.iter().map(u16::to_string).collect();
        table.push_str(&format!("| `{call}` | {} |\n", cells.join(" | ")));
    }
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/routes.md");
    if std::env::var_os("STRONGROOM_WRITE_DOCS").is_some() {
        std::fs::write(file, &table).expect("it can be written");
    }
    let written = std::fs::read_to_string(file).unwrap_or_default();
    assert!(written == table, "docs/routes.md is old: run this test with STRONGROOM_WRITE_DOCS=1");
}

const HEAD: &str = "# Routes and roles

What each call of the API answers to whom. Ids in a path are those of the owner's objects; the person of `/v1/users/{id}` is another
customer. Bodies are well-formed where that is short, otherwise `{}`: so 400 says that the call was heard and the body is not one. An order
is parsed before its signature and the role are looked at; tests `refusals` and `tamper` have those. The test `routes::checklist_16_every_route_for_every_role` asks all of them; it takes the
routes from the router, and fails for one that has no line.

";
