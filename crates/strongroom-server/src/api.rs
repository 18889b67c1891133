//! The API's handlers, a file per kind of object: extract, ask the bank, reply.

pub mod accounts;
pub mod approvals;
pub mod audit;
pub mod devices;
pub mod factors;
pub mod history;
pub mod log;
pub mod people;
pub mod recoveries;
pub mod sessions;
pub mod staff;
pub mod status;
pub mod transfers;

use std::str::FromStr;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use strongroom_api::Amount;
use strongroom_bank::Error;
use strongroom_ledger::money::Currency;

pub(crate) use strongroom_ledger::time::to_text as time;

/// A JSON answer.
fn json(status: StatusCode, body: &impl Serialize) -> Response {
    let bytes = serde_json::to_vec(body).unwrap_or_default();
    let mut response = (status, bytes).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// Minor units as the API writes them.
pub(crate) fn amount(minor: i64, currency: Currency) -> Amount {
    Amount { amount: currency.format_amount(minor), currency: currency.to_string() }
}

/// An id in a path; one that is malformed names nothing.
fn id<T: FromStr>(text: &str) -> Result<T, Error> {
    text.parse().map_err(|_| Error::NotFound)
}

/// Where a list goes on, and how many items a page has.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Page {
    cursor: Option<String>,
    limit: Option<i64>,
}

const PAGE_ITEMS: i64 = 50;
const PAGE_ITEMS_MAX: i64 = 200;

impl Page {
    /// The cursor, parsed.
    fn cursor<T: FromStr>(&self) -> Result<Option<T>, Error> {
        let parse =
            |c: &String| c.parse().map_err(|_| Error::Malformed("The cursor is not one that a list gave.".into()));
        self.cursor.as_ref().map(parse).transpose()
    }

    /// How many items, within bounds.
    fn limit(&self) -> Result<i64, Error> {
        match self.limit {
            None => Ok(PAGE_ITEMS),
            Some(n) if (1..=PAGE_ITEMS_MAX).contains(&n) => Ok(n),
            Some(_) => Err(Error::Malformed(format!("The limit must be 1 to {PAGE_ITEMS_MAX}."))),
        }
    }
}

/// Cuts a list that was read one item too far, and says where it goes on.
fn page<T>(mut items: Vec<T>, limit: i64, cursor: impl Fn(&T) -> String) -> (Vec<T>, Option<String>) {
    let more = items.len() as i64 > limit;
    items.truncate(limit as usize);
    let next = items.last().filter(|_| more).map(cursor);
    (items, next)
}
