//! Sealed fields as a database may hold them: any bytes are refused, whatever they look like.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use strongroom_crypto::sealed::{self, ColumnId, Context, FieldKey, LogicalType, Suite};
use strongroom_crypto::secret::Secret;

static KEYS: LazyLock<[FieldKey; 2]> =
    LazyLock::new(|| [Suite::Xaes256Gcm, Suite::Aes256Gcm].map(|suite| FieldKey::new(&Secret::random(), suite, 1)));

fuzz_target!(|bytes: &[u8]| {
    let row = &bytes[bytes.len() / 2..];
    let context = Context { store: [1; 16], column: ColumnId([2; 16]), row, kind: LogicalType::Bytes };
    for key in KEYS.iter() {
        assert!(sealed::open(key, &context, bytes).is_err());
        // The same bytes as a value: they come back.
        let sealed = sealed::seal(key, &context, bytes);
        assert_eq!(sealed::open(key, &context, &sealed).as_deref(), Ok(bytes));
        assert_eq!(sealed::header(&sealed).map(|header| header.version), Some(1));
    }
    if sealed::header(bytes).is_some() {
        assert!(bytes.starts_with(&sealed::MAGIC) && bytes.len() >= 8 + 12 + 16);
    }
});
