//! Blind indexes: HMAC-SHA256 of a value's normal form under a key per column, cut to 16 bytes.
//! Equal values have equal indexes, and whoever holds the index key can try values; nothing else
//! is told.

use aws_lc_rs::hmac;
use unicode_normalization::UnicodeNormalization;

use crate::secret::Secret;

/// The index key of one column.
pub struct IndexKey(hmac::Key);

/// A value that has no normal form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the value has no normal form")]
pub struct NotNormal;

impl IndexKey {
    /// The key of a column, derived from the bank's index key.
    pub fn new(secret: &Secret, column: [u8; 16]) -> Self {
        let label: String = column.iter().map(|b| format!("{b:02x}")).collect();
        let key = secret.derive(&format!("strongroom blind index v1/{label}"));
        IndexKey(hmac::Key::new(hmac::HMAC_SHA256, key.expose()))
    }

    /// The index of a normal form.
    pub fn index(&self, normal: &str) -> [u8; 16] {
        let mut index = [0; 16];
        index.copy_from_slice(&hmac::sign(&self.0, normal.as_bytes()).as_ref()[..16]);
        index
    }
}

/// NFC, lower case, no space around.
pub fn normal_username(text: &str) -> Result<String, NotNormal> {
    nonempty(text.trim().nfc().collect::<String>().to_lowercase())
}

/// NFC, lower case throughout: addresses that differ only in case are taken as one person's.
pub fn normal_email(text: &str) -> Result<String, NotNormal> {
    let normal = nonempty(text.trim().nfc().collect::<String>().to_lowercase())?;
    if normal.contains('@') { Ok(normal) } else { Err(NotNormal) }
}

/// `+` and digits: E.164. Spaces, dots, hyphens and parentheses are dropped, `00` becomes `+`.
pub fn normal_phone(text: &str) -> Result<String, NotNormal> {
    let kept: String = text.chars().filter(|c| !matches!(c, ' ' | '.' | '-' | '(' | ')' | '\u{a0}')).collect();
    let digits = kept.strip_prefix('+').or_else(|| kept.strip_prefix("00")).unwrap_or(&kept);
    if !(7..=15).contains(&digits.len()) || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(NotNormal);
    }
    Ok(format!("+{digits}"))
}

/// Letters and digits alone, in upper case: spaces, dots, hyphens and slashes are dropped.
pub fn normal_national_id(text: &str) -> Result<String, NotNormal> {
    let kept: String = text.nfkc().filter(|c| !matches!(c, ' ' | '.' | '-' | '/' | '\u{a0}')).collect();
    let normal = nonempty(kept.to_uppercase())?;
    if normal.chars().all(char::is_alphanumeric) { Ok(normal) } else { Err(NotNormal) }
}

fn nonempty(text: String) -> Result<String, NotNormal> {
    if text.is_empty() { Err(NotNormal) } else { Ok(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normal_forms() {
        assert_eq!(normal_email(" Ana@Example.COM ").unwrap(), "ana@example.com");
        assert_eq!(normal_email("ana").unwrap_err(), NotNormal);
        assert_eq!(normal_phone("+52 (55) 1234-5678").unwrap(), "+525512345678");
        assert_eq!(normal_phone("0052 55 1234 5678").unwrap(), "+525512345678");
        assert_eq!(normal_phone("12ab34567").unwrap_err(), NotNormal);
        assert_eq!(normal_national_id("078-05-1120").unwrap(), "078051120");
        assert_eq!(normal_national_id(" toma 900412/mdf.rrn01 ").unwrap(), "TOMA900412MDFRRN01");
        assert!(normal_national_id(" - ").is_err() && normal_national_id("a;b").is_err());
        assert_eq!(normal_username("Jose\u{301}").unwrap(), "jos\u{e9}");
    }

    #[test]
    fn columns_do_not_share_indexes() {
        let secret = Secret::from_bytes([1; 32]);
        let (a, b) = (IndexKey::new(&secret, [1; 16]), IndexKey::new(&secret, [2; 16]));
        assert_eq!(a.index("x"), a.index("x"));
        assert_ne!(a.index("x"), b.index("x"));
        assert_ne!(a.index("x"), a.index("y"));
    }
}
