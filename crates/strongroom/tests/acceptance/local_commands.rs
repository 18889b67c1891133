//! The commands beside the server, given wrong homes and wrong words: each says the cause and the
//! cure, and changes nothing.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::bank::{Engine, TestBank};

/// Runs a command. Answers its exit code and what it said.
fn run(bank: &TestBank, args: &[&str]) -> (Option<i32>, String) {
    let output = bank.run(args);
    let words = [output.stdout.as_slice(), &output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&words).into_owned())
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("the mode can be set");
}

#[test]
fn a_mistyped_address_makes_no_bank() {
    let bank = TestBank::open(Engine::Sqlite);
    let home = bank.folder.path().join("another");
    for address in ["foo", "127.0.0.1", ":8443", "127.0.0.1:http"] {
        let (code, words) =
            run(&bank, &["serve", "--demo", "--home", home.to_str().expect("a path"), "--listen", address]);
        assert_eq!(code, Some(2), "{address}: {words}");
        assert!(words.contains("HOST:PORT"), "{words}");
        assert!(!home.exists(), "nothing was made");
    }
}

#[test]
fn an_init_that_was_stopped_can_be_given_again() {
    let bank = TestBank::open(Engine::Sqlite);
    let home = bank.folder.path().join("second");
    let at = ["--home", home.to_str().expect("a path")];
    let init = [&["init", "--json"][..], &at].concat();
    assert_eq!(run(&bank, &init).0, Some(0));
    assert_eq!(run(&bank, &init).0, Some(1), "a bank that is there is not made again");
    fs::remove_file(home.join("strongroom.toml")).expect("it is there");
    let (code, words) = run(&bank, &init);
    assert_eq!(code, Some(0), "{words}");
    assert!(words.contains("enrolment_code"), "{words}");
    let (code, words) = run(&bank, &[&["ledger", "verify"][..], &at].concat());
    assert_eq!(code, Some(0), "{words}");
}

#[test]
fn doctor_finds_what_is_open_to_others_and_what_is_missing() {
    let mut bank = TestBank::open(Engine::Sqlite);
    bank.stop();
    let home = bank.home();
    assert_eq!(run(&bank, &["doctor"]), (Some(0), "Everything the bank relies on is in order.\n".to_owned()));
    for (name, open, shut) in [("", 0o755, 0o700), ("tls/server.key", 0o644, 0o600), ("demo.json", 0o640, 0o600)] {
        set_mode(&home.join(name), open);
        let (code, words) = run(&bank, &["doctor"]);
        assert!(code == Some(1) && words.contains("chmod"), "{name}: {words}");
        set_mode(&home.join(name), shut);
    }
    for slot in ["head.0", "head.1"] {
        fs::write(home.join(slot), "").expect("it can be written");
    }
    let (code, words) = run(&bank, &["doctor"]);
    assert!(code == Some(1) && words.contains("No checkpoint is kept"), "{words}");
    bank.start(&[]);
    bank.stop();
    assert_eq!(run(&bank, &["doctor"]).0, Some(0), "the next start keeps the present one");
}

#[test]
fn a_changed_currency_is_refused() {
    let mut bank = TestBank::open(Engine::Sqlite);
    bank.stop();
    let file = bank.home().join("strongroom.toml");
    let configuration = fs::read_to_string(&file).expect("the configuration is there");
    fs::write(&file, configuration.replace("\"USD\"", "\"EUR\"")).expect("it can be written");
    let (code, words) = run(&bank, &["serve", "--demo", "--listen", "127.0.0.1:0"]);
    assert!(code == Some(1) && words.contains("put USD back"), "{words}");
    fs::write(&file, configuration.replace("currency", "curency")).expect("it can be written");
    let (_, words) = run(&bank, &["status"]);
    assert!(words.contains("currency"), "the nearest key is named: {words}");
    fs::write(&file, configuration).expect("it can be written");
}
