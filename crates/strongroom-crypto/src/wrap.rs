//! A key wrapped under another: a suite 1 sealed field whose context is what the key is for.

use crate::sealed::{self, ColumnId, Context, FieldKey, LogicalType, Suite};
use crate::secret::Secret;

/// The column id of wrapped keys: a constant, for ever.
const COLUMN: ColumnId = ColumnId(*b"strongroom/wrap\0");

/// A wrapped key that does not open: another key-encryption key, or it was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the wrapped key does not open: it is under another key, or was changed")]
pub struct NotUnwrapped;

/// Wraps a key for the purpose that `info` names.
pub fn wrap(kek: &Secret, info: &str, key: &Secret) -> Vec<u8> {
    sealed::seal(&FieldKey::new(kek, Suite::Xaes256Gcm, 1), &context(info), key.expose())
}

/// Unwraps it, for the same purpose.
pub fn unwrap(kek: &Secret, info: &str, wrapped: &[u8]) -> Result<Secret, NotUnwrapped> {
    let opened =
        sealed::open(&FieldKey::new(kek, Suite::Xaes256Gcm, 1), &context(info), wrapped).map_err(|_| NotUnwrapped)?;
    let opened = zeroize::Zeroizing::new(opened);
    let bytes: [u8; 32] = opened.as_slice().try_into().map_err(|_| NotUnwrapped)?;
    Ok(Secret::from_bytes(bytes))
}

fn context(info: &str) -> Context<'_> {
    Context { store: [0; 16], column: COLUMN, row: info.as_bytes(), kind: LogicalType::Bytes }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_for_the_same_purpose_only() {
        let (kek, key) = (Secret::random(), Secret::random());
        let wrapped = wrap(&kek, "person/1", &key);
        assert_eq!(unwrap(&kek, "person/1", &wrapped).unwrap().expose(), key.expose());
        assert!(unwrap(&kek, "person/2", &wrapped).is_err());
        assert!(unwrap(&Secret::random(), "person/1", &wrapped).is_err());
    }
}
