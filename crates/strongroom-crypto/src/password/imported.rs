//! Password hashes that other systems made: bcrypt, Argon2, and the forms of werkzeug and Django. Their
//! costs are bounded, so that a bad import cannot hold up the bank.

use argon2::password_hash::PasswordVerifier;
use argon2::{Algorithm, Argon2, Params, Version};
use aws_lc_rs::pbkdf2;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use unicode_normalization::UnicodeNormalization;

use crate::digest::sha256;
use crate::mac;

/// A hash of another system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    text: String,
    kind: Kind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    /// `$2a$`, `$2b$` or `$2y$`; `is_hashed`: of the password's SHA-256 in hexadecimal digits.
    Bcrypt { hash: String, is_hashed: bool },
    /// A PHC string of Argon2i or Argon2id.
    Argon2,
    /// werkzeug's scrypt: log2 of N, r, p, salt, 64 bytes.
    Scrypt { log_n: u8, r: u32, p: u32, salt: String, hash: Vec<u8> },
    /// PBKDF2 with HMAC-SHA256 or HMAC-SHA512.
    Pbkdf2 { is_512: bool, rounds: u32, salt: String, hash: Vec<u8> },
}

/// Why a hash cannot be imported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// No form that is known.
    #[error(
        "this is not a password hash that can be checked: give bcrypt ($2b$…), Argon2 ($argon2id$…), werkzeug (scrypt:… or pbkdf2:sha256:…) or Django (pbkdf2_sha256$…, bcrypt_sha256$…)"
    )]
    Unknown,
    /// It would cost too much to check.
    #[error("this hash would cost too much memory or time to check")]
    TooCostly,
}

const BCRYPT_BYTES_MAX: usize = 72;
const BCRYPT_COST_MAX: u32 = 14;
const MEMORY_BYTES_MAX: u64 = 256 << 20;
const ARGON2_PASSES_MAX: u32 = 16;
const LANES_MAX: u32 = 16;
const PBKDF2_ROUNDS_MAX: u32 = 5_000_000;

impl Imported {
    /// Reads a hash and sees that it can be checked at a bearable cost.
    pub fn parse(text: &str) -> Result<Self, Unreadable> {
        let kind = Kind::parse(text)?;
        Ok(Imported { text: text.to_owned(), kind })
    }

    /// As it was given.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether a password has this hash: as it was typed, or in NFC.
    pub fn matches(&self, password: &str) -> bool {
        let normal: String = password.nfc().collect();
        self.kind.matches(&self.text, password) || (normal != password && self.kind.matches(&self.text, &normal))
    }
}

impl Kind {
    fn parse(text: &str) -> Result<Self, Unreadable> {
        if text.starts_with("$argon2i$") || text.starts_with("$argon2id$") {
            return argon2_of(text).map(|_| Kind::Argon2);
        }
        if let Some(hash) = text.strip_prefix("bcrypt_sha256$") {
            return bcrypt_of(hash, true);
        }
        if let Some(rest) = text.strip_prefix("scrypt:") {
            return scrypt_of(rest).ok_or(Unreadable::Unknown)?;
        }
        if let Some(rest) = text.strip_prefix("pbkdf2:") {
            return werkzeug_pbkdf2(rest).ok_or(Unreadable::Unknown)?;
        }
        if let Some(rest) = text.strip_prefix("pbkdf2_sha256$") {
            return django_pbkdf2(rest).ok_or(Unreadable::Unknown)?;
        }
        bcrypt_of(text.strip_prefix("bcrypt$").unwrap_or(text), false)
    }

