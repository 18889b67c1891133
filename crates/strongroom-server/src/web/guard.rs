//! What keeps other sites out: headers on every page, and the checks that a form was ours.

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;
use strongroom_crypto::digest::sha256_parts;
use strongroom_crypto::mac;

/// Nothing but our own files; nothing inline; no framing; no text ever becomes script.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
    connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'; object-src 'none'; \
    require-trusted-types-for 'script'; trusted-types 'none'";

const HEADERS: &[(&str, &str)] = &[
    ("content-security-policy", POLICY),
    ("strict-transport-security", "max-age=63072000"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    // Not `no-referrer`: browsers would then send `Origin: null` with our own forms.
    ("referrer-policy", "same-origin"),
    ("permissions-policy", "camera=(), microphone=(), geolocation=(), payment=(), usb=(), serial=(), hid=()"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
];

/// Puts the headers on every answer; what does not say otherwise is not kept by anyone.
pub async fn protect(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Whether a browser says that a page of ours sent this request.
pub fn is_from_our_page(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let is_same_site = text("sec-fetch-site").is_none_or(|site| site == "same-origin");
    let origin_host = text("origin").and_then(|origin| origin.strip_prefix("https://"));
    is_same_site && origin_host.is_some() && origin_host == text("host")
}

/// The token of forms shown to whoever holds `cookie`. Only they and we know the cookie, so only
/// a page of ours can hold the token; nothing needs to be stored.
pub fn form_token(cookie: &str) -> String {
    let digest = sha256_parts(&[b"strongroom form token v1\0", cookie.as_bytes()]);
    digest[..16].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether `token` belongs to `cookie`.
pub fn is_form_token(token: &str, cookie: &str) -> bool {
    mac::equal(token.as_bytes(), form_token(cookie).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn only_our_own_pages_may_post() {
        let cases: &[(&[(&str, &str)], bool)] = &[
            (&[("host", "bank.example"), ("origin", "https://bank.example"), ("sec-fetch-site", "same-origin")], true),
            (&[("host", "127.0.0.1:8443"), ("origin", "https://127.0.0.1:8443")], true),
            (&[("host", "bank.example"), ("origin", "https://evil.example")], false),
            (&[("host", "bank.example"), ("origin", "http://bank.example")], false),
            (&[("host", "bank.example"), ("origin", "null")], false),
            (&[("host", "bank.example")], false),
            (&[("origin", "https://")], false),
            (&[("host", "bank.example"), ("origin", "https://bank.example"), ("sec-fetch-site", "same-site")], false),
            (&[("host", "bank.example"), ("origin", "https://bank.example"), ("sec-fetch-site", "cross-site")], false),
        ];
        for (pairs, is_allowed) in cases {
            assert_eq!(is_from_our_page(&headers(pairs)), *is_allowed, "{pairs:?}");
        }
    }

    #[test]
    fn a_form_token_belongs_to_one_cookie() {
        let token = form_token("one");
        assert!(is_form_token(&token, "one"));
        assert!(!is_form_token(&token, "two"));
        assert!(!is_form_token("", "one"));
    }

    #[test]
    fn the_policy_allows_nothing_inline() {
        assert!(!POLICY.contains("unsafe") && !POLICY.contains('*'));
        for must in ["frame-ancestors 'none'", "base-uri 'none'", "object-src 'none'", "default-src 'none'"] {
            assert!(POLICY.contains(must), "{must}");
        }
    }
}
