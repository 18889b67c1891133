//! Getting back in after a password, a factor or a device was lost: by two proofs of different kinds, and
//! after a waiting time in which the owner, who is told, can end it by signing in.

/// One way to prove that it is you. Two of them are independent: nobody has the one by having the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Evidence {
    /// The password.
    Password,
    /// A code sent to the verified or given e-mail address.
    Email,
    /// A code sent to the verified phone number.
    Sms,
    /// A code of an authenticator, or one on paper.
    Factor,
}

impl Evidence {
    /// All of them.
    pub const ALL: [Evidence; 4] = [Evidence::Password, Evidence::Email, Evidence::Sms, Evidence::Factor];

    /// Its name in the API.
    pub fn name(self) -> &'static str {
        match self {
            Evidence::Password => "password",
            Evidence::Email => "email",
            Evidence::Sms => "sms",
            Evidence::Factor => "factor",
        }
    }

    /// The kind of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|evidence| evidence.name() == name)
    }
}

/// How many kinds are needed.
pub const NEEDED: usize = 2;
/// A recovery that has not been proven ends after this.
pub const PROVING_S: i64 = 24 * 3600;
/// One that has been proven can be finished for so long after its waiting time.
pub const OPEN_S: i64 = 72 * 3600;

/// What a recovery gives back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Renewal {
    /// A new password is chosen.
    pub password: bool,
    /// All factors are removed, and a new one is enrolled.
    pub factors: bool,
}

/// What was not proven was lost, and with the factors the password is renewed, too. None: nothing was, or too little is proven.
pub fn renewal(proven: &[Evidence]) -> Option<Renewal> {
    let has = |evidence| proven.contains(&evidence);
    let kinds = Evidence::ALL.into_iter().filter(|evidence| has(*evidence)).count();
    let factors = !has(Evidence::Factor);
    // Between the old factors and the new one the password alone guards the account: it is a new one then.
    let renewal = Renewal { password: factors || !has(Evidence::Password), factors };
    (kinds >= NEEDED && (renewal.password || renewal.factors)).then_some(renewal)
}

#[cfg(test)]
mod tests {
    use super::Evidence::{Email, Factor, Password, Sms};
    use super::*;

    #[test]
    fn two_kinds_give_back_what_was_not_proven() {
        let renewed = |proven: &[Evidence]| renewal(proven).map(|r| (r.password, r.factors));
        for (proven, expected) in [
            (&[][..], None),
            (&[Email], None),
            (&[Email, Email], None),
            (&[Password, Factor], None),
            (&[Password, Email], Some((true, true))),
            (&[Email, Factor], Some((true, false))),
            (&[Sms, Factor], Some((true, false))),
            (&[Email, Sms], Some((true, true))),
            (&[Password, Email, Factor], None),
        ] {
            assert_eq!(renewed(proven), expected, "{proven:?}");
        }
        for evidence in Evidence::ALL {
            assert_eq!(Evidence::from_name(evidence.name()), Some(evidence));
        }
        assert_eq!(Evidence::from_name("passkey"), None);
    }
}
