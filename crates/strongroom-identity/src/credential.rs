//! What people type when they sign up: each field checked by itself, in words they understand
//! (NIST SP 800-63B-4 section 3.1.1.2 for passwords: length and a list of common ones, no
//! composition rules).

use zxcvbn::zxcvbn;

/// One wrong field of a form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// The field.
    pub field: &'static str,
    /// Stable code.
    pub code: &'static str,
    /// For the person.
    pub detail: String,
}

const PASSWORD_CHARS_MIN: usize = 8;
const PASSWORD_CHARS_MIN_ALONE: usize = 15;
const PASSWORD_CHARS_MAX: usize = 256;

/// Fewer guesses than this, and it is one of the first that guessers try (zxcvbn's estimate).
const GUESSES_MIN: u64 = 1_000_000;

/// 3 to 32 letters, digits, dots, hyphens or underscores.
pub fn check_username(text: &str) -> Result<(), FieldError> {
    let text = text.trim();
    let allowed = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_');
    if !(3..=32).contains(&text.chars().count()) {
        return error("username", "length", "Choose a user name of 3 to 32 characters.");
    }
    if !text.chars().all(allowed) {
        return error("username", "characters", "A user name may have letters, digits, dots, hyphens and underscores.");
    }
    Ok(())
}

/// Long enough, not common, not close to the person's own data. `is_blocked`: it is on the operator's list.
pub fn check_password(
    password: &str,
    has_second_factor: bool,
    own_data: &[&str],
    is_blocked: bool,
) -> Result<(), Vec<FieldError>> {
    let wrong = |code, detail: String| Err(vec![FieldError { field: "password", code, detail }]);
    let least = if has_second_factor { PASSWORD_CHARS_MIN } else { PASSWORD_CHARS_MIN_ALONE };
    let length = password.chars().count();
    if length < least {
        return wrong(
            "too_short",
            format!("Use at least {least} characters; a few words in a row are easy to keep in mind."),
        );
    }
    if length > PASSWORD_CHARS_MAX {
        return wrong("too_long", format!("Use at most {PASSWORD_CHARS_MAX} characters."));
    }
    let lower = password.to_lowercase();
    let mut parts = own_data.iter().flat_map(|data| {
        data.split(|c: char| !c.is_alphanumeric()).map(str::to_lowercase).chain([data.to_lowercase()])
    });
    if parts.any(|part| part.chars().count() >= 4 && lower.contains(&part) && part.len() * 2 >= lower.len()) {
        return wrong(
            "too_personal",
            "This password is too close to your name or contact data. Choose another.".into(),
        );
    }
    if is_blocked || zxcvbn(password, own_data).guesses() < GUESSES_MIN {
        return wrong("too_common", "This password is one of the first that guessers try. Choose another.".into());
    }
    Ok(())
}

/// How well a password would stand guessing, for whoever types it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Strength {
    /// 0 (guessed at once) to 4 (not in a lifetime).
    pub score: u8,
    /// What is weak about it, or nothing.
    pub words: String,
}

/// Looks at a password as it is typed.
pub fn strength(password: &str, own_data: &[&str]) -> Strength {
    let estimate = zxcvbn(password, own_data);
    let warning = estimate.feedback().and_then(|feedback| feedback.warning());
    Strength { score: estimate.score().into(), words: warning.map_or_else(String::new, |warning| warning.to_string()) }
}

/// 1 to 120 characters, no control characters.
pub fn check_full_name(text: &str) -> Result<(), FieldError> {
    plain(text, "full_name", 120, "Give your name as it should stand on a letter, up to 120 characters.")
}

/// Why somebody looks at what is masked: 8 to 200 characters, no control characters.
pub fn check_reason(text: &str) -> Result<(), FieldError> {
    if text.trim().chars().count() < 8 {
        return error("reason", "too_short", "Give a reason that others will understand, of 8 to 200 characters.");
    }
    plain(text, "reason", 200, "Give a reason that others will understand, of 8 to 200 characters.")
}

/// One `@`, something before it, a domain with a dot after it.
pub fn check_email(text: &str) -> Result<(), FieldError> {
    let text = text.trim();
    let is_address = text.split_once('@').is_some_and(|(local, domain)| {
        !local.is_empty()
            && !domain.contains('@')
            && domain.split('.').count() >= 2
            && domain.split('.').all(|label| !label.is_empty())
    });
    if !is_address || text.len() > 254 || text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return error(
            "email",
            "malformed",
            "This does not look like an e-mail address. It should read like name@example.com.",
        );
    }
    Ok(())
}

/// With its country code: 7 to 15 digits.
pub fn check_phone(text: &str) -> Result<(), FieldError> {
    let kept: String = text.chars().filter(|c| !matches!(c, ' ' | '.' | '-' | '(' | ')')).collect();
    let digits = kept.strip_prefix('+').or_else(|| kept.strip_prefix("00"));
    match digits {
        Some(digits) if (7..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()) => Ok(()),
        _ => error("phone", "malformed", "Give the phone number with its country code, like +52 55 1234 5678."),
    }
}

