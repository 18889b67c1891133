//! Why a call did not succeed.

use strongroom_api::Problem;

use crate::state::StateError;

/// Why a call did not succeed, with what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address cannot be one.
    #[error("the server's address is not usable: {0}; write it like https://bank.example:8443")]
    Url(&'static str),
    /// The certificate authority cannot be read.
    #[error("the certificate authority is not usable: {0}; give the bank's PEM file with --ca FILE")]
    Authority(String),
    /// Nobody answers there.
    #[error("{server} cannot be reached: {cause}; check the address, and that the bank is running")]
    Unreachable {
        /// The address.
        server: String,
        /// What the system said.
        cause: String,
    },
    /// Who answers is not the bank that was pinned.
    #[error(
        "{server} did not prove that it is the bank: {cause}; if its authority was replaced, ask the bank for the new one and give it with --ca FILE"
    )]
    Untrusted {
        /// The address.
        server: String,
        /// What did not hold.
        cause: String,
    },
    /// The request was sent, and no answer came: it may have been carried out.
    #[error("{server} gave no answer: {cause}; what was asked may have been done, so ask again in the same words")]
    Lost {
        /// The address.
        server: String,
        /// What happened.
        cause: String,
    },
    /// The bank says no.
    #[error("{}", told(.problem))]
    Refused {
        /// Its words.
        problem: Box<Problem>,
        /// Seconds after which to try again.
        retry_after_s: Option<u64>,
    },
    /// The answer is not what the API promises.
    #[error(
        "the server's answer was not understood: {0}; check that the server and this program have the same version"
    )]
    Answer(String),
    /// The client's own files.
    #[error(transparent)]
    State(#[from] StateError),
}

impl Error {
    /// The HTTP status of a refusal.
    pub fn status(&self) -> Option<u16> {
        match self {
            Error::Refused { problem, .. } => Some(problem.status),
            _ => None,
        }
    }

    /// After how many seconds to come back, if the bank said so.
    pub fn retry_after_s(&self) -> Option<u64> {
        match self {
            Error::Refused { retry_after_s, .. } => *retry_after_s,
            _ => None,
        }
    }

    /// The stable code of a refusal.
    pub fn code(&self) -> Option<&str> {
        match self {
            Error::Refused { problem, .. } => Some(&problem.code),
            _ => None,
        }
    }
}

fn told(problem: &Problem) -> String {
    let mut told = format!("{} ({})", problem.detail.trim_end_matches('.'), problem.code);
    for field in &problem.errors {
        told.push_str(&format!("\n  {}: {}", field.field, field.detail));
    }
    told
}
