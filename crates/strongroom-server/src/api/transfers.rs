//! Transfers and cash: placing a signed order, and looking at what it made.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use strongroom_api::{BulkItem, BulkResults, Checks, Transfer, Verification};
use strongroom_bank::factor::proof::Proof;
use strongroom_bank::{Consent, Error, Placed, Posted};
use strongroom_ledger::leaf::PostingKind;
use strongroom_ledger::order::{CashOrder, FollowUp, FollowUpOrder, TransferOrder};

use super::{amount, id, json};
use crate::App;
use crate::extract::{From, Path, Signed, SignedBulk, SignedIn};
use crate::problem::{Answer, Failure, describe};

/// `POST /v1/transfers`
pub async fn place(State(app): State<Arc<App>>, SignedIn(caller): SignedIn, signed: Signed) -> Answer {
    let order = app.bank.verify_order::<TransferOrder>(&caller, signed.signature.as_deref(), &signed.body).await?;
    Ok(placed(app.bank.transfer(order).await?))
}

/// `POST /v1/transfers/bulk`
pub async fn bulk(State(app): State<Arc<App>>, SignedIn(caller): SignedIn, bulk: SignedBulk) -> Answer {
    let SignedBulk { signed, turn } = bulk;
    let results = app.bank.bulk(&caller, signed.signature.as_deref(), &signed.body, turn).await?;
    let results = results
        .into_iter()
        .map(|result| {
            let item = BulkItem { order_id: result.order_id, transfer: None, code: None, detail: None };
            match result.placed {
                Ok(Placed { outcome: Ok(posted), .. }) => {
                    let order_id = Some(posted.order_id.clone());
                    BulkItem { transfer: Some(body(&posted, order_id, None)), ..item }
                }
                Ok(Placed { outcome: Err(refusal), .. }) => {
                    BulkItem { code: Some(refusal.code().into()), detail: Some(refusal.detail().into()), ..item }
                }
                Err(error) => {
                    let (_, code, detail) = describe(&error);
                    BulkItem { code: Some(code.into()), detail: Some(detail), ..item }
                }
            }
        })
        .collect();
    Ok(json(StatusCode::OK, &BulkResults { results }))
}

/// `POST /v1/cash/deposits`
pub async fn deposit(State(app): State<Arc<App>>, SignedIn(caller): SignedIn, signed: Signed) -> Answer {
    let order = app.bank.verify_order::<CashOrder>(&caller, signed.signature.as_deref(), &signed.body).await?;
    Ok(placed(app.bank.deposit(order).await?))
}

/// `POST /v1/cash/withdrawals`: the customer agrees by a code, or by a signature over the teller's.
pub async fn withdraw(
    State(app): State<Arc<App>>,
    SignedIn(caller): SignedIn,
    From(source): From,
    headers: HeaderMap,
    signed: Signed,
) -> Answer {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let consent = match (header("x-customer-signature"), header("x-customer-code")) {
        (Some(signature), None) => Consent::Signature(signature.to_owned()),
        (None, Some(code)) => Consent::Code(Proof::typed(code)?),
        _ => {
            let detail = "The customer has to agree: give x-customer-signature or x-customer-code, one of the two.";
            return Err(Error::forbidden("consent_required", detail).into());
        }
    };
    let order = app.bank.verify_order::<CashOrder>(&caller, signed.signature.as_deref(), &signed.body).await?;
    Ok(placed(app.bank.withdraw(order, consent, &source).await?))
}

/// `POST /v1/transfers/{id}/capture`, `/release` and `/reverse`
pub async fn follow_up(
    State(app): State<Arc<App>>,
    SignedIn(caller): SignedIn,
    Path(transfer): Path<String>,
    uri: Uri,
    signed: Signed,
) -> Answer {
    let transfer = id(&transfer)?;
    let order = app.bank.verify_order::<FollowUpOrder>(&caller, signed.signature.as_deref(), &signed.body).await?;
    let wanted = uri.path().rsplit('/').next().and_then(FollowUp::from_name);
    if wanted != Some(order.order().action) {
        return Err(Error::bad_signature("it asks for another action").into());
    }
    Ok(placed(app.bank.follow_up(transfer, order).await?))
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
        status: posted.status.name().to_owned(),
        sequence: posted.sequence as u64,
        kind: PostingKind::from_number(posted.kind).map_or("transfer", |k| k.name()).to_owned(),
        from: posted.from.to_string(),
        to: posted.to.to_string(),
        amount: amount(posted.amount, posted.currency),
        time: super::time(posted.time_us),
        until: posted.until_us.map(super::time),
        refers: posted.refers.map(|id| id.to_string()),
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