    fn matches(&self, text: &str, password: &str) -> bool {
        match self {
            Kind::Bcrypt { hash, is_hashed: true } => {
                let digits: String = sha256(password.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
                bcrypt::verify(digits, hash).unwrap_or(false)
            }
            Kind::Bcrypt { hash, is_hashed: false } => {
                let fits = password.len() <= BCRYPT_BYTES_MAX && !password.contains('\0');
                fits && bcrypt::verify(password, hash).unwrap_or(false)
            }
            Kind::Argon2 => {
                let hash = argon2::PasswordHash::new(text);
                let Ok((argon2, hash)) = argon2_of(text).and_then(|a| Ok((a, hash.map_err(|_| Unreadable::Unknown)?)))
                else {
                    return false;
                };
                argon2.verify_password(password.as_bytes(), &hash).is_ok()
            }
            Kind::Scrypt { log_n, r, p, salt, hash } => {
                let Ok(params) = scrypt::Params::new(*log_n, *r, *p) else { return false };
                let mut made = vec![0; hash.len()];
                let done = scrypt::scrypt(password.as_bytes(), salt.as_bytes(), &params, &mut made);
                done.is_ok() && mac::equal(&made, hash)
            }
            Kind::Pbkdf2 { is_512, rounds, salt, hash } => {
                let algorithm = if *is_512 { pbkdf2::PBKDF2_HMAC_SHA512 } else { pbkdf2::PBKDF2_HMAC_SHA256 };
                let Some(rounds) = std::num::NonZeroU32::new(*rounds) else { return false };
                pbkdf2::verify(algorithm, rounds, salt.as_bytes(), password.as_bytes(), hash).is_ok()
            }
        }
    }
}

fn bcrypt_of(hash: &str, is_hashed: bool) -> Result<Kind, Unreadable> {
    let is_form = hash.len() == 60 && ["$2a$", "$2b$", "$2y$"].iter().any(|start| hash.starts_with(start));
    let cost = hash.get(4..6).and_then(|cost| cost.parse::<u32>().ok()).filter(|_| is_form);
    match cost.ok_or(Unreadable::Unknown)? {
        4..=BCRYPT_COST_MAX => Ok(Kind::Bcrypt { hash: hash.to_owned(), is_hashed }),
        _ => Err(Unreadable::TooCostly),
    }
}

fn argon2_of(text: &str) -> Result<Argon2<'static>, Unreadable> {
    let hash = argon2::PasswordHash::new(text).map_err(|_| Unreadable::Unknown)?;
    let params = Params::try_from(&hash).map_err(|_| Unreadable::Unknown)?;
    let is_cheap = u64::from(params.m_cost()) * 1024 <= MEMORY_BYTES_MAX
        && params.t_cost() <= ARGON2_PASSES_MAX
        && params.p_cost() <= LANES_MAX;
    let algorithm = if text.starts_with("$argon2id$") { Algorithm::Argon2id } else { Algorithm::Argon2i };
    if is_cheap { Ok(Argon2::new(algorithm, Version::V0x13, params)) } else { Err(Unreadable::TooCostly) }
}

/// `N:r:p$salt$hexadecimal`.
fn scrypt_of(rest: &str) -> Option<Result<Kind, Unreadable>> {
    let [costs, salt, hash] = rest.split('$').collect::<Vec<_>>().try_into().ok()?;
    let [n, r, p] = costs.split(':').collect::<Vec<_>>().try_into().ok()?;
    let (n, r, p): (u64, u32, u32) = (n.parse().ok()?, r.parse().ok()?, p.parse().ok()?);
    let hash = hexadecimal(hash).filter(|hash| hash.len() == 64)?;
    if !n.is_power_of_two() || n < 2 || r == 0 || p == 0 {
        return None;
    }
    let is_cheap = n.saturating_mul(u64::from(r)).saturating_mul(128) <= MEMORY_BYTES_MAX && p <= LANES_MAX;
    let kind = Kind::Scrypt { log_n: n.ilog2() as u8, r, p, salt: salt.to_owned(), hash };
    Some(if is_cheap { Ok(kind) } else { Err(Unreadable::TooCostly) })
}

/// `sha256:rounds$salt$hexadecimal`.
fn werkzeug_pbkdf2(rest: &str) -> Option<Result<Kind, Unreadable>> {
    let [method, salt, hash] = rest.split('$').collect::<Vec<_>>().try_into().ok()?;
    let (digest, rounds) = method.split_once(':')?;
    let is_512 = match digest {
        "sha256" => false,
        "sha512" => true,
        _ => return None,
    };
    Some(pbkdf2_of(is_512, rounds.parse().ok()?, salt, hexadecimal(hash)?))
}

