//! What handlers take from a request: the caller behind a token, a strict JSON body, a signed body.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use http_body_util::BodyExt;
use serde::de::DeserializeOwned;
use strongroom_bank::audit::Source;
use strongroom_bank::factor::Enrolling;
use strongroom_bank::{Caller, Error};

use tokio::sync::OwnedSemaphorePermit;

use crate::App;
use crate::problem::{Failure, problem};

/// Bodies beyond this are refused with 413.
pub const BODY_BYTES_MAX: usize = 64 * 1024;
/// The largest bulk of orders.
const BULK_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Of a body that is refused, this much is read before the connection ends.
const DISCARDED_BYTES_MAX: usize = 32 << 20;

/// Someone with a valid access token.
pub struct SignedIn(pub Caller);

impl FromRequestParts<Arc<App>> for SignedIn {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Failure> {
        let token = bearer(&parts.headers).ok_or(Error::Unauthenticated)?;
        // A service account shows its key as it is.
        Ok(SignedIn(match token.starts_with("sess_") {
            true => app.bank.authenticate_key(token).await?,
            false => app.bank.authenticate(token)?,
        }))
    }
}

/// Where a request comes from.
pub struct From(pub Source);

impl FromRequestParts<Arc<App>> for From {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<App>) -> Result<Self, Self::Rejection> {
        let agent = parts.headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok());
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        Ok(From(peer.map_or_else(Source::default, |ConnectInfo(peer)| Source::new(peer.ip(), agent))))
    }
}

/// Someone who may enrol a factor: signed in, or with an enrolment token.
pub struct MayEnrol(pub Enrolling);

impl FromRequestParts<Arc<App>> for MayEnrol {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Failure> {
        let token = bearer(&parts.headers).ok_or(Error::Unauthenticated)?;
        Ok(MayEnrol(match token.starts_with("enr_") {
            true => Enrolling::First(token.to_owned()),
            false => Enrolling::SignedIn(app.bank.authenticate(token)?),
        }))
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

/// A JSON body: unknown and duplicate keys are refused.
pub struct Json<T>(pub T);

impl<T: DeserializeOwned> FromRequest<Arc<App>> for Json<T> {
    type Rejection = Response;

    async fn from_request(request: Request, _: &Arc<App>) -> Result<Self, Response> {
        let body = json_body(request).await?;
        // A derived reader takes an array for a struct; a body is an object.
        if body.trim_ascii_start().first() != Some(&b'{') {
            return Err(Failure(Error::Malformed("The body is not a JSON object.".into())).into_response());
        }
        serde_json::from_slice(&body).map(Json).map_err(|e| Failure(Error::Malformed(explain(&e))).into_response())
    }
}

/// serde's words, without the values of the body.
fn explain(error: &serde_json::Error) -> String {
    let place = format!("line {}, column {}", error.line(), error.column());
    match error.classify() {
        serde_json::error::Category::Data => {
            let text = error.to_string();
            let shape = ["unknown field", "duplicate field", "missing field"].iter().find(|s| text.starts_with(**s));
            match (shape, text.split('`').nth(1)) {
                (Some(shape), Some(name)) => format!(
                    "The body has a problem: {shape} `{}` ({place}).",
                    name.chars().take(40).collect::<String>()
                ),
                _ => format!("A value in the body has the wrong type ({place})."),
            }
        }
        _ => format!("The body is not JSON ({place})."),
    }
}

/// The values in a path; one that cannot be read names nothing.
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send> FromRequestParts<Arc<App>> for Path<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Failure> {
        let path = axum::extract::Path::from_request_parts(parts, app).await;
        path.map(|axum::extract::Path(values)| Path(values)).map_err(|_| Failure(Error::NotFound))
    }
}

/// The values after the question mark; unknown and repeated ones are refused.
pub struct Query<T>(pub T);

impl<T: DeserializeOwned + Send> FromRequestParts<Arc<App>> for Query<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Failure> {
        let query = axum::extract::Query::from_request_parts(parts, app).await;
        let malformed =
            |_| Failure(Error::Malformed("A value after the question mark is unknown, repeated or malformed.".into()));
        query.map(|axum::extract::Query(values)| Query(values)).map_err(malformed)
    }
}

/// The exact bytes of a signed order, and its signature.
pub struct Signed {
    /// What was signed.
    pub body: Bytes,
    /// `x-jws-signature`.
    pub signature: Option<String>,
}

impl FromRequest<Arc<App>> for Signed {
    type Rejection = Response;

    async fn from_request(request: Request, _: &Arc<App>) -> Result<Self, Response> {
        let signature = request.headers().get("x-jws-signature").and_then(|v| v.to_str().ok()).map(str::to_owned);
        Ok(Signed { body: json_body(request).await?, signature })
    }
}

/// The same of many orders at once, with room for them.
pub struct SignedBulk {
    /// The body and its signature.
    pub signed: Signed,
    /// One of the few places there are.
    pub turn: OwnedSemaphorePermit,
}

impl FromRequest<Arc<App>> for SignedBulk {
    type Rejection = Response;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Response> {
        let turn = app.bank.turn_for_bulk().map_err(|error| Failure(error).into_response())?;
        let signature = request.headers().get("x-jws-signature").and_then(|v| v.to_str().ok()).map(str::to_owned);
        let signed = Signed { body: json_body_of(request, BULK_BYTES_MAX).await?, signature };
        Ok(SignedBulk { signed, turn })
    }
}

async fn json_body(request: Request) -> Result<Bytes, Response> {
    json_body_of(request, BODY_BYTES_MAX).await
}

async fn json_body_of(request: Request, most: usize) -> Result<Bytes, Response> {
    let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/json") {
        let detail = "Send the body as application/json.";
        return Err(problem(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail, Vec::new()));
    }
    read(request.into_body(), most).await
}

/// Reads a body. One that is too large is read on and thrown away, within reason: a client that is
/// still sending would otherwise see its connection break instead of the answer.
async fn read(mut body: Body, most: usize) -> Result<Bytes, Response> {
    let (mut kept, mut size) = (Vec::new(), 0);
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            return Err(Failure(Error::Malformed("The body could not be read to its end.".into())).into_response());
        };
        let data = frame.into_data().unwrap_or_default();
        size += data.len();
        if size <= most {
            kept.extend_from_slice(&data);
        } else if size > most.max(DISCARDED_BYTES_MAX) {
            break;
        }
    }
    if size <= most {
        return Ok(kept.into());
    }
    let detail = format!("The body is larger than {most} bytes.");
    Err(problem(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", &detail, Vec::new()))
}
