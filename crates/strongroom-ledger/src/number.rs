//! Account numbers that people type: CLABE and IBAN, both with check digits that find a slip.

use crate::refusal::Refusal;

/// A scheme of account numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NumberScheme {
    /// Mexico's 18 digits: bank 3, branch 3, account 11, control digit 1.
    Clabe,
    /// ISO 13616: country, two check digits, and the country's own account number.
    Iban,
}

impl NumberScheme {
    /// Its name in settings and answers.
    pub fn name(self) -> &'static str {
        match self {
            NumberScheme::Clabe => "clabe",
            NumberScheme::Iban => "iban",
        }
    }

    /// The scheme with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        [NumberScheme::Clabe, NumberScheme::Iban].into_iter().find(|scheme| scheme.name() == name)
    }
}

/// Reads a number as people write it (spaces and hyphens between groups, small letters) and checks
/// its check digits. Answers its scheme and normal form; everything else is [`Refusal::BadCheckDigit`].
pub fn check(text: &str) -> Result<(NumberScheme, String), Refusal> {
    let normal: String = text.chars().filter(|c| !matches!(c, ' ' | '-')).map(|c| c.to_ascii_uppercase()).collect();
    let scheme = if is_clabe(&normal) {
        NumberScheme::Clabe
    } else if is_iban(&normal) {
        NumberScheme::Iban
    } else {
        return Err(Refusal::BadCheckDigit);
    };
    Ok((scheme, normal))
}

/// The CLABE of an account. Of each argument only as many digits count as the number has room
/// for, so that a serial may be drawn at random from all of `u64`.
pub fn clabe(bank: u16, branch: u16, serial: u64) -> String {
    let mut number = format!("{:03}{:03}{:011}", bank % 1000, branch % 1000, serial % 100_000_000_000);
    let control = clabe_control(number.as_bytes());
    number.push(char::from(b'0' + control));
    number
}

/// The IBAN of a country's account number (`bban`: the national bank code and account number).
pub fn iban(country: &str, bban: &str) -> String {
    let check = 98 - mod_97(bban.bytes().chain(country.bytes()).chain(*b"00")).unwrap_or(0);
    format!("{country}{check:02}{bban}")
}

fn is_clabe(normal: &str) -> bool {
    let digits = normal.as_bytes();
    digits.len() == 18 && digits.iter().all(u8::is_ascii_digit) && digits[17] - b'0' == clabe_control(&digits[..17])
}

/// Weights 3, 7, 1 in turn, each product modulo 10; the control digit fills up to a multiple of ten.
fn clabe_control(digits: &[u8]) -> u8 {
    let sum: u32 =
        digits.iter().zip([3, 7, 1].into_iter().cycle()).map(|(d, weight)| u32::from(d - b'0') * weight % 10).sum();
    ((10 - sum % 10) % 10) as u8
}

fn is_iban(normal: &str) -> bool {
    let Some((country, rest)) = normal.split_at_checked(2) else { return false };
    let Some((digits, bban)) = rest.split_at_checked(2) else { return false };
    let length_fits = match IBAN_LENGTHS.binary_search_by_key(&country, |(country, _)| country) {
        Ok(place) => normal.len() == usize::from(IBAN_LENGTHS[place].1),
        Err(_) => false,
    };
    // 98 - (n mod 97) lies in 2..=98: 00, 01 and 99 would be second spellings of 97, 98 and 02.
    let canonical = matches!(digits.parse::<u8>(), Ok(2..=98)) && digits.bytes().all(|d| d.is_ascii_digit());
    length_fits && canonical && mod_97(bban.bytes().chain(country.bytes()).chain(digits.bytes())) == Some(1)
}

/// ISO 7064: letters count as 10 to 35. Nothing when a character is neither digit nor capital.
fn mod_97(characters: impl Iterator<Item = u8>) -> Option<u32> {
    let mut rest = 0;
    for character in characters {
        rest = match character {
            b'0'..=b'9' => rest * 10 + u32::from(character - b'0'),
            b'A'..=b'Z' => rest * 100 + u32::from(character - b'A') + 10,
            _ => return None,
        } % 97;
    }
    Some(rest)
}

