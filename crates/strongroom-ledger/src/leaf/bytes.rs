//! Bytes in and out: fixed fields, and byte strings behind their length.

use super::NotALeaf;

/// Fills a buffer of fixed length from its start.
pub(super) struct Writer<'a> {
    pub(super) bytes: &'a mut [u8],
    pub(super) at: usize,
}

impl Writer<'_> {
    /// Puts bytes at the place reached.
    pub(super) fn put(&mut self, part: &[u8]) {
        self.bytes[self.at..self.at + part.len()].copy_from_slice(part);
        self.at += part.len();
    }
}

/// Appends byte strings, each behind its length as 32 bits, big-endian.
pub(super) fn with_lengths(mut bytes: Vec<u8>, parts: &[&[u8]]) -> Vec<u8> {
    for part in parts {
        bytes.extend((part.len() as u32).to_be_bytes());
        bytes.extend(*part);
    }
    bytes
}

/// Takes bytes off the front; nothing when there are too few.
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*array)
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(super) fn sized(&mut self) -> Option<&'a [u8]> {
        let length = u32::from_be_bytes(self.array()?);
        let (sized, rest) = self.0.split_at_checked(length as usize)?;
        self.0 = rest;
        Some(sized)
    }

    pub(super) fn text(&mut self) -> Option<String> {
        String::from_utf8(self.sized()?.to_vec()).ok()
    }
}

/// Reads all of the bytes, with none left over.
pub(super) fn whole<T>(bytes: &[u8], read: impl FnOnce(&mut Reader<'_>) -> Option<T>) -> Result<T, NotALeaf> {
    let mut reader = Reader(bytes);
    read(&mut reader).filter(|_| reader.0.is_empty()).ok_or(NotALeaf)
}
