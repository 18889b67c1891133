//! The JSON types of the API, shared by server and client.
//!
//! Requests refuse unknown members. Ids and amounts are text; times are RFC 3339 UTC.
//! **Absence:** no other crate knows the shape of a request or an answer.

use serde::{Deserialize, Serialize};

macro_rules! bodies {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* })*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
            #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
            #[serde(deny_unknown_fields)]
            pub struct $name { $($(#[$field_doc])* pub $field: $type,)* }
        )*
    };
}

mod administration;
mod money;
mod people;

pub use administration::*;
pub use money::*;
pub use people::*;

bodies! {
    /// `GET /.well-known/strongroom`
    WellKnown {
        /// The bank's name.
        bank: String,
        /// The log's name: the audience of signed orders.
        origin: String,
        /// ISO 4217 codes.
        currencies: Vec<String>,
        /// The log's key, as a C2SP verifier key.
        log_key: String,
        /// The certificate authority to pin, in PEM.
        ca: String,
    }

    /// A key that checks access tokens (RFC 7517, RFC 8037).
    TokenKey {
        /// `OKP`
        kty: String,
        /// `Ed25519`
        crv: String,
        /// The key, in base64url.
        x: String,
        /// Its name in tokens.
        kid: String,
        /// `sig`
        #[serde(rename = "use")]
        usage: String,
        /// `EdDSA`
        alg: String,
    }

    /// `GET /.well-known/jwks.json`
    TokenKeys {
        /// The one that signs, and the one before it for as long as its tokens may be out.
        keys: Vec<TokenKey>,
    }

    /// `GET /readyz`
    Readiness {
        /// `ready` or `read_only`.
        status: String,
        /// Why the bank only reads.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        detail: Option<String>,
    }

    /// One field of a form that needs attention.
    FieldProblem {
        /// The field.
        field: String,
        /// Stable code.
        code: String,
        /// For the person.
        detail: String,
    }
}

/// A page of a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct List<T> {
    /// The items.
    pub items: Vec<T>,
    /// Where the list goes on.
    pub next_cursor: Option<String>,
}

/// The answer to a right password.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum SignInStep {
    /// A factor is asked for.
    FactorRequired {
        /// To be given back with the code.
        challenge: String,
        /// Kinds that will do.
        factors: Vec<String>,
    },
    /// The person has no factor yet.
    EnrolmentRequired {
        /// A bearer token that can only enrol a factor.
        enrolment_token: String,
    },
}

/// An error (RFC 9457).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Problem {
    /// Always `about:blank`: the code says more.
    #[serde(rename = "type")]
    pub kind: String,
    /// The status in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// Stable, for programs.
    pub code: String,
    /// For people: what happened, and what to do.
    pub detail: String,
    /// The fields of a form that need attention.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldProblem>,
}

impl Problem {
    /// A problem of this status and code.
    pub fn new(status: u16, title: &str, code: &str, detail: &str, errors: Vec<FieldProblem>) -> Self {
        Problem {
            kind: "about:blank".into(),
            title: title.into(),
            status,
            code: code.into(),
            detail: detail.into(),
            errors,
        }
    }
}
