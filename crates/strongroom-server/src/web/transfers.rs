//! The transfer form, and a posting with its checks and receipt.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use strongroom_bank::receipts::TransferDetails;
use strongroom_bank::verification::Checks;
use strongroom_bank::{Error, Posted as Made, Status};
use strongroom_ledger::id::{AccountId, TransferId};
use strongroom_ledger::leaf::PostingKind;
use strongroom_ledger::order::TransferOrder;

use super::accounts::{accounts_of, view};
use super::fields::Field;
use super::pages::{AccountView, Check, Fact, Here, Notice, TransferForm, TransferPage, Trouble};
use super::visitor::{Member, Posted};
use super::words::{Moment, Sum, spaced_number};
use super::{orders, reply};
use crate::App;

/// `GET /transfers`: someone reloaded after a form.
pub async fn to_form() -> Redirect {
    Redirect::to("/transfers/new")
}

/// `GET /transfers/new`
pub async fn form(
    State(app): State<Arc<App>>,
    member: Member,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    let text = |name: &str| query.get(name).map_or("", String::as_str);
    match form_page(&app, &member, &text, Trouble::default()).await {
        Ok(page) => reply::page(StatusCode::OK, &page),
        Err(error) => reply::member_failure(&member, Here::Transfer, &error),
    }
}

/// `POST /transfers`
pub async fn place(State(app): State<Arc<App>>, member: Member, posted: Posted) -> Response {
    let error = match transfer(&app, &member, &posted).await {
        Ok(made) => return Redirect::to(&format!("/transfers/{}?done=sent", made.id)).into_response(),
        Err(error) => error,
    };
    if let Some(response) = reply::step_up(&error) {
        return response;
    }
    let (status, trouble) = reply::trouble(&error);
    match form_page(&app, &member, &|name| posted.text(name), trouble).await {
        Ok(page) => reply::page(status, &page),
        Err(error) => reply::member_failure(&member, Here::Transfer, &error),
    }
}

/// `GET /transfers/{id}`
pub async fn show(
    State(app): State<Arc<App>>,
    member: Member,
    Path(id): Path<String>,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    let done = query.get("done").map_or("", String::as_str);
    match transfer_page(&app, &member, &id, done).await {
        Ok(page) => reply::page(StatusCode::OK, &page),
        Err(error) => reply::member_failure(&member, here(&member), &error),
    }
}

/// `GET /transfers/{id}/receipt`
pub async fn receipt(State(app): State<Arc<App>>, member: Member, Path(id): Path<String>) -> Response {
    match receipt_text(&app, &member, &id).await {
        Ok((id, text)) => {
            let mut response = text.into_response();
            let headers = response.headers_mut();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
            // An id is letters and digits, so it always makes a header.
            if let Ok(name) = HeaderValue::from_str(&format!("attachment; filename=\"{id}.receipt\"")) {
                headers.insert(header::CONTENT_DISPOSITION, name);
            }
            response
        }
        Err(error) => reply::member_failure(&member, here(&member), &error),
    }
}

async fn transfer(app: &App, member: &Member, posted: &Posted) -> Result<Made, Error> {
    let order = orders::verified::<TransferOrder>(app, member, posted).await?;
    orders::made(app.bank.transfer(order).await?)
}

async fn receipt_text(app: &App, member: &Member, id: &str) -> Result<(TransferId, String), Error> {
    let id = parsed(id)?;
    Ok((id, app.bank.receipt(&member.caller, id).await?))
}

fn parsed(id: &str) -> Result<TransferId, Error> {
    id.parse().map_err(|_| Error::NotFound)
}

fn here(member: &Member) -> Here {
    if member.is_customer() { Here::Accounts } else { Here::Cash }
}

async fn form_page<'a>(
    app: &App,
    member: &Member,
    text: &impl Fn(&str) -> &'a str,
    trouble: Trouble,
) -> Result<TransferForm, Error> {
    if !member.is_customer() {
        return Err(Error::forbidden("forbidden", "Your role does not make transfers."));
    }
    let accounts = accounts_of(app, member).await?.into_iter().filter(|account| account.state.is_empty()).collect();
    Ok(TransferForm {
        frame: member.frame(Here::Transfer, None),
        signing: orders::signing(app, member),
        accounts,
        from: text("from").to_owned(),
        to: Field::account_number("to", "To")
            .hint("The account number of whoever is to be paid")
            .value(text("to"))
            .trouble(&trouble),
        amount: Field::money().value(text("amount")).trouble(&trouble),
        description: Field::text("description", "Description")
            .optional()
            .at_most(140)
            .autocomplete("off")
            .hint("Only you and the payee can read it")
            .value(text("description"))
            .trouble(&trouble),
        command: "transfer FROM TO AMOUNT",
        review_title: "Sign this transfer?",
        review_button: "Sign and send",
        trouble,
    })
}

