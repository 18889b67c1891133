//! Access tokens: JWT (RFC 7519) signed with Ed25519 and nothing else (RFC 8725). The algorithm is
//! not read from the token: a header that is not exactly ours is refused.

use serde::{Deserialize, Serialize};

use crate::base64url;
use crate::sign::{PublicKey, SigningKey};

/// What a token says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claims {
    /// Who issued it.
    pub iss: String,
    /// For whom.
    pub aud: String,
    /// The person.
    pub sub: String,
    /// Their session.
    pub sid: String,
    /// Seconds since 1970 at which it was issued.
    pub iat: i64,
    /// And at which it ends.
    pub exp: i64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    alg: String,
    typ: String,
    kid: String,
}

/// A token that is not accepted; why is nobody's business but the log's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not a token of ours.
    #[error("the token is malformed")]
    Malformed,
    /// Its signature does not hold.
    #[error("the token's signature does not hold")]
    Signature,
    /// Another issuer or audience.
    #[error("the token is another bank's")]
    Foreign,
    /// It has ended.
    #[error("the token has expired")]
    Expired,
}

const TYPE: &str = "at+jwt";

/// Issues a token.
pub fn issue(key: &SigningKey, kid: &str, claims: &Claims) -> String {
    let header = Header { alg: "EdDSA".into(), typ: TYPE.into(), kid: kid.into() };
    let part = |json: Vec<u8>| base64url::encode(&json);
    let signed = format!(
        "{}.{}",
        part(serde_json::to_vec(&header).unwrap_or_default()),
        part(serde_json::to_vec(claims).unwrap_or_default())
    );
    let signature = key.sign(signed.as_bytes());
    format!("{signed}.{}", base64url::encode(&signature))
}

/// Checks a token of `iss` for `aud` at a time.
pub fn verify(
    token: &str,
    key_by_kid: impl FnOnce(&str) -> Option<PublicKey>,
    iss: &str,
    aud: &str,
    now_s: i64,
) -> Result<Claims, TokenError> {
    let (signed, signature) = token.rsplit_once('.').ok_or(TokenError::Malformed)?;
    let (header, claims) = signed.split_once('.').ok_or(TokenError::Malformed)?;
    let decode = |text: &str| base64url::decode(text).ok_or(TokenError::Malformed);
    let header = decode(header)?;
    // A derived reader takes an array for a struct; a header is an object.
    let header: Header = match header.first() {
        Some(b'{') => serde_json::from_slice(&header).map_err(|_| TokenError::Malformed)?,
        _ => return Err(TokenError::Malformed),
    };
    if header.alg != "EdDSA" || header.typ != TYPE {
        return Err(TokenError::Malformed);
    }
    let key = key_by_kid(&header.kid).ok_or(TokenError::Signature)?;
    if !key.verify(signed.as_bytes(), &decode(signature)?) {
        return Err(TokenError::Signature);
    }
    let claims: Claims = serde_json::from_slice(&decode(claims)?).map_err(|_| TokenError::Malformed)?;
    if claims.iss != iss || claims.aud != aud {
        return Err(TokenError::Foreign);
    }
    if claims.exp <= now_s {
        return Err(TokenError::Expired);
    }
    Ok(claims)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_tokens_pass() {
        let key = SigningKey::generate_ed25519();
        let claims =
            Claims { iss: "b".into(), aud: "b".into(), sub: "usr".into(), sid: "sess".into(), iat: 1, exp: 10 };
        let token = issue(&key, "k1", &claims);
        let find = |kid: &str| (kid == "k1").then(|| key.public());
        assert_eq!(verify(&token, find, "b", "b", 5).unwrap(), claims);
        assert_eq!(verify(&token, find, "b", "b", 10), Err(TokenError::Expired));
        assert_eq!(verify(&token, find, "c", "b", 5), Err(TokenError::Foreign));
        assert_eq!(
            verify(&issue(&SigningKey::generate_ed25519(), "k1", &claims), find, "b", "b", 5),
            Err(TokenError::Signature)
        );
        assert_eq!(verify(&issue(&key, "k2", &claims), find, "b", "b", 5), Err(TokenError::Signature));
        let rest = token.split_once('.').unwrap().1;
        for header in [
            r#"{"alg":"none","typ":"at+jwt","kid":"k1"}"#,
            r#"{"alg":"HS256","typ":"at+jwt","kid":"k1"}"#,
            r#"{"alg":"EdDSA","typ":"at+jwt","kid":"k1","jwk":{}}"#,
            r#"{"alg":"EdDSA","typ":"JWT","kid":"k1"}"#,
        ] {
            let forged = format!("{}.{rest}", base64url::encode(header.as_bytes()));
            assert_eq!(verify(&forged, find, "b", "b", 5), Err(TokenError::Malformed), "{header}");
        }
    }
}
