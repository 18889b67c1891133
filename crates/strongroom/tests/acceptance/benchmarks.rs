//! The measurements that need no bank: what they answer, and what Python's own cryptography costs beside them.

use std::process::Command;

use serde_json::Value;

use crate::bank::program;

/// Not how fast: machines differ. That each part was measured, and what a field of 16 bytes takes.
#[test]
fn fields_are_measured_beside_other_field_encryption() {
    let peers = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/independent/fields_peers.py");
    let mut command = Command::new("python3");
    command.arg(peers).args(["--seconds", "1", "--program"]).arg(program());
    let output = command.output().expect("python3 is installed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let found: Value = serde_json::from_slice(&output.stdout).expect("it prints JSON");
    for rate in [
        "seal_per_s",
        "open_per_s",
        "aead_ceiling_per_s",
        "blind_index_per_s",
        "fernet_seal_per_s",
        "fernet_open_per_s",
    ] {
        assert!(found[rate].as_u64() > Some(0), "{rate} in {found}");
    }
    assert_eq!(found["sealed_len_16"], 64);
    assert!(found["seal_to_fernet"].as_f64() > Some(1.0), "{found}");
}
