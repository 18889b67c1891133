//! What an account held and what moved on it; statements; the trial balance.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use serde::Deserialize;
use strongroom_api::{BalanceAt, Entry, List, TrialBalanceItem};
use strongroom_bank::Error;
use strongroom_bank::account::{EntryDetails, Statement, Wanted};
use strongroom_ledger::leaf::PostingKind;
use strongroom_ledger::money::Currency;
use strongroom_ledger::note::Checkpoint;

use super::{Page, amount, id, json, page};
use crate::App;
use crate::extract::{Path, Query, SignedIn};
use crate::problem::Answer;

/// Which lines are wanted, and where the list goes on.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WantedLines {
    from: Option<String>,
    to: Option<String>,
    least: Option<String>,
    most: Option<String>,
    counterparty: Option<String>,
    cursor: Option<String>,
    limit: Option<i64>,
}

/// `GET /v1/accounts/{id}/entries`
pub async fn entries(
    State(app): State<Arc<App>>,
    SignedIn(caller): SignedIn,
    Path(account): Path<String>,
    Query(wanted): Query<WantedLines>,
) -> Answer {
    let at = Page { cursor: wanted.cursor.clone(), limit: wanted.limit };
    let limit = at.limit()?;
    let currency = app.bank.currency();
    let wanted = Wanted {
        from_us: moment("from", wanted.from.as_deref())?,
        until_us: moment("to", wanted.to.as_deref())?,
        least: minor(currency, "least", wanted.least.as_deref())?,
        most: minor(currency, "most", wanted.most.as_deref())?,
        counterparty: wanted.counterparty.as_deref().map(account_id).transpose()?,
    };
    let entries = app.bank.entries(&caller, id(&account)?, wanted, at.cursor()?, limit + 1).await?;
    let (items, next_cursor) = page(entries, limit, |e| e.sequence.to_string());
    let items = items.into_iter().map(|line| entry(line, currency)).collect();
    Ok(json(StatusCode::OK, &List::<Entry> { items, next_cursor }))
}

/// A moment: now, where it is left out.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct At {
    at: Option<String>,
}

/// `GET /v1/accounts/{id}/balance`
pub async fn balance(
    State(app): State<Arc<App>>,
    SignedIn(caller): SignedIn,
    Path(account): Path<String>,
    Query(wanted): Query<At>,
) -> Answer {
    let time_us = moment("at", wanted.at.as_deref())?.unwrap_or_else(strongroom_bank::clock::now_us);
    let held = app.bank.balance_at(&caller, id(&account)?, time_us).await?;
    let body = BalanceAt { balance: amount(held.balance, held.currency), at: super::time(held.time_us) };
    Ok(json(StatusCode::OK, &body))
}

/// From when until when, and how it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Period {
    from: Option<String>,
    to: Option<String>,
    format: Option<String>,
}

/// `GET /v1/accounts/{id}/statement`
pub async fn statement(
    State(app): State<Arc<App>>,
    SignedIn(caller): SignedIn,
    Path(account): Path<String>,
    Query(period): Query<Period>,
) -> Answer {
    if !matches!(period.format.as_deref(), None | Some("csv")) {
        return Err(Error::Malformed("The format must be csv.".into()).into());
    }
    let until_us = moment("to", period.to.as_deref())?.unwrap_or_else(strongroom_bank::clock::now_us);
    let from_us = moment("from", period.from.as_deref())?.unwrap_or(0);
    let statement = app.bank.statement(&caller, id(&account)?, from_us, until_us).await?;
    let name = format!("attachment; filename=\"statement-{}.csv\"", statement.account.id);
    let headers = [(header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()), (header::CONTENT_DISPOSITION, name)];
    Ok((headers, csv(&statement)).into_response())
}

/// `GET /v1/ledger/trial-balance`
pub async fn trial_balance(State(app): State<Arc<App>>, SignedIn(caller): SignedIn) -> Answer {
    let totals = app.bank.trial_balance(&caller).await?;
    let items = totals
        .into_iter()
        .map(|total| TrialBalanceItem {
            kind: total.kind.name().to_owned(),
            accounts: total.accounts,
            debit: amount(total.debit, total.currency),
            credit: amount(total.credit, total.currency),
        })
        .collect();
    Ok(json(StatusCode::OK, &List { items, next_cursor: None }))
}