async fn transfer_page(app: &App, member: &Member, id: &str, done: &str) -> Result<TransferPage, Error> {
    let id = parsed(id)?;
    let details = app.bank.transfer_details(&member.caller, id).await?;
    // What is only reserved has no posting to be checked.
    let checks = match app.bank.verification(&member.caller, id).await {
        Ok(checks) => Some(checks),
        Err(Error::NotFound) => None,
        Err(error) => return Err(error),
    };
    let (state, tone, explanation) = standing(&details.posted);
    let from = own_account(app, member, details.posted.from).await?;
    let to = own_account(app, member, details.posted.to).await?;
    let posted = &details.posted;
    let is_out = from.is_some() && to.is_none();
    let decimal = posted.currency.format_amount(if is_out { -posted.amount } else { posted.amount });
    let currency = posted.currency.to_string();
    let is_shown = from.is_some() || to.is_some();
    Ok(TransferPage {
        frame: member.frame(here(member), notice(done, posted.status)),
        id: id.to_string(),
        heading: heading(posted.kind),
        state,
        tone,
        explanation,
        amount: if is_shown { Sum::signed(&decimal, &currency) } else { Sum::new(&decimal, &currency) },
        facts: facts(&details, from.as_ref(), to.as_ref()),
        has_receipt: is_shown && checks.is_some(),
        checks: checks.as_ref().map(check_views).unwrap_or_default(),
        no_checks: "The money has not moved: there is no posting to be checked.",
        account: from.or(to).map(|account| account.id).unwrap_or_default(),
        log_key: app.bank.log_key().to_string(),
    })
}

/// What is said above it right after it was ordered.
fn notice(done: &str, status: Status) -> Option<Notice> {
    match (done, status) {
        ("sent", Status::Posted) => {
            Some(Notice::good("The money has moved", "The transfer is posted and stands in the log."))
        }
        ("sent", Status::PendingApproval) => {
            Some(Notice::good("The order is placed", "The money moves when somebody at the bank has approved it."))
        }
        ("deposited", Status::Posted) => {
            Some(Notice::good("The deposit is posted", "The customer’s balance shows it already."))
        }
        _ => None,
    }
}

/// Where it stands, in words.
fn standing(posted: &Made) -> (&'static str, &'static str, String) {
    let until = posted.until_us.map(|until_us| Moment::new(until_us).full).unwrap_or_default();
    let (state, tone, words) = match posted.status {
        Status::Posted => ("Posted", "good", String::new()),
        Status::Captured => ("Captured", "good", "It was reserved first, and moved when it was captured.".into()),
        Status::Held => ("Reserved", "care", format!("It is reserved until {until}, and moves when it is captured.")),
        Status::PendingApproval => {
            let words = "It is over the limit: somebody at the bank has to approve it. Until then it is reserved.";
            ("Waiting for approval", "care", words.to_owned())
        }
        Status::Released => ("Released", "care", "It is not reserved any more. Nothing moved.".into()),
        Status::Expired => ("Expired", "care", "Its time was over. Nothing moved.".into()),
        Status::Refused => ("Not approved", "bad", "Nothing moved.".into()),
        Status::Reversed => ("Taken back", "care", "It moved, and was taken back by a later posting.".into()),
    };
    (state, tone, words)
}

/// The account, when it is the member's.
async fn own_account(app: &App, member: &Member, id: AccountId) -> Result<Option<AccountView>, Error> {
    match app.bank.account(&member.caller, id).await {
        Ok(account) => Ok(Some(view(&account))),
        Err(Error::NotFound) => Ok(None),
        Err(error) => Err(error),
    }
}

fn heading(kind: i64) -> &'static str {
    match PostingKind::from_number(kind) {
        Some(PostingKind::Transfer) => "Transfer",
        Some(PostingKind::Deposit) => "Cash deposit",
        Some(PostingKind::Withdrawal) => "Cash withdrawal",
        Some(PostingKind::Fee) => "Fee",
        Some(PostingKind::Interest) => "Interest",
        Some(PostingKind::Reversal) => "Reversal",
        _ => "Posting",
    }
}

fn facts(details: &TransferDetails, from: Option<&AccountView>, to: Option<&AccountView>) -> Vec<Fact> {
    let posted = &details.posted;
    let text = |label, text: String| Fact { label, text, is_code: false };
    let code = |label, text: String| Fact { label, text, is_code: true };
    let party = |label, own: Option<&AccountView>, id: AccountId| match own {
        Some(account) => text(label, format!("{} · {}", account.name, account.number)),
        None => code(label, id.to_string()),
    };
    let is_cash = PostingKind::from_number(posted.kind) == Some(PostingKind::Deposit);
    let mut facts = vec![
        if is_cash { text("From", "Cash, at the counter".into()) } else { party("From", from, posted.from) },
        match (to, details.to_as_ordered.as_deref().filter(|ordered| ordered.parse::<AccountId>().is_err())) {
            (None, Some(number)) => text("To", spaced_number(number)),
            _ => party("To", to, posted.to),
        },
    ];
    facts.extend(details.description.clone().map(|description| text("Description", description)));
    facts.push(text("Time", Moment::new(posted.time_us).full));
    facts.push(code("Number", posted.id.to_string()));
    facts.extend(details.is_own_order.then(|| code("Order", posted.order_id.clone())));
    facts.push(text("Place in the log", posted.sequence.to_string()));
    facts
}

fn check_views(checks: &Checks) -> Vec<Check> {
    let check = |title, good: &str, outcome: &Result<(), String>| Check {
        title,
        text: outcome
            .as_ref()
            .err()
            .map_or_else(|| good.to_owned(), |_| "This does not hold. Please tell the bank.".to_owned()),
        is_valid: outcome.is_ok(),
    };
    vec![
        check("Unchanged", "The record carries the bank’s own seal.", &checks.mac),
        check("Signed", "A registered device signed exactly this order.", &checks.signature),
        check("In the log", "It stands at its place in the public log.", &checks.inclusion),
        check("Chained", "Its block links to the one before and is signed by the bank.", &checks.chain),
        check("Adds up", "Both balances follow from the entries before.", &checks.balances),
    ]
}
