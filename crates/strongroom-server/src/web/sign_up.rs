//! Signing up, and accepting an invitation: the same form, field by field.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use strongroom_bank::Error;
use strongroom_bank::audit::Source;
use strongroom_bank::people::SignUp;
use strongroom_identity::credential::{self, Strength};

use super::fields::Field;
use super::pages::{SignUpPage, Trouble};
use super::reply;
use super::sign_in::next_step;
use super::visitor::{Posted, Visitor};
use crate::App;
use crate::extract::From;

/// `GET /sign-up`
pub async fn page(visitor: Visitor) -> Response {
    visitor.show(StatusCode::OK, &sign_up_page(&visitor, None, Trouble::default()))
}

/// `POST /sign-up`
pub async fn submit(State(app): State<Arc<App>>, visitor: Visitor, From(source): From, posted: Posted) -> Response {
    let made = app.bank.sign_up(form(&posted), &source).await;
    match go_on(&app, &posted, &source, made.map(|_| ())).await {
        Ok(response) => response,
        Err(error) => again(&visitor, sign_up_page, &posted, &error),
    }
}

/// `POST /sign-up/strength`: how well a password would stand, asked while it is typed. Nothing is kept.
pub async fn strength(posted: Posted) -> Response {
    let own = [posted.text("username"), posted.text("email"), posted.text("full_name")];
    // Beyond this nothing changes, and the estimate takes its time.
    let typed: String = posted.text("password").chars().take(100).collect();
    let Strength { score, words } = credential::strength(&typed, &own);
    let body = serde_json::json!({"score": score, "words": words});
    ([(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

/// `GET /join`
pub async fn join_page(visitor: Visitor) -> Response {
    visitor.show(StatusCode::OK, &joining_page(&visitor, None, Trouble::default()))
}

/// `POST /join`
pub async fn join(State(app): State<Arc<App>>, visitor: Visitor, From(source): From, posted: Posted) -> Response {
    let made = app.bank.enrol(posted.text("code").trim(), form(&posted), &source).await;
    match go_on(&app, &posted, &source, made.map(|_| ())).await {
        Ok(response) => response,
        Err(error) => again(&visitor, joining_page, &posted, &error),
    }
}

/// Whoever has just chosen a password goes straight on to their authenticator.
async fn go_on(app: &App, posted: &Posted, source: &Source, made: Result<(), Error>) -> Result<Response, Error> {
    made?;
    let step = app.bank.sign_in(posted.text("username").trim(), posted.text("password"), source).await?;
    Ok(next_step(&step))
}

fn form(posted: &Posted) -> SignUp {
    SignUp {
        username: posted.text("username").trim().to_owned(),
        password: posted.text("password").to_owned(),
        full_name: posted.optional("full_name"),
        email: posted.optional("email"),
        phone: posted.optional("phone"),
        national_id: posted.optional("national_id"),
        date_of_birth: posted.optional("date_of_birth"),
        address: posted.optional("address"),
    }
}

type Page = fn(&Visitor, Option<&Posted>, Trouble) -> SignUpPage;

fn again(visitor: &Visitor, page: Page, posted: &Posted, error: &Error) -> Response {
    let (status, mut trouble) = reply::trouble(error);
    if let Error::Forbidden { code: "enrolment_refused", detail } = error {
        trouble = Trouble {
            title: "Some fields need attention".into(),
            text: String::new(),
            fields: vec![("code".into(), detail.clone())],
        };
    }
    visitor.show(status, &page(visitor, Some(posted), trouble))
}

fn sign_up_page(visitor: &Visitor, posted: Option<&Posted>, trouble: Trouble) -> SignUpPage {
    SignUpPage {
        heading: "Open your bank",
        lead: "A user name and a password now, your authenticator in the next step.",
        action: "/sign-up",
        ..blank(visitor, posted, trouble)
    }
}

fn joining_page(visitor: &Visitor, posted: Option<&Posted>, trouble: Trouble) -> SignUpPage {
    let code = Field::text("code", "Invitation code").plain().autocomplete("off").at_most(128);
    let code = filled(code, "code", posted, &trouble);
    let mut page = SignUpPage {
        heading: "Accept an invitation",
        lead: "For staff and administrators. The code says what you will do here.",
        action: "/join",
        ..blank(visitor, posted, trouble)
    };
    page.entry.insert(0, code);
    page
}

fn blank(visitor: &Visitor, posted: Option<&Posted>, trouble: Trouble) -> SignUpPage {
    let make = |name, label| filled(Field::text(name, label), name, posted, &trouble);
    let password =
        Field::text("password", "Password").kind("password").autocomplete("new-password").plain().at_most(1024);
    let entry = vec![
        make("username", "User name")
            .autocomplete("username")
            .plain()
            .at_most(64)
            .hint("3 to 32 letters, digits, dots, dashes or underscores"),
        password.hint("At least 8 characters. A few unrelated words make a good one.").trouble(&trouble),
    ];
    let contact = vec![
        make("email", "E-mail").kind("email").autocomplete("email").plain().optional(),
        make("phone", "Phone")
            .kind("tel")
            .autocomplete("tel")
            .optional()
            .hint("With the country code, such as +52 55 1234 5678"),
    ];
    let details = vec![
        make("full_name", "Full name").autocomplete("name").optional(),
        make("date_of_birth", "Date of birth").kind("date").autocomplete("bday").optional(),
        make("national_id", "National id").autocomplete("off").plain().optional(),
        make("address", "Address").autocomplete("street-address").optional(),
    ];
    let given = ["full_name", "date_of_birth", "national_id", "address"];
    let is_more_open =
        given.iter().any(|name| posted.is_some_and(|p| p.optional(name).is_some()) || !trouble.of(name).is_empty());
    SignUpPage {
        frame: visitor.frame(None),
        heading: "",
        lead: "",
        action: "",
        entry,
        contact,
        details,
        is_more_open,
        trouble,
    }
}

/// What was typed stays, except passwords.
fn filled(field: Field, name: &str, posted: Option<&Posted>, trouble: &Trouble) -> Field {
    field.value(posted.map_or("", |posted| posted.text(name))).trouble(trouble)
}
