//! Who asks for a page, and with which form: taken from cookies and body before a handler runs.

use std::collections::HashMap;
use std::sync::Arc;

use askama::Template;
use axum::Form;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use strongroom_bank::people::Profile;
use strongroom_bank::{Caller, Error};
use strongroom_crypto::random;
use strongroom_identity::role::{Permission, Permissions};
use strongroom_identity::session as rules;
use strongroom_ledger::id::PersonId;

use super::assets;
use super::guard;
use super::pages::{Frame, Here, Notice, Who};
use super::reply;
use super::words::first_name;
use crate::App;

/// A cookie of ours. The prefix makes browsers keep it to this host, HTTPS and no script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cookie {
    /// Someone who is signed in.
    Session,
    /// Between password and code, or before the first factor.
    Step,
    /// Someone who gets back in after a loss, over days.
    Recovery,
    /// Anyone: ties forms to the browser they were shown in.
    Visitor,
}

impl Cookie {
    fn name(self) -> &'static str {
        match self {
            Cookie::Session => "__Host-session",
            Cookie::Step => "__Host-step",
            Cookie::Recovery => "__Host-recovery",
            Cookie::Visitor => "__Host-visitor",
        }
    }

    /// Its value in a request.
    pub fn of(self, headers: &HeaderMap) -> Option<&str> {
        let pairs = headers
            .get_all(header::COOKIE)
            .into_iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|line| line.split(';'));
        pairs
            .filter_map(|pair| pair.trim().split_once('='))
            .find(|(name, _)| *name == self.name())
            .map(|(_, value)| value)
    }

    /// Sets it on an answer.
    pub fn set(self, response: &mut Response, value: &str) {
        let age = match self {
            Cookie::Step => "; Max-Age=600",
            Cookie::Recovery => "; Max-Age=345600",
            Cookie::Session | Cookie::Visitor => "",
        };
        self.append(response, &format!("{}={value}; Path=/; Secure; HttpOnly; SameSite=Strict{age}", self.name()));
    }

    /// Takes it away.
    pub fn clear(self, response: &mut Response) {
        self.append(response, &format!("{}=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0", self.name()));
    }

    fn append(self, response: &mut Response, text: &str) {
        // Our values are hex and dots, so they always make a header.
        if let Ok(value) = HeaderValue::from_str(text) {
            response.headers_mut().append(header::SET_COOKIE, value);
        }
    }
}

/// Anyone who looks at a page that needs no sign-in.
pub struct Visitor {
    bank: String,
    cookie: String,
    is_new: bool,
}

impl FromRequestParts<Arc<App>> for Visitor {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Self::Rejection> {
        Ok(Visitor::of(&parts.headers, app))
    }
}

impl Visitor {
    /// The visitor behind a request's headers.
    pub fn of(headers: &HeaderMap, app: &App) -> Self {
        let known = Cookie::Visitor.of(headers).filter(|value| value.len() == 32);
        let fresh = || random::bytes::<16>().iter().map(|byte| format!("{byte:02x}")).collect();
        Visitor {
            bank: app.bank.config().bank.name.clone(),
            cookie: known.map_or_else(fresh, str::to_owned),
            is_new: known.is_none(),
        }
    }

    /// What stands around the page.
    pub fn frame(&self, notice: Option<Notice>) -> Frame {
        Frame {
            bank: self.bank.clone(),
            assets: assets::base(),
            csrf: guard::form_token(&self.cookie),
            who: None,
            here: Here::default(),
            notice,
        }
    }

    /// The page; a new visitor gets their cookie with it.
    pub fn show(&self, status: StatusCode, page: &impl Template) -> Response {
        let mut response = reply::page(status, page);
        if self.is_new {
            Cookie::Visitor.set(&mut response, &self.cookie);
        }
        response
    }
}

/// Someone who is signed in.
pub struct Member {
    /// For the bank.
    pub caller: Caller,
    /// What they may do.
    pub permissions: Permissions,
    /// Their own data.
    pub profile: Profile,
    bank: String,
    cookie: String,
}

