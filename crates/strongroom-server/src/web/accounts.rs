//! The welcome page with a person's accounts, opening one, and one account with its entries.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use strongroom_bank::Error;
use strongroom_bank::account::{AccountDetails, EntryDetails, Wanted};
use strongroom_identity::role::Permission;

use super::fields::Field;
use super::pages::{AccountPage, AccountView, AccountsPage, EntryView, Here, Notice, Trouble};
use super::reply;
use super::visitor::{Member, Posted};
use super::words::{Moment, Sum, spaced_number};
use crate::App;

/// So many entries stand on a page.
const ENTRIES: i64 = 25;
/// More accounts than anyone has.
const ACCOUNTS_MAX: i64 = 200;

/// `GET /accounts`
pub async fn list(State(app): State<Arc<App>>, member: Member) -> Response {
    match accounts_page(&app, &member, Trouble::default(), "").await {
        Ok(page) => reply::page(StatusCode::OK, &page),
        Err(error) => reply::member_failure(&member, Here::Accounts, &error),
    }
}

/// `POST /accounts`
pub async fn open(State(app): State<Arc<App>>, member: Member, posted: Posted) -> Response {
    let error = match app.bank.open_account(&member.caller, posted.text("currency"), posted.text("name")).await {
        Ok(account) => return Redirect::to(&format!("/accounts/{}?done=opened", account.id)).into_response(),
        Err(error) => error,
    };
    let (status, trouble) = reply::trouble(&error);
    match accounts_page(&app, &member, trouble, posted.text("name")).await {
        Ok(page) => reply::page(status, &page),
        Err(error) => reply::member_failure(&member, Here::Accounts, &error),
    }
}

/// `GET /accounts/{id}`
pub async fn show(
    State(app): State<Arc<App>>,
    member: Member,
    Path(id): Path<String>,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    match account_page(&app, &member, &id, &query).await {
        Ok(page) => reply::page(StatusCode::OK, &page),
        Err(error) => reply::member_failure(&member, Here::Accounts, &error),
    }
}

/// A person's accounts, oldest first.
pub async fn accounts_of(app: &App, member: &Member) -> Result<Vec<AccountView>, Error> {
    Ok(app.bank.accounts(&member.caller, None, None, ACCOUNTS_MAX).await?.iter().map(view).collect())
}

/// An account as its owner reads it.
pub fn view(account: &AccountDetails) -> AccountView {
    let sum = |minor| Sum::new(&account.currency.format_amount(minor), &account.currency.to_string());
    let (state, tone) = match account.status {
        "open" => ("", ""),
        "frozen" => ("Frozen", "care"),
        _ => ("Closed", ""),
    };
    AccountView {
        id: account.id.to_string(),
        name: account.name.clone(),
        number: spaced_number(&account.number),
        state,
        tone,
        balance: sum(account.balance),
        available: sum(account.available),
    }
}

async fn accounts_page(app: &App, member: &Member, trouble: Trouble, name: &str) -> Result<AccountsPage, Error> {
    let accounts = accounts_of(app, member).await?;
    let can_sign = app.bank.devices(&member.caller).await?.iter().any(|device| device.revoked_us.is_none());
    let can_transfer = member.is_customer() && !accounts.is_empty();
    let name = if accounts.is_empty() && name.is_empty() { "Everyday" } else { name };
    Ok(AccountsPage {
        frame: member.frame(Here::Accounts, None),
        greeting: if accounts.is_empty() {
            format!("Welcome, {}", member.called())
        } else {
            format!("Good to see you, {}", member.called())
        },
        summary: match accounts.len() {
            0 => "Your bank is open. All it lacks is an account.".into(),
            1 => "You have one account.".into(),
            n => format!("You have {n} accounts."),
        },
        can_open: member.permissions.allows(Permission::AccountsOpen),
        needs_key: can_transfer && !can_sign,
        can_transfer,
        name: Field::text("name", "Name").at_most(64).value(name).trouble(&trouble),
        currencies: vec![app.bank.currency().to_string()],
        accounts,
        trouble,
    })
}

async fn account_page(
    app: &App,
    member: &Member,
    id: &str,
    query: &HashMap<String, String>,
) -> Result<AccountPage, Error> {
    let id = id.parse().map_err(|_| Error::NotFound)?;
    let below = query.get("cursor").map(|cursor| cursor.parse::<i64>().map_err(|_| Error::NotFound)).transpose()?;
    let account = app.bank.account(&member.caller, id).await?;
    let mut entries = app.bank.entries(&member.caller, id, Wanted::default(), below, ENTRIES + 1).await?;
    let has_more = entries.len() as i64 > ENTRIES;
    entries.truncate(ENTRIES as usize);
    let next_cursor = entries.last().filter(|_| has_more).map(|entry| entry.sequence.to_string());
    let opened = || Notice::good("The account is open", "Its number is below: whoever has it can pay you.");
    Ok(AccountPage {
        frame: member.frame(Here::Accounts, (query.get("done").map(String::as_str) == Some("opened")).then(opened)),
        entries: entries.iter().map(|entry| entry_view(&account, entry)).collect(),
        is_first_page: below.is_none(),
        next_cursor: next_cursor.unwrap_or_default(),
        can_transfer: member.is_customer() && account.status == "open" && account.available > 0,
        account: view(&account),
    })
}

fn entry_view(account: &AccountDetails, entry: &EntryDetails) -> EntryView {
    let currency = account.currency.to_string();
    let is_debit = entry.amount < 0;
    let unnamed = if is_debit { "Money out" } else { "Money in" };
    EntryView {
        transfer: entry.transfer.to_string(),
        time: Moment::new(entry.time_us),
        description: entry.description.clone().unwrap_or_else(|| unnamed.into()),
        amount: Sum::signed(&account.currency.format_amount(entry.amount), &currency),
        is_debit,
        balance_after: Sum::new(&account.currency.format_amount(entry.balance_after), &currency),
    }
}
