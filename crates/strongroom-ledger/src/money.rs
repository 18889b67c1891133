//! Money: currencies and their minor units, and amounts as exact decimal text. An amount is an
//! `i64` of minor units everywhere else; no float exists in the ledger.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::refusal::Refusal;

/// An active ISO 4217 currency that has minor units (or none, like the yen).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency {
    code: [u8; 3],
    digits: u8,
}

impl Currency {
    /// The US dollar.
    pub const USD: Currency = Currency { code: *b"USD", digits: 2 };
    /// The euro.
    pub const EUR: Currency = Currency { code: *b"EUR", digits: 2 };
    /// The Mexican peso.
    pub const MXN: Currency = Currency { code: *b"MXN", digits: 2 };

    /// How many digits follow the decimal point.
    pub fn digits(self) -> u8 {
        self.digits
    }

    /// The three letters.
    pub fn code(self) -> [u8; 3] {
        self.code
    }

    /// The currency with these three letters.
    pub fn from_code(code: [u8; 3]) -> Option<Self> {
        let digits = match CURRENCIES.binary_search_by(|known| known.as_bytes()[..3].cmp(&code)) {
            Ok(place) => CURRENCIES[place].as_bytes()[3] - b'0',
            Err(_) => return None,
        };
        Some(Currency { code, digits })
    }

