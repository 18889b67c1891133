//! What keys are for.

use strongroom_crypto::lifecycle::Policy;
use strongroom_crypto::sealed::Suite;

/// What a key is for. Keys of different purposes never meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// Everything personal about one person; a series each.
    Person,
    /// The bank's own fields.
    Bank,
    /// Password hashes, authenticator secrets, successors of refresh tokens.
    Credential,
    /// The signature of access tokens.
    Token,
    /// The signature of the log's checkpoints.
    Log,
    /// The MAC of rows.
    Mac,
    /// Blind indexes.
    Index,
    /// The secret input of password hashes.
    Pepper,
}

impl Purpose {
    /// All of them.
    pub const ALL: [Purpose; 8] = [
        Purpose::Person,
        Purpose::Bank,
        Purpose::Credential,
        Purpose::Token,
        Purpose::Log,
        Purpose::Mac,
        Purpose::Index,
        Purpose::Pepper,
    ];

    /// Its name in the keyring and at the command line.
    pub fn name(self) -> &'static str {
        match self {
            Purpose::Person => "person",
            Purpose::Bank => "bank",
            Purpose::Credential => "credential",
            Purpose::Token => "token",
            Purpose::Log => "log",
            Purpose::Mac => "mac",
            Purpose::Index => "index",
            Purpose::Pepper => "pepper",
        }
    }

    /// The purpose of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|purpose| purpose.name() == name)
    }

    /// What its keys are used with.
    pub fn algorithm(self) -> &'static str {
        match self {
            Purpose::Person => "AES-256-GCM",
            Purpose::Bank | Purpose::Credential => "XAES-256-GCM",
            Purpose::Token | Purpose::Log => "Ed25519",
            Purpose::Mac | Purpose::Index => "HMAC-SHA256",
            Purpose::Pepper => "Argon2id",
        }
    }

    /// How its keys seal fields, if they do.
    pub fn suite(self) -> Option<Suite> {
        match self {
            Purpose::Person => Some(Suite::Aes256Gcm),
            Purpose::Bank | Purpose::Credential => Some(Suite::Xaes256Gcm),
            _ => None,
        }
    }

    /// Whether what a version protects can be protected anew by the next one.
    pub fn is_renewed(self) -> bool {
        self.suite().is_some() || matches!(self, Purpose::Index | Purpose::Mac)
    }

    /// When its keys are due by themselves. A person's key draws random 96-bit nonces, of which
    /// SP 800-38D allows 2³² under one key; it is followed long before. What is pinned by others
    /// (the log's key) or touches every row (indexes, MACs) is followed only when it is asked for.
    pub fn policy(self) -> Option<Policy> {
        const DAY_US: i64 = 24 * 3600 * 1_000_000;
        match self {
            Purpose::Person => Some(Policy { age_us_max: 730 * DAY_US, uses_max: 1 << 28 }),
            Purpose::Bank | Purpose::Credential => Some(Policy { age_us_max: 730 * DAY_US, uses_max: 1 << 40 }),
            Purpose::Token => Some(Policy { age_us_max: 90 * DAY_US, uses_max: u64::MAX >> 1 }),
            Purpose::Log | Purpose::Mac | Purpose::Index | Purpose::Pepper => None,
        }
    }
}
