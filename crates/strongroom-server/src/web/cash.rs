//! The teller's desk: a cash deposit, signed by the teller's own key.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use strongroom_bank::{Error, Posted as Made};
use strongroom_ledger::order::CashOrder;

use super::fields::Field;
use super::pages::{CashPage, Here, Trouble};
use super::visitor::{Member, Posted};
use super::{orders, reply};
use crate::App;

/// `GET /cash`
pub async fn form(State(app): State<Arc<App>>, member: Member) -> Response {
    if !member.is_teller() {
        return reply::member_failure(&member, Here::Cash, &Error::forbidden("forbidden", "Only tellers take cash."));
    }
    reply::page(StatusCode::OK, &form_page(&app, &member, &|_| "", Trouble::default()))
}

/// `POST /cash`
pub async fn deposit(State(app): State<Arc<App>>, member: Member, posted: Posted) -> Response {
    match place(&app, &member, &posted).await {
        Ok(made) => Redirect::to(&format!("/transfers/{}?done=deposited", made.id)).into_response(),
        Err(error) => {
            let (status, mut trouble) = reply::trouble(&error);
            // Here the account of the order is the customer's.
            trouble.fields.iter_mut().filter(|(name, _)| name == "to").for_each(|(name, _)| *name = "account".into());
            reply::page(status, &form_page(&app, &member, &|name| posted.text(name), trouble))
        }
    }
}

async fn place(app: &App, member: &Member, posted: &Posted) -> Result<Made, Error> {
    let order = orders::verified::<CashOrder>(app, member, posted).await?;
    orders::made(app.bank.deposit(order).await?)
}

fn form_page<'a>(app: &App, member: &Member, text: &impl Fn(&str) -> &'a str, trouble: Trouble) -> CashPage {
    let currency = app.bank.currency().to_string();
    CashPage {
        frame: member.frame(Here::Cash, None),
        signing: orders::signing(app, member),
        account: Field::account_number("account", "Customer’s account number").value(text("account")).trouble(&trouble),
        amount: Field::money().value(text("amount")).trouble(&trouble),
        reference: Field::text("reference", "Reference")
            .optional()
            .at_most(140)
            .autocomplete("off")
            .hint("The customer can read it")
            .value(text("reference"))
            .trouble(&trouble),
        currencies: vec![currency.clone()],
        currency,
        command: "cash deposit ACCOUNT AMOUNT",
        review_title: "Sign this deposit?",
        review_button: "Sign and post",
        trouble,
    }
}
