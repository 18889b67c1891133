//! Time-based one-time passwords (RFC 6238): six digits, 30 seconds, HMAC-SHA1 as authenticator
//! apps expect, one step of clock error either way, each step once.

use aws_lc_rs::hmac;
use zeroize::Zeroizing;

use crate::mac::equal;
use crate::random;

const STEP_S: u64 = 30;
const DIGITS: u32 = 6;
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// A new shared secret of 160 bits (RFC 4226 section 4).
pub fn new_secret() -> Zeroizing<[u8; 20]> {
    Zeroizing::new(random::bytes())
}

/// The code of a moment.
pub fn code(secret: &[u8], time_s: u64) -> String {
    step_code(secret, time_s / STEP_S)
}

fn step_code(secret: &[u8], step: u64) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret);
    let tag = hmac::sign(&key, &step.to_be_bytes());
    let tag = tag.as_ref();
    let at = usize::from(tag[19] & 0xf);
    let number = u32::from_be_bytes([tag[at] & 0x7f, tag[at + 1], tag[at + 2], tag[at + 3]]);
    format!("{:06}", number % 10u32.pow(DIGITS))
}

/// The step a code belongs to, if it is right now and newer than the last one accepted.
pub fn matching_step(secret: &[u8], given: &str, time_s: u64, last_step: Option<u64>) -> Option<u64> {
    let given = given.trim();
    let now = time_s / STEP_S;
    let mut found = None;
    // All three are compared, so that the time tells nothing.
    for step in [now.saturating_sub(1), now, now + 1] {
        let is_new = last_step.is_none_or(|last| step > last);
        if equal(step_code(secret, step).as_bytes(), given.as_bytes()) && is_new && found.is_none() {
            found = Some(step);
        }
    }
    found
}

/// The secret as authenticator apps take it (RFC 4648 base32, no padding).
pub fn to_base32(secret: &[u8]) -> String {
    let mut text = String::with_capacity(secret.len().div_ceil(5) * 8);
    for chunk in secret.chunks(5) {
        let mut block = [0; 8];
        block[3..3 + chunk.len()].copy_from_slice(chunk);
        let bits = u64::from_be_bytes(block);
        for i in 0..(chunk.len() * 8).div_ceil(5) {
            text.push(char::from(BASE32[(bits >> (35 - 5 * i)) as usize & 31]));
        }
    }
    text
}

/// Text that is not base32.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is not base32")]
pub struct NotBase32;

/// Back from base32.
pub fn from_base32(text: &str) -> Result<Vec<u8>, NotBase32> {
    let (mut bytes, mut bits, mut held) = (Vec::new(), 0u32, 0);
    for c in text.bytes().filter(|c| !matches!(c, b' ' | b'=')) {
        let value = BASE32.iter().position(|b| *b == c.to_ascii_uppercase()).ok_or(NotBase32)?;
        bits = bits << 5 | value as u32;
        held += 5;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
            bits &= (1 << held) - 1;
        }
    }
    Ok(bytes)
}

/// The link that authenticator apps read from a QR code.
pub fn otpauth_uri(issuer: &str, account: &str, secret: &[u8]) -> String {
    let (issuer, account) = (escape(issuer), escape(account));
    format!(
        "otpauth://totp/{issuer}:{account}?secret={}&issuer={issuer}&algorithm=SHA1&digits={DIGITS}&period={STEP_S}",
        to_base32(secret)
    )
}

fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => escaped.push(char::from(byte)),
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_6238_vectors() {
        // The RFC gives eight digits; six are their last six.
        let secret = b"12345678901234567890";
        for (time_s, eight) in
            [(59, "94287082"), (1_111_111_109, "07081804"), (1_234_567_890, "89005924"), (20_000_000_000, "65353130")]
        {
            assert_eq!(code(secret, time_s), eight[2..]);
        }
    }

    #[test]
    fn a_step_counts_once_and_one_step_of_error_is_allowed() {
        let secret = b"12345678901234567890";
        let at = 1_000_000 * 30;
        let code_now = code(secret, at);
        let step = matching_step(secret, &code_now, at, None).unwrap();
        assert_eq!(step, 1_000_000);
        assert_eq!(matching_step(secret, &code_now, at + 30, None), Some(step));
        assert_eq!(matching_step(secret, &code_now, at + 60, None), None);
        assert_eq!(matching_step(secret, &code_now, at, Some(step)), None);
        assert_eq!(matching_step(secret, "", at, None), None);
    }

    #[test]
    fn base32_there_and_back() {
        assert_eq!(to_base32(b"foobar"), "MZXW6YTBOI");
        for length in 0..40 {
            let bytes: Vec<u8> = (0..length).collect();
            assert_eq!(from_base32(&to_base32(&bytes)).unwrap(), bytes);
        }
        assert_eq!(from_base32("1"), Err(NotBase32));
    }
}