/// Whole lengths by country, after the SWIFT IBAN registry; sorted.
#[rustfmt::skip]
const IBAN_LENGTHS: &[(&str, u8)] = &[
    ("AD", 24), ("AE", 23), ("AL", 28), ("AT", 20), ("AZ", 28), ("BA", 20), ("BE", 16), ("BG", 22), ("BH", 22),
    ("BI", 27), ("BR", 29), ("BY", 28), ("CH", 21), ("CR", 22), ("CY", 28), ("CZ", 24), ("DE", 22), ("DJ", 27),
    ("DK", 18), ("DO", 28), ("EE", 20), ("EG", 29), ("ES", 24), ("FI", 18), ("FK", 18), ("FO", 18), ("FR", 27),
    ("GB", 22), ("GE", 22), ("GI", 23), ("GL", 18), ("GR", 27), ("GT", 28), ("HN", 28), ("HR", 21), ("HU", 28),
    ("IE", 22), ("IL", 23), ("IQ", 23), ("IS", 26), ("IT", 27), ("JO", 30), ("KW", 30), ("KZ", 20), ("LB", 28),
    ("LC", 32), ("LI", 21), ("LT", 20), ("LU", 20), ("LV", 21), ("LY", 25), ("MC", 27), ("MD", 24), ("ME", 22),
    ("MK", 19), ("MN", 20), ("MR", 27), ("MT", 31), ("MU", 30), ("NI", 28), ("NL", 18), ("NO", 15), ("OM", 23),
    ("PK", 24), ("PL", 28), ("PS", 29), ("PT", 25), ("QA", 29), ("RO", 24), ("RS", 22), ("RU", 33), ("SA", 24),
    ("SC", 31), ("SD", 18), ("SE", 24), ("SI", 19), ("SK", 24), ("SM", 27), ("SO", 23), ("ST", 25), ("SV", 28),
    ("TL", 23), ("TN", 24), ("TR", 26), ("UA", 29), ("VA", 22), ("VG", 24), ("XK", 20), ("YE", 30),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_numbers_pass() {
        for (text, scheme, normal) in [
            ("032180000118359719", NumberScheme::Clabe, "032180000118359719"),
            ("002 010 07777777777 1", NumberScheme::Clabe, "002010077777777771"),
            ("GB29 NWBK 6016 1331 9268 19", NumberScheme::Iban, "GB29NWBK60161331926819"),
            ("de89-3704-0044-0532-0130-00", NumberScheme::Iban, "DE89370400440532013000"),
            ("NO9386011117947", NumberScheme::Iban, "NO9386011117947"),
            ("MT84MALT011000012345MTLCAST001S", NumberScheme::Iban, "MT84MALT011000012345MTLCAST001S"),
        ] {
            assert_eq!(check(text), Ok((scheme, normal.to_owned())), "{text}");
        }
        assert_eq!(clabe(2, 10, 7777777777), "002010077777777771");
        assert_eq!(clabe(32, 180, 11835971), "032180000118359719");
        assert_eq!(iban("GB", "NWBK60161331926819"), "GB29NWBK60161331926819");
        assert_eq!(iban("DE", "370400440532013000"), "DE89370400440532013000");
    }

    #[test]
    fn every_slip_of_one_digit_and_every_swap_in_an_iban_is_found() {
        for number in ["032180000118359719", "DE89370400440532013000", "GB29NWBK60161331926819"] {
            for place in 0..number.len() {
                for digit in b'0'..=b'9' {
                    let mut slip = number.as_bytes().to_vec();
                    if slip[place].is_ascii_digit() && slip[place] != digit {
                        slip[place] = digit;
                        assert_eq!(check(str::from_utf8(&slip).unwrap()), Err(Refusal::BadCheckDigit));
                    }
                }
            }
        }
        let number = b"DE89370400440532013000";
        for place in 2..number.len() - 1 {
            let mut swapped = number.to_vec();
            swapped.swap(place, place + 1);
            assert_eq!(check(str::from_utf8(&swapped).unwrap()).is_ok(), swapped == number);
        }
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in [
            "",
            " ",
            "0",
            "03218000011835971",
            "0321800001183597190",
            "03218000011835971９",
            "DE8937040044053201300",
            "ZZ89370400440532013000",
            "DE893704004405320130000",
            "DE8937040044053201300Ö",
            "acct_0123456789abcdef00000000000000ff",
            "é",
            "DÉ89",
            "GB29_NWBK60161331926819",
        ] {
            assert_eq!(check(text), Err(Refusal::BadCheckDigit), "{text:?}");
        }
        assert!(IBAN_LENGTHS.is_sorted());
    }

    #[test]
    fn what_is_made_checks() {
        for serial in [0, 1, 99_999_999_999, u64::MAX, 12_345] {
            assert!(check(&clabe(646, 180, serial)).is_ok());
            assert!(check(&iban("DE", &format!("{:018}", serial % 1_000_000_000_000_000_000))).is_ok());
        }
    }
}
