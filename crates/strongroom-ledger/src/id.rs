//! Ids: 16-byte UUIDs of version 7, each kind a type of its own. In text an id is its kind's
//! prefix and 32 lower-case hexadecimal digits, and no other spelling of it is accepted.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

macro_rules! id {
    ($name:ident, $prefix:literal, $what:literal) => {
        #[doc = concat!("The id of ", $what, ": `", $prefix, "` and 32 hexadecimal digits.")]
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; 16]);

        impl $name {
            /// What its text form begins with.
            pub const PREFIX: &'static str = $prefix;

            /// Makes a UUID of version 7 from a time and random bytes: ids made later sort later.
            pub fn from_time(time_us: i64, random: [u8; 10]) -> Self {
                $name(uuid_v7(time_us, random))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_text(f, $prefix, &self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_text(f, $prefix, &self.0)
            }
        }

        impl FromStr for $name {
            type Err = NotAnId;

            fn from_str(text: &str) -> Result<Self, NotAnId> {
                text.strip_prefix($prefix).and_then(parse_hex).map($name).ok_or(NotAnId { prefix: $prefix })
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

id!(PersonId, "usr_", "a person");
id!(AccountId, "acct_", "an account");
id!(TransferId, "xfer_", "a posting");
id!(DeviceId, "dev_", "a device that signs");
id!(SessionId, "sess_", "a session");
id!(FactorId, "fct_", "a sign-in factor");
id!(KeyId, "key_", "a key");
id!(ApprovalId, "apr_", "a request that waits for approval");

/// The text is not an id of the wanted kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an id: expected `{prefix}` and 32 lower-case hexadecimal digits")]
pub struct NotAnId {
    prefix: &'static str,
}

/// RFC 9562, version 7, with the microseconds within the millisecond in `rand_a` (method 3).
fn uuid_v7(time_us: i64, random: [u8; 10]) -> [u8; 16] {
    let time_us = time_us.max(0) as u64;
    let fraction = ((time_us % 1000) << 12) / 1000;
    let mut id = [0; 16];
    id[..6].copy_from_slice(&(time_us / 1000).to_be_bytes()[2..]);
    id[6] = 0x70 | (fraction >> 8) as u8;
    id[7] = fraction as u8;
    id[8..].copy_from_slice(&random[2..]);
    id[8] = 0x80 | (id[8] & 0x3f);
    id
}

fn write_text(f: &mut fmt::Formatter<'_>, prefix: &str, id: &[u8; 16]) -> fmt::Result {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = [0; 32];
    for (pair, byte) in text.chunks_exact_mut(2).zip(id) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
    f.write_str(prefix)?;
    f.write_str(str::from_utf8(&text).map_err(|_| fmt::Error)?)
}

fn parse_hex(text: &str) -> Option<[u8; 16]> {
    let digits: &[u8; 32] = text.as_bytes().try_into().ok()?;
    let mut id = [0; 16];
    for (byte, pair) in id.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = hex_value(pair[0])? << 4 | hex_value(pair[1])?;
    }
    Some(id)
}

fn hex_value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_has_one_spelling() {
        let id = AccountId(*b"\x01\x23\x45\x67\x89\xab\xcd\xef\0\0\0\0\0\0\0\xff");
        let text = "acct_0123456789abcdef00000000000000ff";
        assert_eq!(id.to_string(), text);
        assert_eq!(text.parse(), Ok(id));
        for wrong in [
            &text.to_uppercase(),
            "acct_",
            &text[..36],
            &format!("{text}0"),
            &text.replace("acct", "usr"),
            &text.replace('f', "g"),
        ] {
            assert!(wrong.parse::<AccountId>().is_err(), "{wrong}");
        }
        assert_eq!(serde_json::to_string(&id).unwrap(), format!("\"{text}\""));
        assert_eq!(serde_json::from_str::<AccountId>(&format!("\"{text}\"")).unwrap(), id);
    }

    #[test]
    fn later_ids_sort_later() {
        let at = |time_us, random| TransferId::from_time(time_us, [random; 10]);
        assert!(at(1_700_000_000_000_000, 255) < at(1_700_000_000_000_001, 0));
        assert!(at(1_700_000_000_000_999, 255) < at(1_700_000_000_001_000, 0));
        let id = at(1_700_000_000_000_000, 255).0;
        assert_eq!((id[6] >> 4, id[8] >> 6), (7, 2));
        assert_eq!(id[..6], 1_700_000_000_000u64.to_be_bytes()[2..]);
    }
}
