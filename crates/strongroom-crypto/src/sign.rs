//! Signatures: Ed25519 (RFC 8032) and ECDSA P-256 with SHA-256 (FIPS 186-5, as JOSE's ES256).

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    self, ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair,
    ParsedPublicKey,
};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::base64url;
use crate::random;

/// A signature's algorithm, by its JOSE name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// Ed25519.
    EdDSA,
    /// ECDSA over P-256 with SHA-256.
    ES256,
}

impl Algorithm {
    /// `EdDSA` or `ES256`.
    pub fn name(self) -> &'static str {
        match self {
            Algorithm::EdDSA => "EdDSA",
            Algorithm::ES256 => "ES256",
        }
    }
}

/// Why a key is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is not a usable Ed25519 or P-256 key")]
pub struct BadKey;

/// A key that signs.
pub struct SigningKey {
    pair: Pair,
    /// The seed or PKCS#8 document it was made from.
    bytes: Zeroizing<Vec<u8>>,
}

enum Pair {
    Ed25519(Ed25519KeyPair),
    P256(EcdsaKeyPair),
}

#[allow(clippy::expect_used)] // a 32-byte seed is always an Ed25519 key; the generator's failure is fatal
impl SigningKey {
    /// A new Ed25519 key.
    pub fn generate_ed25519() -> Self {
        Self::from_seed(&random::bytes())
    }

    /// The Ed25519 key of a seed.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).expect("a seed of 32 bytes is a key");
        SigningKey { pair: Pair::Ed25519(pair), bytes: Zeroizing::new(seed.to_vec()) }
    }

    /// A new P-256 key.
    pub fn generate_p256() -> Self {
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())
            .expect("the generator works");
        Self::from_bytes(document.as_ref()).expect("a key that was just made can be read")
    }
}

impl SigningKey {
    /// Back from [`SigningKey::to_bytes`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, BadKey> {
        if let Ok(seed) = <&[u8; 32]>::try_from(bytes) {
            return Ok(Self::from_seed(seed));
        }
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, bytes).map_err(|_| BadKey)?;
        Ok(SigningKey { pair: Pair::P256(pair), bytes: Zeroizing::new(bytes.to_vec()) })
    }

    /// The private key: a 32-byte seed, or a PKCS#8 document.
    pub fn to_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Its algorithm.
    pub fn algorithm(&self) -> Algorithm {
        match self.pair {
            Pair::Ed25519(_) => Algorithm::EdDSA,
            Pair::P256(_) => Algorithm::ES256,
        }
    }

    /// Signs: 64 bytes either way.
    #[allow(clippy::expect_used)] // fails only when the generator does
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        match &self.pair {
            Pair::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
            Pair::P256(pair) => {
                pair.sign(&SystemRandom::new(), message).expect("the generator works").as_ref().to_vec()
            }
        }
    }

    /// Its public key.
    #[allow(clippy::expect_used)] // a key pair's own public key is well formed
    pub fn public(&self) -> PublicKey {
        let raw = match &self.pair {
            Pair::Ed25519(pair) => pair.public_key().as_ref(),
            Pair::P256(pair) => pair.public_key().as_ref(),
        };
        PublicKey::new(self.algorithm(), raw).expect("a key pair's public key is well formed")
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SigningKey({}, …)", self.algorithm().name())
    }
}

/// The y coordinates of the points of small order: for such a key signatures can be had that hold
/// without any private key.
const SMALL_ORDER: [[u8; 32]; 5] = [
    [0; 32],
    {
        let mut one = [0; 32];
        one[0] = 1;
        one
    },
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf,
        0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20,
        0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
    ],
    {
        let mut minus_one = [0xff; 32];
        (minus_one[0], minus_one[31]) = (0xec, 0x7f);
        minus_one
    },
];

/// Points of small order, and encodings that RFC 8032 does not allow (y not below 2²⁵⁵ − 19).
fn is_weak_ed25519(raw: &[u8]) -> bool {
    let mut y = [0; 32];
    y.copy_from_slice(raw);
    y[31] &= 0x7f;
    let is_canonical = y[0] < 0xed || y[31] != 0x7f || y[1..31].iter().any(|byte| *byte != 0xff);
    !is_canonical || SMALL_ORDER.contains(&y)
}

/// A key that checks signatures, parsed and ready.
#[derive(Clone)]
pub struct PublicKey {
    algorithm: Algorithm,
    raw: Vec<u8>,
    parsed: ParsedPublicKey,
}

