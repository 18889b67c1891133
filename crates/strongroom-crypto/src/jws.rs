//! Detached signatures over exact bodies: JWS with an unencoded, detached payload (RFC 7515
//! appendix F, RFC 7797). The protected header has exactly the members below, each once.

use serde::{Deserialize, Serialize};

use crate::base64url;
use crate::sign::{PublicKey, SigningKey};

/// The protected header.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Protected {
    /// `EdDSA` or `ES256`.
    pub alg: String,
    /// The device.
    pub kid: String,
    /// The purpose: `order`, `cash`, `bulk` …
    pub typ: String,
    /// The bank's log origin.
    pub aud: String,
    /// Seconds since 1970 at which it ends.
    pub exp: i64,
    /// Always false.
    b64: bool,
    /// Always `["b64"]`.
    crit: Vec<String>,
}

/// A parsed signature, not yet checked.
#[derive(Clone, Debug)]
pub struct Detached {
    protected: Protected,
    encoded: String,
    signature: Vec<u8>,
}

/// Why a signature cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JwsError {
    /// It is not `protected..signature` in base64url.
    #[error("it is not a detached JWS of the form protected..signature")]
    Form,
    /// Its header has other members than ours, or one twice.
    #[error("its header must have exactly alg, kid, typ, aud, exp, b64 (false) and crit ([\"b64\"])")]
    Header,
    /// Its algorithm is not one of ours.
    #[error("its algorithm is neither EdDSA nor ES256")]
    Algorithm,
}

/// Signs a body for a purpose and a bank.
pub fn sign_detached(key: &SigningKey, kid: &str, typ: &str, aud: &str, exp: i64, body: &[u8]) -> String {
    let protected = Protected {
        alg: key.algorithm().name().to_owned(),
        kid: kid.to_owned(),
        typ: typ.to_owned(),
        aud: aud.to_owned(),
        exp,
        b64: false,
        crit: vec!["b64".to_owned()],
    };
    let encoded = base64url::encode(&serde_json::to_vec(&protected).unwrap_or_default());
    let signature = key.sign(&signing_input(&encoded, body));
    format!("{encoded}..{}", base64url::encode(&signature))
}

fn signing_input(encoded: &str, body: &[u8]) -> Vec<u8> {
    [encoded.as_bytes(), b".", body].concat()
}

/// Reads a detached signature, strictly.
pub fn parse_detached(text: &str) -> Result<Detached, JwsError> {
    let (encoded, signature) = text.split_once("..").ok_or(JwsError::Form)?;
    let header = base64url::decode(encoded).ok_or(JwsError::Form)?;
    let signature = base64url::decode(signature).filter(|s| s.len() == 64).ok_or(JwsError::Form)?;
    // A derived reader takes an array for a struct; a header is an object.
    if header.first() != Some(&b'{') {
        return Err(JwsError::Header);
    }
    let protected: Protected = serde_json::from_slice(&header).map_err(|_| JwsError::Header)?;
    if protected.b64 || protected.crit != ["b64"] {
        return Err(JwsError::Header);
    }
    if !matches!(protected.alg.as_str(), "EdDSA" | "ES256") {
        return Err(JwsError::Algorithm);
    }
    Ok(Detached { protected, encoded: encoded.to_owned(), signature })
}

impl Detached {
    /// Its header; nothing in it is proven before [`Detached::verify`].
    pub fn protected(&self) -> &Protected {
        &self.protected
    }

    /// Whether the key signed this header and exactly this body.
    pub fn verify(&self, key: &PublicKey, body: &[u8]) -> bool {
        self.protected.alg == key.algorithm().name() && key.verify(&signing_input(&self.encoded, body), &self.signature)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_for_its_body_and_key_alone() {
        for key in [SigningKey::generate_ed25519(), SigningKey::generate_p256()] {
            let text = sign_detached(&key, "dev_1", "order", "bank/1", 1000, b"{}");
            let detached = parse_detached(&text).unwrap();
            assert_eq!((detached.protected().kid.as_str(), detached.protected().exp), ("dev_1", 1000));
            assert!(detached.verify(&key.public(), b"{}"));
            assert!(!detached.verify(&key.public(), b"{ }"));
            assert!(!detached.verify(&SigningKey::generate_ed25519().public(), b"{}"));
        }
    }

    #[test]
    fn other_headers_are_refused() {
        let signature = base64url::encode(&[0; 64]);
        let with =
            |header: &str| parse_detached(&format!("{}..{signature}", base64url::encode(header.as_bytes()))).map(drop);
        let good = r#"{"alg":"EdDSA","kid":"d","typ":"order","aud":"b","exp":1,"b64":false,"crit":["b64"]}"#;
        assert_eq!(with(good), Ok(()));
        for bad in [
            good.replace("false", "true"),
            good.replace(r#"["b64"]"#, r#"["b64","x"]"#),
            good.replace(r#""exp":1"#, r#""exp":1,"jku":"x""#),
            good.replace(r#""exp":1"#, r#""exp":1,"exp":2"#),
            good.replace(r#""exp":1,"#, ""),
        ] {
            assert_eq!(with(&bad), Err(JwsError::Header), "{bad}");
        }
        assert_eq!(with(r#"["EdDSA","d","order","b",1,false,["b64"]]"#), Err(JwsError::Header));
        for alg in ["none", "HS256", "RS256"] {
            assert_eq!(with(&good.replace("EdDSA", alg)), Err(JwsError::Algorithm));
        }
        for text in ["", "..", "a.b.c", "!!..!!"] {
            assert!(parse_detached(text).is_err());
        }
    }
}
