//! Transfers and cash: placing a signed order, and looking at what it made.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use strongroom_api::{Checks, Transfer, Verification};
use strongroom_bank::{Error, Placed, Posted};
use strongroom_ledger::leaf::PostingKind;
use strongroom_ledger::order::{CashOrder, TransferOrder};

use super::{amount, id, json};
use crate::App;
use crate::extract::{Path, Signed, SignedIn};
use crate::problem::{Answer, Failure};

/// `POST /v1/transfers`
pub async fn place(State(app): State<Arc<App>>, SignedIn(caller): SignedIn, signed: Signed) -> Answer {
    let order = app.bank.verify_order::<TransferOrder>(&caller, signed.signature.as_deref(), &signed.body).await?;
    Ok(placed(app.bank.transfer(order).await?))
}

/// `POST /v1/cash/deposits`
pub async fn deposit(State(app): State<Arc<App>>, SignedIn(caller): SignedIn, signed: Signed) -> Answer {
    let order = app.bank.verify_order::<CashOrder>(&caller, signed.signature.as_deref(), &signed.body).await?;
    Ok(placed(app.bank.deposit(order).await?))
}

/// 201 the first time; 200 with the same body when the order is placed again.
fn placed(placed: Placed) -> Response {
    let mut response = match placed.outcome {
        Ok(posted) => json(
            if placed.replay { StatusCode::OK } else { StatusCode::CREATED },
            &body(&posted, Some(posted.order_id.clone()), None),
        ),
        Err(refusal) => Failure(Error::Refused(refusal)).into_response(),
    };
    if placed.replay {
        response.headers_mut().insert(HeaderName::from_static("idempotent-replay"), HeaderValue::from_static("true"));
    }
    response
}

fn body(posted: &Posted, order_id: Option<String>, description: Option<String>) -> Transfer {
    Transfer {
        id: posted.id.to_string(),
        order_id,
        status: "posted".into(),
        sequence: posted.sequence as u64,
        kind: PostingKind::from_number(posted.kind).map_or("transfer", |k| k.name()).to_owned(),
        from: posted.from.to_string(),
        to: posted.to.to_string(),
        amount: amount(posted.amount, posted.currency),
        time: super::time(posted.time_us),
        description,
    }
}

/// `GET /v1/transfers/{id}`
pub async fn show(State(app): State<Arc<App>>, SignedIn(caller): SignedIn, Path(transfer): Path<String>) -> Answer {
    let details = app.bank.transfer_details(&caller, id(&transfer)?).await?;
    let order_id = details.is_own_order.then(|| details.posted.order_id.clone());
    Ok(json(StatusCode::OK, &body(&details.posted, order_id, details.description)))
}

/// `GET /v1/transfers/{id}/receipt`
pub async fn receipt(State(app): State<Arc<App>>, SignedIn(caller): SignedIn, Path(transfer): Path<String>) -> Answer {
    let text = app.bank.receipt(&caller, id(&transfer)?).await?;
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response())
}

/// `GET /v1/transfers/{id}/verification`
pub async fn verification(
    State(app): State<Arc<App>>,
    SignedIn(caller): SignedIn,
    Path(transfer): Path<String>,
) -> Answer {
    let checks = app.bank.verification(&caller, id(&transfer)?).await?;
    let body = Verification {
        is_valid: checks.is_valid(),
        failures: checks.failures(),
        checks: Checks {
            mac: checks.mac.is_ok(),
            signature: checks.signature.is_ok(),
            inclusion: checks.inclusion.is_ok(),
            chain: checks.chain.is_ok(),
            balances: checks.balances.is_ok(),
        },
    };
    Ok(json(StatusCode::OK, &body))
}