    /// Reads an amount of this currency that is to be moved: a plain decimal number above zero, with
    /// at most the currency's digits. Answers minor units.
    pub fn parse_amount(self, text: &str) -> Result<i64, Refusal> {
        let (negative, number) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, fraction) = self.split(number).ok_or(Refusal::AmountMalformed)?;
        let padding = usize::from(self.digits) - fraction.len();
        let digits = whole.bytes().chain(fraction.bytes()).chain(std::iter::repeat_n(b'0', padding));
        let minor = digits.map(|d| i64::from(d - b'0')).try_fold(0i64, |sum, d| sum.checked_mul(10)?.checked_add(d));
        match minor {
            _ if negative => Err(Refusal::AmountNotPositive),
            Some(0) => Err(Refusal::AmountNotPositive),
            Some(minor) => Ok(minor),
            None => Err(Refusal::AmountTooLarge),
        }
    }

    /// Splits a well-formed number at its point: `0` or digits without a leading zero, then at
    /// most the currency's digits.
    fn split(self, number: &str) -> Option<(&str, &str)> {
        let (whole, fraction) = match number.split_once('.') {
            Some((_, "")) => return None,
            Some(parts) => parts,
            None => (number, ""),
        };
        let is_plain = |digits: &str| digits.bytes().all(|d| d.is_ascii_digit());
        let leading_zero = whole.len() > 1 && whole.starts_with('0');
        let fits = !whole.is_empty() && !leading_zero && fraction.len() <= usize::from(self.digits);
        (fits && is_plain(whole) && is_plain(fraction)).then_some((whole, fraction))
    }

    /// An amount in minor units as text, with all of the currency's digits.
    pub fn format_amount(self, minor: i64) -> String {
        let sign = if minor < 0 { "-" } else { "" };
        let scale = 10u64.pow(u32::from(self.digits));
        let (whole, fraction) = (minor.unsigned_abs() / scale, minor.unsigned_abs() % scale);
        match usize::from(self.digits) {
            0 => format!("{sign}{whole}"),
            digits => format!("{sign}{whole}.{fraction:0digits$}"),
        }
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(str::from_utf8(&self.code).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Currency {
    type Err = UnknownCurrency;

    fn from_str(text: &str) -> Result<Self, UnknownCurrency> {
        text.as_bytes().try_into().ok().and_then(Currency::from_code).ok_or(UnknownCurrency)
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// The text is no currency that the ledger knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an active ISO 4217 currency: write its three capital letters, like USD")]
pub struct UnknownCurrency;

/// ISO 4217 list one with the digits after the point, sorted; without metals, test codes and
/// units that have no minor unit defined.
#[rustfmt::skip]
const CURRENCIES: &[&str] = &[
    "AED2", "AFN2", "ALL2", "AMD2", "AOA2", "ARS2", "AUD2", "AWG2", "AZN2", "BAM2", "BBD2", "BDT2", "BHD3", "BIF0",
    "BMD2", "BND2", "BOB2", "BOV2", "BRL2", "BSD2", "BTN2", "BWP2", "BYN2", "BZD2", "CAD2", "CDF2", "CHE2", "CHF2",
    "CHW2", "CLF4", "CLP0", "CNY2", "COP2", "COU2", "CRC2", "CUP2", "CVE2", "CZK2", "DJF0", "DKK2", "DOP2", "DZD2",
    "EGP2", "ERN2", "ETB2", "EUR2", "FJD2", "FKP2", "GBP2", "GEL2", "GHS2", "GIP2", "GMD2", "GNF0", "GTQ2", "GYD2",
    "HKD2", "HNL2", "HTG2", "HUF2", "IDR2", "ILS2", "INR2", "IQD3", "IRR2", "ISK0", "JMD2", "JOD3", "JPY0", "KES2",
    "KGS2", "KHR2", "KMF0", "KPW2", "KRW0", "KWD3", "KYD2", "KZT2", "LAK2", "LBP2", "LKR2", "LRD2", "LSL2", "LYD3",
    "MAD2", "MDL2", "MGA2", "MKD2", "MMK2", "MNT2", "MOP2", "MRU2", "MUR2", "MVR2", "MWK2", "MXN2", "MXV2", "MYR2",
    "MZN2", "NAD2", "NGN2", "NIO2", "NOK2", "NPR2", "NZD2", "OMR3", "PAB2", "PEN2", "PGK2", "PHP2", "PKR2", "PLN2",
    "PYG0", "QAR2", "RON2", "RSD2", "RUB2", "RWF0", "SAR2", "SBD2", "SCR2", "SDG2", "SEK2", "SGD2", "SHP2", "SLE2",
    "SOS2", "SRD2", "SSP2", "STN2", "SVC2", "SYP2", "SZL2", "THB2", "TJS2", "TMT2", "TND3", "TOP2", "TRY2", "TTD2",
    "TWD2", "TZS2", "UAH2", "UGX0", "USD2", "USN2", "UYI0", "UYU2", "UYW4", "UZS2", "VED2", "VES2", "VND0", "VUV0",
    "WST2", "XAF0", "XCD2", "XCG2", "XOF0", "XPF0", "YER2", "ZAR2", "ZMW2", "ZWG2",
];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn currency(code: &str) -> Currency {
        code.parse().unwrap()
    }

    #[test]
    fn amounts_are_exact_or_refused() {
        use Refusal::*;
        for (code, text, expected) in [
            ("USD", "12.50", Ok(1250)),
            ("USD", "12.5", Ok(1250)),
            ("USD", "12", Ok(1200)),
            ("USD", "0.01", Ok(1)),
            ("JPY", "500", Ok(500)),
            ("KWD", "1.234", Ok(1234)),
            ("CLF", "0.0001", Ok(1)),
            ("USD", "92233720368547758.07", Ok(i64::MAX)),
            ("USD", "92233720368547758.08", Err(AmountTooLarge)),
            ("USD", "99999999999999999999999999", Err(AmountTooLarge)),
            ("USD", "0", Err(AmountNotPositive)),
            ("USD", "0.00", Err(AmountNotPositive)),
            ("USD", "-0", Err(AmountNotPositive)),
            ("USD", "-5", Err(AmountNotPositive)),
            ("USD", "-99999999999999999999999999", Err(AmountNotPositive)),
            ("USD", "12.505", Err(AmountMalformed)),
            ("USD", "12.500", Err(AmountMalformed)),
            ("JPY", "5.0", Err(AmountMalformed)),
            ("USD", "1e3", Err(AmountMalformed)),
            ("USD", "+5", Err(AmountMalformed)),
            ("USD", "--5", Err(AmountMalformed)),
            ("USD", "-", Err(AmountMalformed)),
            ("USD", "-x", Err(AmountMalformed)),
            ("USD", " 5", Err(AmountMalformed)),
            ("USD", "5 ", Err(AmountMalformed)),
            ("USD", "1,000", Err(AmountMalformed)),
            ("USD", "1_000", Err(AmountMalformed)),
            ("USD", "05", Err(AmountMalformed)),
            ("USD", ".5", Err(AmountMalformed)),
            ("USD", "5.", Err(AmountMalformed)),
            ("USD", "5..1", Err(AmountMalformed)),
            ("USD", "5.-1", Err(AmountMalformed)),
            ("USD", "", Err(AmountMalformed)),
            ("USD", "NaN", Err(AmountMalformed)),
            ("USD", "٥", Err(AmountMalformed)),
            ("USD", "0x10", Err(AmountMalformed)),
            ("USD", "5\0", Err(AmountMalformed)),
        ] {
            assert_eq!(currency(code).parse_amount(text), expected, "{code} {text:?}");
        }
    }

    #[test]
    fn amounts_are_written_with_all_digits() {
        for (code, minor, text) in [
            ("USD", 1250, "12.50"),
            ("USD", 5, "0.05"),
            ("USD", -5, "-0.05"),
            ("USD", 0, "0.00"),
            ("JPY", -500, "-500"),
            ("KWD", 1, "0.001"),
            ("USD", i64::MIN, "-92233720368547758.08"),
            ("JPY", i64::MAX, "9223372036854775807"),
        ] {
            assert_eq!(currency(code).format_amount(minor), text);
        }
    }

    #[test]
    fn the_table_is_in_order_and_complete_enough() {
        assert!(CURRENCIES.is_sorted());
        for known in CURRENCIES {
            assert_eq!(currency(&known[..3]).to_string(), known[..3]);
        }
        for unknown in ["", "US", "USDD", "usd", "XAU", "XXX", "ZZZ", "U$D", "ÜS"] {
            assert_eq!(unknown.parse::<Currency>(), Err(UnknownCurrency), "{unknown}");
        }
        for constant in [Currency::USD, Currency::EUR, Currency::MXN] {
            assert_eq!(Currency::from_code(constant.code()), Some(constant));
        }
    }

    proptest! {
        #[test]
        fn text_and_minor_units_agree(minor in 1..=i64::MAX, place in 0..CURRENCIES.len()) {
            let currency = currency(&CURRENCIES[place][..3]);
            prop_assert_eq!(currency.parse_amount(&currency.format_amount(minor)), Ok(minor));
        }

        #[test]
        fn no_text_makes_it_panic(text in "[-+0-9.eE, ]{0,30}|\\PC{0,10}") {
            if let Ok(minor) = Currency::USD.parse_amount(&text) {
                prop_assert!(minor > 0);
            }
        }
    }
}