/// `rounds$salt$base64`.
fn django_pbkdf2(rest: &str) -> Option<Result<Kind, Unreadable>> {
    let [rounds, salt, hash] = rest.split('$').collect::<Vec<_>>().try_into().ok()?;
    Some(pbkdf2_of(false, rounds.parse().ok()?, salt, STANDARD.decode(hash).ok()?))
}

fn pbkdf2_of(is_512: bool, rounds: u32, salt: &str, hash: Vec<u8>) -> Result<Kind, Unreadable> {
    if hash.len() < 16 || rounds == 0 {
        return Err(Unreadable::Unknown);
    }
    if rounds > PBKDF2_ROUNDS_MAX {
        return Err(Unreadable::TooCostly);
    }
    Ok(Kind::Pbkdf2 { is_512, rounds, salt: salt.to_owned(), hash })
}

fn hexadecimal(text: &str) -> Option<Vec<u8>> {
    if !text.is_ascii() || !text.len().is_multiple_of(2) {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_hash_or_too_costly_is_refused() {
        use Unreadable::{TooCostly, Unknown};
        for (text, why) in [
            ("", Unknown),
            ("5f4dcc3b5aa765d61d8327deb882cf99", Unknown),
            ("$2b$12$short", Unknown),
            ("$2b$31$abcdefghijklmnopqrstuuO3bFfZ5m9vXhRrQ0q8dV0Yq1zJ8nC1e", TooCostly),
            (
                "$argon2id$v=19$m=99999999,t=2,p=1$AAECAwQFBgcICQoLDA0ODw$pwOflnjgpobufIi+nha/fQSv/FuhemaUSwX8xd09H6w",
                TooCostly,
            ),
            (
                "$argon2d$v=19$m=19456,t=2,p=1$AAECAwQFBgcICQoLDA0ODw$pwOflnjgpobufIi+nha/fQSv/FuhemaUSwX8xd09H6w",
                Unknown,
            ),
            ("scrypt:32768:8:1$salt$zz", Unknown),
            ("scrypt:3:8:1$salt$00", Unknown),
            ("pbkdf2:md5:1000$salt$00112233445566778899aabbccddeeff", Unknown),
            ("pbkdf2:sha256:99999999$salt$00112233445566778899aabbccddeeff", TooCostly),
            ("pbkdf2_sha256$0$salt$AAECAwQFBgcICQoLDA0ODw==", Unknown),
            ("pbkdf2_sha256$x$salt$AAECAwQFBgcICQoLDA0ODw==", Unknown),
        ] {
            assert_eq!(Imported::parse(text).err(), Some(why), "{text}");
        }
        let huge = format!("scrypt:1073741824:8:1$salt${}", "00".repeat(64));
        assert_eq!(Imported::parse(&huge).err(), Some(TooCostly));
    }

    #[test]
    fn known_answers() {
        // RFC 7914 section 12, with N = 16384 for its third vector; section 11 for PBKDF2-HMAC-SHA256.
        let scrypt = "scrypt:16384:8:1$SodiumChloride$7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887";
        let pbkdf2 = "pbkdf2:sha256:80000$NaCl$4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56a1d425a1225833549adb841b51c9b3176a272bdebba1d078478f62b397f33c8d";
        for (hash, password) in [(scrypt, "pleaseletmein"), (pbkdf2, "Password")] {
            let hash = Imported::parse(hash).expect("it is a hash");
            assert!(hash.matches(password) && !hash.matches("another"), "{}", hash.text());
        }
        let long = "x".repeat(73);
        let hash = bcrypt::hash_with_salt(&long[..72], 4, [7; 16]).expect("it can be made").to_string();
        let hash = Imported::parse(&hash).expect("it is a hash");
        assert!(hash.matches(&long[..72]) && !hash.matches(&long), "nothing is cut off");
    }
}
