//! The kinds of second factor, and what each is worth (NIST SP 800-63B-4 section 3, OWASP ASVS 5.0 V6).

/// A kind of second factor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(i64)]
pub enum FactorKind {
    /// Time-based codes of an authenticator app (RFC 6238).
    Totp = 1,
    /// A code sent by mail. Weaker: who reads the mail has it.
    Email = 2,
    /// A code sent by SMS. Weaker: numbers can be taken over.
    Sms = 3,
    /// Codes on paper, each good once.
    Recovery = 4,
    /// A key of a device or security key (WebAuthn).
    Passkey = 5,
}

impl FactorKind {
    /// All of them, the strongest first: the order in which they are offered.
    pub const ALL: [FactorKind; 5] =
        [FactorKind::Passkey, FactorKind::Totp, FactorKind::Email, FactorKind::Sms, FactorKind::Recovery];

    /// Its name in the API.
    pub fn name(self) -> &'static str {
        match self {
            FactorKind::Totp => "totp",
            FactorKind::Email => "email",
            FactorKind::Sms => "sms",
            FactorKind::Recovery => "recovery",
            FactorKind::Passkey => "passkey",
        }
    }

    /// The kind of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The kind of this number.
    pub fn from_number(number: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as i64 == number)
    }

    /// Whether it can be someone's only second factor. Recovery codes are for the day when another is lost.
    pub fn stands_alone(self) -> bool {
        self != FactorKind::Recovery
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_lead_back() {
        for kind in FactorKind::ALL {
            assert_eq!(FactorKind::from_name(kind.name()), Some(kind));
            assert_eq!(FactorKind::from_number(kind as i64), Some(kind));
        }
        assert_eq!(FactorKind::from_name("password"), None);
        assert_eq!(FactorKind::from_number(0), None);
    }
}
