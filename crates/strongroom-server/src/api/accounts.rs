//! Accounts: opening, listing, showing, and their entries.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use strongroom_api::{Account, AccountChange, Amount, List, NewAccount};
use strongroom_bank::Error;
use strongroom_bank::account::AccountDetails;
use strongroom_ledger::action;
use strongroom_ledger::decide::AccountStatus;
use strongroom_ledger::money::Currency;
use strongroom_ledger::refusal::Refusal;

use super::{Page, amount, id, json, page};
use crate::App;
use crate::extract::{Json, Path, Query, SignedIn};
use crate::problem::Answer;

/// `POST /v1/accounts`
pub async fn open(State(app): State<Arc<App>>, SignedIn(caller): SignedIn, Json(body): Json<NewAccount>) -> Answer {
    let account = app.bank.open_account(&caller, &body.currency, &body.name).await?;
    Ok(json(StatusCode::CREATED, &account_body(account)))
}

/// Whose accounts to list: one's own, or another person's for who reads the books.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    owner: Option<String>,
    cursor: Option<String>,
    limit: Option<i64>,
}

/// `GET /v1/accounts`
pub async fn list(State(app): State<Arc<App>>, SignedIn(caller): SignedIn, Query(wanted): Query<Wanted>) -> Answer {
    let malformed = |_| Error::Malformed("The owner is not a person's id.".into());
    let owner = wanted.owner.map(|owner| owner.parse().map_err(malformed)).transpose()?;
    let at = Page { cursor: wanted.cursor, limit: wanted.limit };
    let limit = at.limit()?;
    let accounts = app.bank.accounts(&caller, owner, at.cursor()?, limit + 1).await?;
    let (items, next_cursor) = page(accounts, limit, |a| a.id.to_string());
    let items = items.into_iter().map(account_body).collect();
    Ok(json(StatusCode::OK, &List { items, next_cursor }))
}

/// `GET /v1/accounts/{id}`
pub async fn show(State(app): State<Arc<App>>, SignedIn(caller): SignedIn, Path(account): Path<String>) -> Answer {
    Ok(json(StatusCode::OK, &account_body(app.bank.account(&caller, id(&account)?).await?)))
}

/// `PATCH /v1/accounts/{id}`
pub async fn change(
    State(app): State<Arc<App>>,
    SignedIn(caller): SignedIn,
    Path(account): Path<String>,
    Json(body): Json<AccountChange>,
) -> Answer {
    let unknown = || Error::field("status", "unknown_status", "Give one of open, frozen, closed.");
    let status = body.status.map(|name| AccountStatus::from_name(&name).ok_or_else(unknown)).transpose()?;
    let minor = |amount: Amount| {
        let currency: Currency = amount.currency.parse().map_err(|_| Error::Refused(Refusal::CurrencyMismatch))?;
        if currency != app.bank.currency() {
            return Err(Error::Refused(Refusal::CurrencyMismatch));
        }
        match currency.parse_amount(&amount.amount) {
            // None at all is a limit, too.
            Err(Refusal::AmountNotPositive) if !amount.amount.starts_with('-') => Ok(0),
            parsed => parsed.map_err(Error::Refused),
        }
    };
    let change = action::AccountChange {
        status,
        overdraft: body.overdraft.map(minor).transpose()?,
        order_limit: body.order_limit.map(|limit| limit.map(minor).transpose()).transpose()?,
    };
    Ok(json(StatusCode::OK, &account_body(app.bank.change_account(&caller, id(&account)?, change).await?)))
}

fn account_body(account: AccountDetails) -> Account {
    Account {
        id: account.id.to_string(),
        name: account.name,
        number: account.number,
        number_scheme: account.number_scheme.to_owned(),
        currency: account.currency.to_string(),
        status: account.status.to_owned(),
        balance: amount(account.balance, account.currency),
        held: amount(account.held, account.currency),
        available: amount(account.available, account.currency),
        created_at: super::time(account.created_us),
    }
}
