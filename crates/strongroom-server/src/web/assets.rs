//! The style sheet, the scripts and the logo: inside the program, under an address that changes with
//! their content, so that browsers may keep them for ever.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

struct Asset {
    name: &'static str,
    kind: &'static str,
    content: &'static str,
}

macro_rules! asset {
    ($name:literal, $kind:literal) => {
        Asset { name: $name, kind: $kind, content: include_str!(concat!("../../assets/", $name)) }
    };
}

const ASSETS: &[Asset] = &[
    asset!("app.css", "text/css; charset=utf-8"),
    asset!("logo.svg", "image/svg+xml"),
    asset!("keys.js", "text/javascript; charset=utf-8"),
    asset!("device.js", "text/javascript; charset=utf-8"),
    asset!("order.js", "text/javascript; charset=utf-8"),
    asset!("passkey.js", "text/javascript; charset=utf-8"),
    asset!("strength.js", "text/javascript; charset=utf-8"),
    asset!("session.js", "text/javascript; charset=utf-8"),
];

/// One hash over all of them: a script can then import its neighbour by a relative name.
static BASE: LazyLock<String> = LazyLock::new(|| {
    let parts: Vec<&[u8]> = ASSETS.iter().flat_map(|asset| [asset.name.as_bytes(), asset.content.as_bytes()]).collect();
    let hash = strongroom_crypto::digest::sha256_parts(&parts);
    format!("/assets/{}", hash[..8].iter().map(|byte| format!("{byte:02x}")).collect::<String>())
});

/// Where the assets of this build are: "/assets/0123456789abcdef".
pub fn base() -> &'static str {
    &BASE
}

/// `GET /assets/{hash}/{name}`
pub async fn serve(Path((hash, name)): Path<(String, String)>) -> Response {
    let Some(asset) = ASSETS.iter().find(|asset| asset.name == name) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    // A page of the build before may still ask by its hash: answer, but let nobody keep it.
    let is_this_build = base().ends_with(&hash);
    let keeping = if is_this_build { "public, max-age=31536000, immutable" } else { "no-store" };
    ([(header::CONTENT_TYPE, asset.kind), (header::CACHE_CONTROL, keeping)], asset.content).into_response()
}
