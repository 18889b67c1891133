//! The public log: the newest checkpoint, tiles, entry bundles; and the blocks.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use strongroom_api::{Block, List};

use super::{Page, json, page};
use crate::App;
use crate::extract::{Path, Query, SignedIn};
use crate::problem::Answer;

/// `GET /log/checkpoint`
pub async fn checkpoint(State(app): State<Arc<App>>) -> Answer {
    Ok(plain(app.bank.checkpoint()))
}

/// `GET /log/proof/{index}`
pub async fn proof(State(app): State<Arc<App>>, Path(index): Path<String>) -> Answer {
    Ok(plain(app.bank.proof(super::id(&index)?).await?))
}

/// `GET /log/extension/{size}`
pub async fn extension(State(app): State<Arc<App>>, Path(size): Path<String>) -> Answer {
    Ok(plain(app.bank.extension(super::id(&size)?).await?))
}

/// `GET /log/witnessed`
pub async fn witnessed(State(app): State<Arc<App>>) -> Answer {
    let note = app.bank.witnessed().await?.ok_or(strongroom_bank::Error::NotFound)?;
    Ok(plain(note))
}

fn plain(text: String) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response()
}

/// `GET /log/tile/…`
pub async fn tile(State(app): State<Arc<App>>, Path(path): Path<String>) -> Answer {
    let bytes = app.bank.tile(&format!("tile/{path}")).await?;
    let mut response = ([(header::CONTENT_TYPE, "application/octet-stream")], bytes).into_response();
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable"));
    Ok(response)
}

/// `GET /v1/ledger/blocks`
pub async fn blocks(State(app): State<Arc<App>>, SignedIn(caller): SignedIn, Query(wanted): Query<Page>) -> Answer {
    let limit = wanted.limit()?;
    let blocks = app.bank.blocks(&caller, wanted.cursor()?, limit + 1).await?;
    let (items, next_cursor) = page(blocks, limit, |b| b.height.to_string());
    Ok(json(StatusCode::OK, &List { items: items.into_iter().map(body).collect(), next_cursor }))
}

/// `GET /v1/ledger/blocks/{height}`
pub async fn block(State(app): State<Arc<App>>, SignedIn(caller): SignedIn, Path(height): Path<String>) -> Answer {
    Ok(json(StatusCode::OK, &body(app.bank.block(&caller, super::id(&height)?).await?)))
}

fn body(block: strongroom_bank::logs::BlockRow) -> Block {
    let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
    Block {
        height: block.height as u64,
        size: block.size as u64,
        time: super::time(block.time_us),
        previous: hex(&block.previous),
        hash: hex(&block.hash),
        checkpoint: block.note,
    }
}