fn entry(line: EntryDetails, currency: Currency) -> Entry {
    Entry {
        id: line.sequence.to_string(),
        transfer: line.transfer.to_string(),
        order_id: line.order_id,
        amount: amount(line.amount, currency),
        balance_after: amount(line.balance_after, currency),
        time: super::time(line.time_us),
        description: line.description,
        counterparty: line.counterparty.to_string(),
        kind: kind(line.kind).to_owned(),
    }
}

fn kind(number: i64) -> &'static str {
    PostingKind::from_number(number).map_or("transfer", PostingKind::name)
}

/// A day or a moment.
fn moment(field: &'static str, text: Option<&str>) -> Result<Option<i64>, Error> {
    let Some(text) = text else { return Ok(None) };
    let whole = if text.len() == 10 { format!("{text}T00:00:00Z") } else { text.to_owned() };
    let detail = format!("`{field}` must be a day like 2030-01-31 or a moment like 2030-01-31T12:00:00Z.");
    strongroom_ledger::time::from_text(&whole).map(Some).ok_or(Error::Malformed(detail))
}

fn minor(currency: Currency, field: &'static str, text: Option<&str>) -> Result<Option<i64>, Error> {
    let malformed = |_| Error::Malformed(format!("`{field}` must be an amount like 12.50."));
    text.map(|text| currency.parse_amount(text)).transpose().map_err(malformed)
}

fn account_id<T: std::str::FromStr>(text: &str) -> Result<T, Error> {
    text.parse().map_err(|_| Error::Malformed("`counterparty` must be an account's id.".into()))
}

/// RFC 4180: a line for each, between the two balances; the last one names the log's checkpoint that holds them all.
fn csv(statement: &Statement) -> String {
    let currency = statement.account.currency;
    let money = |minor: i64| currency.format_amount(minor);
    let mut text = String::from("line,time,transfer,kind,counterparty,description,amount,balance,currency\r\n");
    let mut line = |cells: [&str; 9]| {
        let cells: Vec<String> = cells.iter().map(|cell| quoted(cell)).collect();
        text.push_str(&cells.join(","));
        text.push_str("\r\n");
    };
    let code = currency.to_string();
    let from = super::time(statement.from_us);
    line(["opening", &from, "", "", "", "", "", &money(statement.opening), &code]);
    for entry in &statement.lines {
        line([
            "entry",
            &super::time(entry.time_us),
            &entry.transfer.to_string(),
            kind(entry.kind),
            &entry.counterparty.to_string(),
            &plain(entry.description.as_deref().unwrap_or_default()),
            &money(entry.amount),
            &money(entry.balance_after),
            &code,
        ]);
    }
    let until = super::time(statement.until_us);
    line(["closing", &until, "", "", "", "", "", &money(statement.closing), &code]);
    if let Ok(checkpoint) = Checkpoint::parse(&statement.checkpoint) {
        let root: String = checkpoint.root.iter().map(|b| format!("{b:02x}")).collect();
        let proof = format!("{} {} {root}", checkpoint.origin, checkpoint.size);
        line(["proof", "", "", "", "", &proof, "", "", ""]);
    }
    text
}

fn quoted(cell: &str) -> String {
    match cell.contains(['"', ',', '\r', '\n']) {
        true => format!("\"{}\"", cell.replace('"', "\"\"")),
        false => cell.to_owned(),
    }
}

/// Words that a spreadsheet would run as a formula are words all the same.
fn plain(words: &str) -> String {
    match words.starts_with(['=', '+', '-', '@']) {
        true => format!("'{words}"),
        false => words.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_and_run_nothing() {
        assert_eq!(quoted("a, \"b\""), "\"a, \"\"b\"\"\"");
        assert_eq!(quoted(&plain("=HYPERLINK(1)")), "'=HYPERLINK(1)");
        assert_eq!(plain("rent - May"), "rent - May");
    }

    #[test]
    fn days_and_moments_are_read() {
        assert_eq!(moment("from", Some("1970-01-02")).expect("a day"), Some(86_400_000_000));
        assert!(moment("from", Some("yesterday")).is_err());
        assert_eq!(moment("from", None).expect("nothing"), None);
    }
}
