//! Money, times and numbers as people read them.

/// An amount with its currency, grouped for reading.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    /// "1,250.50" or "−1,250.50".
    pub text: String,
    /// "USD".
    pub currency: String,
}

impl Sum {
    /// From a plain decimal, as the ledger prints it.
    pub fn new(decimal: &str, currency: &str) -> Self {
        Self { text: grouped(decimal), currency: currency.to_owned() }
    }

    /// With an explicit plus for money that came in.
    pub fn signed(decimal: &str, currency: &str) -> Self {
        let text = grouped(decimal);
        let text = if decimal.starts_with('-') { text } else { format!("+{text}") };
        Self { text, currency: currency.to_owned() }
    }
}

/// A time, for reading and exactly.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    /// "20 Nov 2026".
    pub day: String,
    /// "20 November 2026 at 22:19:05 UTC".
    pub full: String,
    /// RFC 3339.
    pub exact: String,
}

impl Moment {
    /// From microseconds UTC.
    pub fn new(time_us: i64) -> Self {
        jiff::Timestamp::from_microsecond(time_us).map_or_else(|_| Self::default(), Self::of)
    }

    /// From RFC 3339.
    pub fn exactly(text: &str) -> Self {
        text.parse().map_or_else(|_| Self::default(), Self::of)
    }

    fn of(time: jiff::Timestamp) -> Self {
        Self {
            day: time.strftime("%-d %b %Y").to_string(),
            full: time.strftime("%-d %B %Y at %H:%M:%S UTC").to_string(),
            exact: time.to_string(),
        }
    }
}

/// "Chrome on Linux", of what a program calls itself; its first word where it is no browser.
pub fn program(agent: &str) -> String {
    let found =
        |marks: &[(&str, &'static str)]| marks.iter().find(|(mark, _)| agent.contains(mark)).map(|(_, name)| *name);
    let browser = found(&[
        ("Edg/", "Edge"),
        ("OPR/", "Opera"),
        ("Firefox/", "Firefox"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
    ]);
    let system = found(&[
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Windows", "Windows"),
        ("Mac OS", "Mac"),
        ("Linux", "Linux"),
    ]);
    match (browser, system) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(browser), None) => browser.to_owned(),
        _ => agent.split(['/', ' ']).next().unwrap_or_default().chars().take(40).collect(),
    }
}

/// "-1234567.5" as "−1,234,567.5".
fn grouped(decimal: &str) -> String {
    let (sign, digits) = match decimal.strip_prefix('-') {
        Some(rest) => ("\u{2212}", rest),
        None => ("", decimal),
    };
    let (whole, rest) = digits.split_once('.').map_or((digits, ""), |(whole, _)| (whole, &digits[whole.len()..]));
    let mut text = String::from(sign);
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text + rest
}

/// An account number in groups: a CLABE as bank, branch, account and check digit; others by four.
pub fn spaced_number(number: &str) -> String {
    let is_clabe = number.len() == 18 && number.bytes().all(|b| b.is_ascii_digit());
    let widths: &[usize] = if is_clabe { &[3, 3, 4, 4, 3, 1] } else { &[4] };
    in_groups(number, widths)
}

/// A secret in groups of four.
pub fn spaced_secret(secret: &str) -> String {
    in_groups(secret, &[4])
}

/// Splits into groups of these widths; the last width repeats.
fn in_groups(text: &str, widths: &[usize]) -> String {
    let mut out = String::new();
    let (mut group, mut left) = (0, widths.first().copied().unwrap_or(usize::MAX));
    for character in text.chars() {
        if left == 0 {
            group = (group + 1).min(widths.len() - 1);
            left = widths[group];
            out.push(' ');
        }
        out.push(character);
        left -= 1;
    }
    out
}

/// The first name, or the whole when there is only one.
pub fn first_name(full_name: &str) -> &str {
    full_name.split_whitespace().next().unwrap_or(full_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_grouped_with_a_true_minus() {
        for (decimal, text) in [
            ("0.00", "0.00"),
            ("999.99", "999.99"),
            ("1000.00", "1,000.00"),
            ("-1234567.5", "\u{2212}1,234,567.5"),
            ("92233720368547758.07", "92,233,720,368,547,758.07"),
            ("1000000", "1,000,000"),
        ] {
            assert_eq!(Sum::new(decimal, "USD").text, text);
        }
        assert_eq!(Sum::signed("5.00", "USD").text, "+5.00");
        assert_eq!(Sum::signed("-5.00", "USD").text, "\u{2212}5.00");
    }

    #[test]
    fn numbers_are_spaced() {
        assert_eq!(spaced_number("999180123456789012"), "999 180 1234 5678 901 2");
        assert_eq!(spaced_number("DE89370400440532013000"), "DE89 3704 0044 0532 0130 00");
        assert_eq!(spaced_secret("ABCDEFGH"), "ABCD EFGH");
        assert_eq!(spaced_secret(""), "");
    }

    #[test]
    fn times_are_read_in_utc() {
        let moment = Moment::new(1_795_213_145_000_000);
        assert_eq!(moment.day, "20 Nov 2026");
        assert_eq!(moment.full, "20 November 2026 at 22:19:05 UTC");
    }
}
