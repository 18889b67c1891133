//! The root key's file and its provider's name: one line is a key, everything else is refused.
#![no_main]

use std::io::{Seek, SeekFrom, Write};
use std::sync::{LazyLock, Mutex};

use libfuzzer_sys::fuzz_target;
use strongroom_crypto::root::Provider;
use tempfile::NamedTempFile;

static FILE: LazyLock<Mutex<NamedTempFile>> = LazyLock::new(|| Mutex::new(NamedTempFile::new().unwrap()));

fuzz_target!(|bytes: &[u8]| {
    if let Ok(text) = str::from_utf8(bytes) {
        _ = Provider::parse(text);
    }
    let mut file = FILE.lock().unwrap();
    file.as_file().set_len(0).unwrap();
    file.seek(SeekFrom::Start(0)).unwrap();
    file.write_all(bytes).unwrap();
    let named = Provider::parse(&format!("file:{}", file.path().display())).unwrap();
    if named.load().is_ok() {
        assert!(bytes.starts_with(b"strongroom-root-key-v1 "));
    }
});