impl PublicKey {
    fn new(algorithm: Algorithm, raw: &[u8]) -> Result<Self, BadKey> {
        let parsed = match (algorithm, raw.len()) {
            (Algorithm::EdDSA, 32) if is_weak_ed25519(raw) => return Err(BadKey),
            (Algorithm::EdDSA, 32) => ParsedPublicKey::new(&signature::ED25519, raw),
            (Algorithm::ES256, 65) if raw[0] == 4 => ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, raw),
            _ => return Err(BadKey),
        };
        Ok(PublicKey { algorithm, raw: raw.to_vec(), parsed: parsed.map_err(|_| BadKey)? })
    }

    /// An Ed25519 key.
    pub fn from_ed25519(raw: [u8; 32]) -> Result<Self, BadKey> {
        Self::new(Algorithm::EdDSA, &raw)
    }

    /// Back from [`PublicKey::to_bytes`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, BadKey> {
        match bytes.split_first() {
            Some((1, raw)) => Self::new(Algorithm::EdDSA, raw),
            Some((2, raw)) => Self::new(Algorithm::ES256, raw),
            _ => Err(BadKey),
        }
    }

    /// An algorithm byte (1 Ed25519, 2 P-256), then 32 raw bytes or a 65-byte uncompressed point.
    pub fn to_bytes(&self) -> Vec<u8> {
        let tag = match self.algorithm {
            Algorithm::EdDSA => 1,
            Algorithm::ES256 => 2,
        };
        let mut bytes = vec![tag];
        bytes.extend_from_slice(&self.raw);
        bytes
    }

    /// The raw key: 32 bytes, or an uncompressed point.
    pub fn raw(&self) -> &[u8] {
        &self.raw
    }

    /// A JWK (RFC 7517): OKP with Ed25519 (RFC 8037), or EC with P-256. A private key is refused.
    pub fn from_jwk(jwk: &Value) -> Result<Self, BadKey> {
        let member = |name: &str| jwk.get(name).and_then(Value::as_str).ok_or(BadKey);
        let bytes = |name: &str| base64url::decode(member(name)?).ok_or(BadKey);
        if jwk.get("d").is_some() {
            return Err(BadKey);
        }
        match (member("kty")?, member("crv")?) {
            ("OKP", "Ed25519") => Self::new(Algorithm::EdDSA, &bytes("x")?),
            ("EC", "P-256") => {
                let (x, y) = (bytes("x")?, bytes("y")?);
                if x.len() != 32 || y.len() != 32 {
                    return Err(BadKey);
                }
                Self::new(Algorithm::ES256, &[&[4][..], &x, &y].concat())
            }
            _ => Err(BadKey),
        }
    }

    /// As a JWK with its public members alone.
    pub fn to_jwk(&self) -> Value {
        match self.algorithm {
            Algorithm::EdDSA => json!({"kty": "OKP", "crv": "Ed25519", "x": base64url::encode(&self.raw)}),
            Algorithm::ES256 => {
                let (x, y) = self.raw[1..].split_at(32);
                json!({"kty": "EC", "crv": "P-256", "x": base64url::encode(x), "y": base64url::encode(y)})
            }
        }
    }

    /// Its algorithm.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Whether a signature holds.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        self.parsed.verify_sig(message, signature).is_ok()
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.algorithm == other.algorithm && self.raw == other.raw
    }
}

impl Eq for PublicKey {}

impl std::fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PublicKey({}, {})", self.algorithm.name(), base64url::encode(&self.raw))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_algorithms_sign_and_check() {
        for key in [SigningKey::generate_ed25519(), SigningKey::generate_p256()] {
            let again = SigningKey::from_bytes(key.to_bytes()).unwrap();
            let public = PublicKey::from_jwk(&key.public().to_jwk()).unwrap();
            assert_eq!(public, PublicKey::from_bytes(&again.public().to_bytes()).unwrap());
            let mut signature = again.sign(b"message");
            assert_eq!(signature.len(), 64);
            assert!(public.verify(b"message", &signature));
            assert!(!public.verify(b"massage", &signature));
            signature[5] ^= 1;
            assert!(!public.verify(b"message", &signature));
        }
    }

    #[test]
    fn rfc_8032_test_1() {
        let seed: Vec<u8> = (0..32)
            .map(|i| {
                u8::from_str_radix(
                    &"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"[2 * i..2 * i + 2],
                    16,
                )
                .unwrap()
            })
            .collect();
        let key = SigningKey::from_bytes(&seed).unwrap();
        let hex: String = key.public().raw().iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(hex, "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
        assert_eq!(key.sign(b"")[..4], [0xe5, 0x56, 0x43, 0x00]);
    }

    #[test]
    fn refuses_private_and_foreign_keys() {
        for jwk in [
            json!({"kty": "oct", "k": "AA"}),
            json!({"kty": "OKP", "crv": "X25519", "x": "AA"}),
            json!({"kty": "OKP", "crv": "Ed25519", "x": "AA"}),
            json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "d": "AA"}),
        ] {
            assert_eq!(PublicKey::from_jwk(&jwk).unwrap_err(), BadKey);
        }
    }

    #[test]
    fn keys_that_anyone_could_sign_for_are_refused() {
        for y in SMALL_ORDER {
            for sign in [0, 0x80] {
                let mut raw = y;
                raw[31] |= sign;
                assert_eq!(PublicKey::from_ed25519(raw).err(), Some(BadKey), "{raw:02x?}");
            }
        }
        for first in 0xed..=0xff {
            let mut raw = [0xff; 32];
            raw[0] = first;
            assert_eq!(PublicKey::from_ed25519(raw).err(), Some(BadKey), "not canonical");
        }
        assert!(PublicKey::from_ed25519(SigningKey::generate_ed25519().public().raw().try_into().unwrap()).is_ok());
    }
}
