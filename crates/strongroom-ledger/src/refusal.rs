//! Why the ledger does not move money. Refusals are numbered in the order of their precedence:
//! when several would be right, the one with the lowest number is given.

use std::fmt;

macro_rules! refusals {
    ($($name:ident = $number:literal, $code:literal, $status:literal, $detail:literal;)*) => {
        /// A refusal, in order of precedence.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Refusal {
            $(#[doc = $detail] $name = $number,)*
        }

        impl Refusal {
            /// All of them, the first to be given first.
            pub const ALL: &'static [Refusal] = &[$(Refusal::$name,)*];

            /// The stable code that programs read.
            pub fn code(self) -> &'static str {
                match self { $(Refusal::$name => $code,)* }
            }

            /// Cause and cure, for people.
            pub fn detail(self) -> &'static str {
                match self { $(Refusal::$name => $detail,)* }
            }

            /// The HTTP status that says it.
            pub fn status(self) -> u16 {
                match self { $(Refusal::$name => $status,)* }
            }

            /// The refusal with this code.
            pub fn from_code(code: &str) -> Option<Self> {
                match code { $($code => Some(Refusal::$name),)* _ => None }
            }
        }
    };
}

refusals! {
    BadCheckDigit = 1, "bad_check_digit", 422,
        "The account number is mistyped: its check digits do not fit. Compare it with the original.";
    NotFound = 2, "not_found", 404,
        "There is no such account. Check the account id or number, and that you may use it.";
    AmountMalformed = 3, "amount_malformed", 422,
        "The amount is not a plain decimal number with at most the currency's digits. Write it like 12.50.";
    AmountNotPositive = 4, "amount_not_positive", 422,
        "The amount is zero or negative. Only amounts above zero can be moved.";
    AmountTooLarge = 5, "amount_too_large", 422,
        "The amount is larger than any account can hold. Check the number of digits.";
    AccountUnderReview = 6, "account_under_review", 409,
        "The account's record did not pass its integrity check, so nothing moves until the bank has looked at it. Contact the bank.";
    OwnAccount = 7, "own_account", 403,
        "Staff may not serve their own accounts. Ask a colleague.";
    HoldEnded = 8, "hold_ended", 409,
        "The reservation was captured, released or has expired. Look at it, and order anew if money is still to move.";
    AlreadyReversed = 9, "already_reversed", 409,
        "The posting was taken back before. Look at the reversal that refers to it.";
    CaptureTooLarge = 10, "capture_too_large", 422,
        "More is asked for than was reserved. Capture at most the reserved amount.";
    SameAccount = 11, "same_account", 422,
        "Both sides of the order are the same account. Name two different ones.";
    CurrencyMismatch = 12, "currency_mismatch", 422,
        "The order's currency is not the currency of both accounts. Order in the accounts' currency.";
    AccountClosed = 13, "account_closed", 422,
        "One of the accounts is closed. Use another account.";
    AccountFrozen = 14, "account_frozen", 422,
        "One of the accounts is frozen, so nothing may move on it. Contact the bank.";
    InsufficientFunds = 15, "insufficient_funds", 422,
        "The account does not hold enough beside what is reserved on it. Order less, or fund the account first.";
    LimitExceeded = 16, "limit_exceeded", 422,
        "The order is over the limit that applies to the account. Order less, or have the limit raised.";
    Overflow = 17, "overflow", 422,
        "An account would hold more than the ledger can count. Order less, or use another account.";
    LinkedRefused = 18, "linked_refused", 422,
        "Another order of the same linked bulk was refused, so none was carried out. Mend that one and order all anew.";
    HoldTerms = 19, "hold_out_of_range", 422,
        "The reservation would end in the past, or more than 31 days ahead. Give another time.";
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.detail())
    }
}

impl std::error::Error for Refusal {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_distinct_stable_and_lead_back() {
        let codes: Vec<&str> = Refusal::ALL.iter().map(|r| r.code()).collect();
        let stable = "bad_check_digit not_found amount_malformed amount_not_positive amount_too_large account_under_review \
                      own_account hold_ended already_reversed capture_too_large same_account currency_mismatch \
                      account_closed account_frozen insufficient_funds limit_exceeded overflow linked_refused \
                      hold_out_of_range";
        assert_eq!(codes.join(" "), stable);
        for (place, refusal) in Refusal::ALL.iter().enumerate() {
            assert_eq!(*refusal as usize, place + 1, "numbered in order of precedence");
            assert_eq!(Refusal::from_code(refusal.code()), Some(*refusal));
            assert!(matches!(refusal.status(), 403 | 404 | 409 | 422));
            assert!(refusal.detail().matches(". ").count() >= 1, "{}: cause and cure", refusal.code());
        }
        assert_eq!(Refusal::from_code("unheard_of"), None);
    }
}
