//! The public log: the newest checkpoint, tiles, entry bundles; and the blocks.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::IntoResponse;
use strongroom_api::{Block, List};

use super::{Page, json, page};
use crate::App;
use crate::extract::{Path, Query, SignedIn};
use crate::problem::Answer;

/// `GET /log/checkpoint`
pub async fn checkpoint(State(app): State<Arc<App>>) -> Answer {
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], app.bank.checkpoint()).into_response())
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
