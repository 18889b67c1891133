//! Why the bank did not do what it was asked: each kind has a stable code, and words for the
//! person who asked; what only the operator may know is kept apart and goes to the log.

use strongroom_identity::credential::FieldError;
use strongroom_ledger::refusal::Refusal;

/// The result of asking the bank for something.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not signed in, or no longer.
    #[error("not signed in")]
    Unauthenticated,
    /// A wrong user name, password or code; never says which.
    #[error("wrong credentials")]
    BadCredentials,
    /// Understood, and not allowed.
    #[error("{detail}")]
    Forbidden {
        /// Stable code.
        code: &'static str,
        /// For the person.
        detail: String,
    },
    /// It is sealed under keys that were destroyed.
    #[error("{0}")]
    Erased(&'static str),
    /// Not there, or someone else's.
    #[error("not found")]
    NotFound,
    /// It contradicts what is there.
    #[error("{detail}")]
    Conflict {
        /// Stable code.
        code: &'static str,
        /// For the person.
        detail: String,
    },
    /// Unparsable.
    #[error("{0}")]
    Malformed(String),
    /// Some fields of a form are wrong.
    #[error("some fields need attention")]
    Invalid(Vec<FieldError>),
    /// The ledger refused the order.
    #[error("{}", .0.code())]
    Refused(Refusal),
    /// Too often; the caller may come back later.
    #[error("too many attempts")]
    TooMany {
        /// After this many seconds.
        retry_after_s: u64,
    },
    /// The queue is full.
    #[error("the bank is busy")]
    Busy,
    /// The bank may not write now; the words say why and what to do.
    #[error("{0}")]
    ReadOnly(String),
    /// The database failed.
    #[error("database: {0}")]
    Database(#[from] strongroom_sql::Error),
    /// A row that must carry a MAC or seal of ours does not.
    #[error("integrity: {0}")]
    Integrity(String),
    /// Something else broke; the words are for the operator.
    #[error("{0}")]
    Internal(String),
}

impl From<FieldError> for Error {
    fn from(field: FieldError) -> Self {
        Error::Invalid(vec![field])
    }
}

impl Error {
    /// 403 with a code.
    pub fn forbidden(code: &'static str, detail: &str) -> Self {
        Error::Forbidden { code, detail: detail.to_owned() }
    }

    /// The signature over an order does not hold.
    pub fn bad_signature(why: &str) -> Self {
        Error::Forbidden { code: "bad_signature", detail: format!("The order's signature was not accepted: {why}.") }
    }

    /// One wrong field.
    pub fn field(field: &'static str, code: &'static str, detail: &str) -> Self {
        Error::Invalid(vec![FieldError { field, code, detail: detail.to_owned() }])
    }
}
