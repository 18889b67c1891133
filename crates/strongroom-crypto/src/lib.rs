//! Keys, sealed fields, blind indexes, signatures, tokens, password hashes and one-time codes.
//!
//! **Absence:** no other crate names a cryptographic primitive, and nothing here does I/O except
//! reading and writing a root key's file, and asking a hardware token.

pub mod base64url;
pub mod blind;
pub mod digest;
pub mod jws;
#[cfg(test)]
mod known_answers;
pub mod lifecycle;
pub mod mac;
pub mod measure;
pub mod passkey;
pub mod password;
pub mod random;
pub mod root;
pub mod sealed;
pub mod secret;
pub mod shares;
pub mod sign;
pub mod token;
pub mod totp;
pub mod wrap;
mod xaes;