impl FromRequestParts<Arc<App>> for Member {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Response> {
        match Member::of(&parts.headers, app).await {
            Ok(member) => Ok(member),
            Err(Error::Unauthenticated) => {
                let reason = if Cookie::Session.of(&parts.headers).is_some() { "expired" } else { "none" };
                let mut response = Redirect::to(&format!("/?out={reason}")).into_response();
                Cookie::Session.clear(&mut response);
                Err(response)
            }
            Err(error) => Err(reply::failure(&Visitor::of(&parts.headers, app), &error)),
        }
    }
}

impl Member {
    /// The member behind a request's headers.
    pub async fn of(headers: &HeaderMap, app: &App) -> Result<Self, Error> {
        let cookie = Cookie::Session.of(headers).ok_or(Error::Unauthenticated)?;
        let caller = app.bank.authenticate_cookie(cookie).await?;
        let profile = app.bank.me(&caller).await?;
        Ok(Member {
            permissions: profile.permissions.clone(),
            caller,
            profile,
            bank: app.bank.config().bank.name.clone(),
            cookie: cookie.to_owned(),
        })
    }

    /// May they have accounts and pay from them?
    pub fn is_customer(&self) -> bool {
        self.permissions.allows(Permission::TransfersCreate)
    }

    /// May they take cash?
    pub fn is_teller(&self) -> bool {
        self.permissions.allows(Permission::CashDeposit)
    }

    /// Where they begin.
    pub fn start(&self) -> &'static str {
        match (self.is_customer(), self.is_teller()) {
            (true, _) => "/accounts",
            (false, true) => "/cash",
            (false, false) => "/devices",
        }
    }

    /// Their first name, or their user name when they gave none.
    pub fn called(&self) -> &str {
        self.profile.full_name.as_deref().map_or(&self.profile.username, first_name)
    }

    /// Their id, as text.
    pub fn id(&self) -> String {
        PersonId(self.caller.person).to_string()
    }

    /// What stands around the page.
    pub fn frame(&self, here: Here, notice: Option<Notice>) -> Frame {
        let name = self.profile.full_name.clone().unwrap_or_else(|| self.profile.username.clone());
        let idle_s = rules::IDLE_S[usize::from(self.permissions.is_staff())];
        Frame {
            bank: self.bank.clone(),
            assets: assets::base(),
            csrf: guard::form_token(&self.cookie),
            who: Some(Who { name, is_customer: self.is_customer(), is_teller: self.is_teller(), idle_s }),
            here,
            notice,
        }
    }
}

/// The fields of a form that a page of ours showed to this very browser.
pub struct Posted(HashMap<String, String>);

impl FromRequest<Arc<App>> for Posted {
    type Rejection = Response;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Response> {
        let headers = request.headers().clone();
        let refused = |title: &str, text: &str| reply::refused(&Visitor::of(&headers, app), title, text);
        if !guard::is_from_our_page(&headers) {
            return Err(refused(
                "This did not come from our page",
                "Another site, or a program, tried to send this form in your name. Nothing was done.",
            ));
        }
        let Ok(Form(fields)) = Form::<HashMap<String, String>>::from_request(request, app).await else {
            return Err(refused(
                "This form could not be read",
                "It was too large or not a form of ours. Nothing was done.",
            ));
        };
        let token = fields.get("csrf").map_or("", String::as_str);
        let mut cookies = [Cookie::Session, Cookie::Visitor].into_iter().filter_map(|cookie| cookie.of(&headers));
        if !cookies.any(|cookie| guard::is_form_token(token, cookie)) {
            return Err(refused(
                "This form is out of date",
                "You signed in or out since it was shown, or your browser keeps no cookies of ours. Nothing was done; open the page again.",
            ));
        }
        Ok(Posted(fields))
    }
}

impl Posted {
    /// A field's text; empty when it is missing.
    pub fn text(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    /// A field's text without surrounding space; none when nothing is left.
    pub fn optional(&self, name: &str) -> Option<String> {
        let text = self.text(name).trim();
        (!text.is_empty()).then(|| text.to_owned())
    }
}