/// 4 to 32 letters and digits.
pub fn check_national_id(text: &str) -> Result<(), FieldError> {
    let kept: Vec<char> = text.chars().filter(|c| !matches!(c, ' ' | '-' | '.' | '/')).collect();
    if !(4..=32).contains(&kept.len()) || !kept.iter().all(char::is_ascii_alphanumeric) {
        return error("national_id", "malformed", "A national id has 4 to 32 letters and digits.");
    }
    Ok(())
}

/// A real day, `YYYY-MM-DD`, from 1900 on.
pub fn check_date_of_birth(text: &str) -> Result<(), FieldError> {
    let wrong = || error("date_of_birth", "malformed", "Give the date of birth as year-month-day, like 1990-04-12.");
    let parts: Vec<&str> = text.split('-').collect();
    let [year, month, day] = parts[..] else { return wrong() };
    let is_digits = text.bytes().all(|b| b.is_ascii_digit() || b == b'-');
    if (year.len(), month.len(), day.len()) != (4, 2, 2) || !is_digits {
        return wrong();
    }
    let (Ok(year), Ok(month), Ok(day)) = (year.parse::<u32>(), month.parse::<u32>(), day.parse::<u32>()) else {
        return wrong();
    };
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        4 | 6 | 9 | 11 => 30,
        2 if is_leap => 29,
        2 => 28,
        1..=12 => 31,
        _ => 0,
    };
    if !(1900..=2100).contains(&year) || !(1..=days).contains(&day) { wrong() } else { Ok(()) }
}

/// What people call their accounts and devices: it is shown in places that control characters could command.
pub fn check_label(text: &str, detail: &'static str) -> Result<(), FieldError> {
    let is_plain = !text.trim().is_empty() && text.chars().count() <= 64 && !text.chars().any(char::is_control);
    if is_plain { Ok(()) } else { error("name", "malformed", detail) }
}

/// 1 to 300 characters; lines may break.
pub fn check_address(text: &str) -> Result<(), FieldError> {
    plain(&text.replace(['\n', '\r'], " "), "address", 300, "Give a postal address of up to 300 characters.")
}

fn plain(text: &str, field: &'static str, chars_max: usize, detail: &str) -> Result<(), FieldError> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > chars_max || text.chars().any(char::is_control) {
        return error(field, "malformed", detail);
    }
    Ok(())
}

fn error(field: &'static str, code: &'static str, detail: &str) -> Result<(), FieldError> {
    Err(FieldError { field, code, detail: detail.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords() {
        let code = |password: &str, own: &[&str]| check_password(password, true, own, false).err().map(|e| e[0].code);
        assert_eq!(code("correct horse", &[]), None);
        assert_eq!(code("short", &[]), Some("too_short"));
        assert_eq!(code(&"x".repeat(300), &[]), Some("too_long"));
        let blocked = check_password("a fine enough passphrase", true, &[], true).err().map(|e| e[0].code);
        assert_eq!(blocked, Some("too_common"));
        for common in ["password", "PASSWORD", "Password123!", "12345678", "aaaaaaaa", "qwertyuiop"] {
            assert_eq!(code(common, &[]), Some("too_common"), "{common}");
        }
        assert_eq!(code("amelia.hart1", &["amelia.hart"]), Some("too_personal"));
        assert_eq!(code("ameliahart99", &["Amelia Hart"]), Some("too_personal"));
        assert_eq!(code("my hart beats for tea", &["Amelia Hart"]), None);
        assert!(check_password("fourteen chars", false, &[], false).is_err());
        assert!(check_password("violet ladders hum at noon", true, &[], false).is_ok());
    }

    #[test]
    fn fields() {
        assert!(check_username("ana_1").is_ok() && check_username("ab").is_err() && check_username("a b c").is_err());
        for good in ["a@b.co", "Ana.Torres+x@mail.example.com"] {
            assert!(check_email(good).is_ok(), "{good}");
        }
        for bad in ["", "a", "a@b", "@b.co", "a@b..co", "a b@c.de", "a@b@c.de"] {
            assert!(check_email(bad).is_err(), "{bad}");
        }
        assert!(
            check_phone("+52 (55) 1234-5678").is_ok()
                && check_phone("5512345678").is_err()
                && check_phone("+12").is_err()
        );
        assert!(check_date_of_birth("2000-02-29").is_ok() && check_date_of_birth("1900-02-29").is_err());
        assert!(check_date_of_birth("1990-4-12").is_err() && check_date_of_birth("1990-13-01").is_err());
        assert!(check_national_id("078-05-1120").is_ok() && check_national_id("1").is_err());
        assert!(
            check_full_name("José Núñez").is_ok()
                && check_full_name(" ").is_err()
                && check_full_name("a\u{7}").is_err()
        );
        assert!(check_address("Calle 1\n06700 México").is_ok() && check_address("").is_err());
    }
}
