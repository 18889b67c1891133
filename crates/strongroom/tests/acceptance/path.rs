//! The whole path through the API with nothing of ours on the client's side: curl, oathtool and
//! Python's `cryptography`; the receipt and the checkpoint are checked by an independent reader.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::bank::{Engine, TestBank};

crate::on_both_databases!(a_stranger_comes_to_a_receipt);

fn a_stranger_comes_to_a_receipt(engine: Engine) {
    let bank = TestBank::open(engine);
    let ready = bank.folder.path().join("ready.json");
    std::fs::write(&ready, bank.ready.to_string()).expect("it can be written");
    let receipt = bank.folder.path().join("receipt.txt");
    python("path.py", &[ready.as_path(), &receipt]);
    python("verify_receipt.py", &[&receipt, Path::new(bank.log_key())]);
    let report = bank.verify();
    assert_eq!(report["transfers"], 4, "two opening deposits, one of the path, one transfer: {report}");
}

/// Runs one of the scripts in `independent`. Answers what it prints.
pub fn python(script: &str, args: &[&Path]) -> String {
    let args: Vec<&str> = args.iter().map(|path| path.to_str().expect("a path is text")).collect();
    python_with(script, &args)
}

/// The same, with any words.
pub fn python_with(script: &str, args: &[&str]) -> String {
    let python = std::env::var_os("STRONGROOM_TEST_PYTHON").unwrap_or_else(|| "python3".into());
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/independent").join(script);
    let output = Command::new(python).arg(path).args(args).stdin(Stdio::null()).output().expect("python can be run");
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script}:\n{}{words}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn another_reader_opens_every_sealed_field_given_the_keys() {
    let mut bank = TestBank::open(Engine::Sqlite);
    let ready = bank.folder.path().join("ready.json");
    std::fs::write(&ready, bank.ready.to_string()).expect("it can be written");
    python("path.py", &[ready.as_path(), &bank.folder.path().join("receipt.txt")]);
    let rotated = bank.run(&["keys", "rotate"]);
    assert!(rotated.status.success(), "{}", String::from_utf8_lossy(&rotated.stderr));
    bank.stop();
    let configuration =
        std::fs::read_to_string(bank.home().join("strongroom.toml")).expect("the configuration is there");
    let root =
        configuration.lines().find_map(|line| line.strip_prefix("root = \"file:")).expect("the root key is a file");
    let root = Path::new(root.trim_end_matches('"')).to_owned();
    let expected =
        ["Clara Pathfinder", "PACL910101XX5", "Rent of the blue room", "Calle Larga 7, Oaxaca", "$argon2id$"];
    let mut args = vec![bank.home(), root];
    args.extend(expected.map(std::path::PathBuf::from));
    let args: Vec<&Path> = args.iter().map(|arg| arg.as_path()).collect();
    python("read_fields.py", &args);
}
