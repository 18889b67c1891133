//! Who holds the root key: another place, a passphrase, shares; and every wrong one refused with a
//! cause and a cure, nothing changed.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Output;

use strongroom_sql::{Role, Url, Value};

use crate::bank::{Engine, TestBank, block_on};
use crate::customer::Customer;

/// Runs a command with further variables in its environment.
fn run(bank: &TestBank, variables: &[(&str, &str)], args: &[&str]) -> Output {
    bank.command(args).envs(variables.iter().copied()).output().expect("the program can be run")
}

fn succeeds(output: &Output) {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// It ended with this code, and said this.
fn refuses(output: &Output, code: i32, words: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert!(said.contains(words), "{words}: {said}");
}

/// Where the configuration says that the root key is.
fn place(bank: &TestBank) -> String {
    let configuration = fs::read_to_string(bank.home().join("strongroom.toml")).expect("the configuration is there");
    let root = configuration.lines().find_map(|line| line.strip_prefix("root = \"")).expect("it names the root key");
    root.trim_end_matches('"').to_owned()
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path is text")
}

#[test]
fn the_root_key_moves_behind_a_passphrase_and_into_the_environment() {
    let mut bank = TestBank::open(Engine::Sqlite);
    let mut ana = block_on(Customer::sign_up(&bank, "ana"));
    let running = run(&bank, &[], &["keys", "move", "--to", "file:elsewhere"]);
    assert_eq!(running.status.code(), Some(75), "not beside a running server");
    bank.stop();
    let first = place(&bank);
    let passphrase = bank.folder.path().join("passphrase");
    fs::write(&passphrase, "seven quiet elephants\n").expect("it can be written");
    fs::set_permissions(&passphrase, Permissions::from_mode(0o600)).expect("the mode can be set");
    let shut = format!("file:{}", bank.folder.path().join("shut.key").display());
    let to_shut = ["keys", "move", "--to", &shut, "--passphrase-file", text(&passphrase)];

    // Killed between its steps, the bank opens with the old place or the new one.
    let elsewhere = format!("file:{}", bank.folder.path().join("stored.key").display());
    run(&bank, &[("STRONGROOM_FAULT", "root-stored:1")], &["keys", "move", "--to", &elsewhere]);
    assert_eq!(place(&bank), first);
    succeeds(&run(&bank, &[], &["ledger", "verify"]));
    succeeds(&run(&bank, &[], &["keys", "move", "--to", &elsewhere]));
    assert_eq!(place(&bank), elsewhere, "given again, the move goes on");
    let named = format!("file:{}", bank.folder.path().join("named.key").display());
    run(&bank, &[("STRONGROOM_FAULT", "root-named:1")], &["keys", "move", "--to", &named]);
    assert_eq!(place(&bank), named);
    succeeds(&run(&bank, &[], &["ledger", "verify"]));

    succeeds(&run(&bank, &[], &to_shut));
    assert_eq!(place(&bank), shut);
    refuses(&run(&bank, &[], &["status"]), 1, "STRONGROOM_ROOT_PASSPHRASE_FILE");
    refuses(&run(&bank, &[("STRONGROOM_ROOT_PASSPHRASE", "six elephants")], &["status"]), 1, "does not open");
    succeeds(&run(&bank, &[("STRONGROOM_ROOT_PASSPHRASE", "seven quiet elephants")], &["status"]));
    bank.start(&[("STRONGROOM_ROOT_PASSPHRASE_FILE", text(&passphrase))]);
    ana.signed_in_again(&bank);
    assert_eq!(block_on(ana.client.me()).expect("her data opens").username, "ana");
    bank.stop();

    let line = fs::read_to_string(named.trim_start_matches("file:")).expect("the place before is left to its owner");
    let variables = [("STRONGROOM_ROOT_PASSPHRASE", "seven quiet elephants"), ("BANK_ROOT", line.trim_end())];
    let shut_in = ["keys", "move", "--to", "env:BANK_ROOT", "--passphrase-file", text(&passphrase)];
    refuses(&run(&bank, &variables, &shut_in), 2, "takes no passphrase");
    let other = [variables[0], ("BANK_ROOT", "strongroom-root-key-v1 AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")];
    refuses(&run(&bank, &other, &["keys", "move", "--to", "env:BANK_ROOT"]), 2, "another root key");
    refuses(&run(&bank, &variables[..1], &["keys", "move", "--to", "env:BANK_ROOT"]), 1, "BANK_ROOT is not set");
    succeeds(&run(&bank, &variables, &["keys", "move", "--to", "env:BANK_ROOT"]));
    refuses(&run(&bank, &[], &["status"]), 1, "BANK_ROOT is not set");
    succeeds(&run(&bank, &variables[1..], &["status"]));
    refuses(&run(&bank, &variables, &["keys", "move", "--to", "cloud:x"]), 2, "not known");
    succeeds(&run(&bank, &variables, &["keys", "move", "--to", &format!("{elsewhere}.2")]));
}

#[test]
fn shares_open_a_bank_whose_root_key_is_lost() {
    let mut bank = TestBank::open(Engine::Sqlite);
    let other = TestBank::open(Engine::Sqlite);
    let mut ana = block_on(Customer::sign_up(&bank, "ana"));
    let split = |bank: &TestBank, name: &str| -> Vec<PathBuf> {
        let output = bank.folder.path().join(name);
        fs::create_dir(&output).expect("a folder can be made");
        let args = ["keys", "escrow", "split", "--threshold", "3", "--shares", "5", "--output", text(&output)];
        succeeds(&run(bank, &[], &args));
        refuses(&run(bank, &[], &args), 1, "there already");
        (1..=5).map(|n| output.join(format!("share-{n}.txt"))).collect()
    };
    let (shares, others) = (split(&bank, "shares"), split(&other, "shares"));
    bank.stop();
    fs::remove_file(place(&bank).trim_start_matches("file:")).expect("the root key is lost");
    refuses(&run(&bank, &[], &["status"]), 1, "restore it from where it is kept");

    let to = format!("file:{}", bank.folder.path().join("restored.key").display());
    let restore = |files: &[&PathBuf]| {
        let mut args = vec!["keys", "escrow", "restore", "--to", &to];
        args.extend(files.iter().map(|file| text(file)));
        run(&bank, &[], &args)
    };
    refuses(&restore(&[&shares[0], &shares[3]]), 5, "2 of 3 shares were given; find 1 more");
    refuses(&restore(&[&shares[0], &shares[3], &shares[3]]), 5, "share 4 was given twice");
    refuses(&restore(&[&shares[0], &shares[3], &others[1]]), 5, "share 2 is of another bank or splitting");
    refuses(&restore(&[&others[0], &others[1], &others[2]]), 5, "another bank's");
    let damaged = bank.folder.path().join("damaged.txt");
    let good = fs::read_to_string(&shares[1]).expect("a share is text");
    fs::write(&damaged, good.replace("value ", "value A")).expect("it can be written");
    refuses(&restore(&[&shares[0], &damaged, &shares[3]]), 5, "damaged.txt");
    assert!(!bank.folder.path().join("restored.key").exists(), "nothing was made of them");

    succeeds(&restore(&[&shares[4], &shares[0], &shares[2]]));
    assert_eq!(place(&bank), to);
    bank.start(&[]);
    ana.signed_in_again(&bank);
    assert_eq!(block_on(ana.client.me()).expect("her data opens").username, "ana");
}

#[test]
fn wrong_keys_and_damaged_keyrings_say_what_to_do() {
    let (mut bank, other) = (TestBank::open(Engine::Sqlite), TestBank::open(Engine::Sqlite));
    bank.stop();
    let (own, foreign) = (place(&bank), place(&other));
    let file = bank.home().join("strongroom.toml");
    let configuration = fs::read_to_string(&file).expect("the configuration is there");
    fs::write(&file, configuration.replace(&own, &foreign)).expect("it can be written");
    refuses(&run(&bank, &[], &["status"]), 5, "the root key is another bank's");
    fs::write(&file, &configuration).expect("it can be written");

    let key = Path::new(own.trim_start_matches("file:"));
    fs::set_permissions(key, Permissions::from_mode(0o640)).expect("the mode can be set");
    refuses(&run(&bank, &[], &["status"]), 1, "chmod 600");
    fs::set_permissions(key, Permissions::from_mode(0o600)).expect("the mode can be set");

    let url = Url::Sqlite(bank.home().join("keys.db"));
    let mut keyring = strongroom_sql::open(&url, None, Role::Writer).expect("the keyring opens");
    let rows = keyring.query("SELECT wrapped FROM wrapped_keys WHERE purpose = 'mac'", &[]).expect("it can be read");
    let whole = rows[0].bytes(0).expect("bytes").to_vec();
    let mut set = |wrapped: &[u8]| {
        let sql = "UPDATE wrapped_keys SET wrapped = ? WHERE purpose = 'mac'";
        keyring.execute(sql, &[Value::Bytes(wrapped)]).expect("it can be written");
    };
    set(&whole[..whole.len() - 1]);
    refuses(&run(&bank, &[], &["status"]), 5, "a mac key does not open");
    set(&whole);
    succeeds(&run(&bank, &[], &["status"]));
}

/// A SoftHSM token of the test's own. Answers its configuration file and the module.
fn soft_token(folder: &Path, label: &str) -> (String, String) {
    let (tokens, configuration) = (folder.join("tokens"), folder.join("softhsm2.conf"));
    if !tokens.exists() {
        fs::create_dir(&tokens).expect("a folder can be made");
    }
    let lines = format!("directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n", tokens.display());
    fs::write(&configuration, lines).expect("it can be written");
    let made = std::process::Command::new("softhsm2-util")
        .args(["--init-token", "--free", "--label", label, "--pin", "123456", "--so-pin", "654321"])
        .env("SOFTHSM2_CONF", &configuration)
        .output()
        .expect("softhsm2-util is there: `cargo xtask test` installs it, or `apt-get install softhsm2`");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let places = [
        "/usr/lib/softhsm",
        "/usr/lib/x86_64-linux-gnu/softhsm",
        "/usr/lib/aarch64-linux-gnu/softhsm",
        "/usr/local/lib/softhsm",
    ];
    let module = places.iter().map(|place| Path::new(place).join("libsofthsm2.so")).find(|module| module.exists());
    (text(&configuration).to_owned(), text(&module.expect("SoftHSM's module is installed")).to_owned())
}

#[test]
fn a_hardware_token_wraps_the_root_key() {
    let mut bank = TestBank::open(Engine::Sqlite);
    let mut ana = block_on(Customer::sign_up(&bank, "ana"));
    bank.stop();
    let (configuration, module) = soft_token(bank.folder.path(), "strongroom");
    let wrapped = bank.folder.path().join("root.wrapped");
    let uri = |token: &str, module: &str| {
        format!("pkcs11:token={token};object=root?module-path={module}&x-wrapped-file={}", wrapped.display())
    };
    let place_there = uri("strongroom", &module);
    let with_pin = |pin| [("SOFTHSM2_CONF", configuration.as_str()), ("STRONGROOM_PKCS11_PIN", pin)];
    let before = place(&bank);
    let to = |uri: &str, variables: &[(&str, &str)]| run(&bank, variables, &["keys", "move", "--to", uri]);

    refuses(&to(&place_there, &with_pin("")[..1]), 1, "STRONGROOM_PKCS11_PIN");
    refuses(&to(&place_there, &with_pin("999999")), 1, "the PIN was not accepted");
    refuses(&to(&uri("absent", &module), &with_pin("123456")), 1, "there is no such token");
    refuses(&to(&uri("strongroom", "/nowhere.so"), &with_pin("123456")), 1, "check module-path");
    refuses(&to("pkcs11:token=strongroom", &with_pin("123456")), 1, "the name has no object");
    assert_eq!(place(&bank), before, "nothing changed");
    assert!(!wrapped.exists());

    succeeds(&to(&place_there, &with_pin("123456")));
    fs::remove_file(before.trim_start_matches("file:")).expect("the old place is emptied");
    refuses(&run(&bank, &with_pin("999999"), &["status"]), 1, "the PIN was not accepted");
    bank.start(&with_pin("123456"));
    ana.signed_in_again(&bank);
    assert_eq!(block_on(ana.client.me()).expect("her data opens").username, "ana");
    let output = bank.run(&["keys", "rotate", "credential"]);
    succeeds(&output);
    bank.stop();

    let damaged = fs::read_to_string(&wrapped)
        .expect("a line")
        .replace("strongroom-wrapped-root-v1 ", "strongroom-wrapped-root-v1 A");
    let whole = fs::read(&wrapped).expect("bytes");
    fs::write(&wrapped, damaged).expect("it can be written");
    assert_eq!(run(&bank, &with_pin("123456"), &["status"]).status.code(), Some(1));
    fs::write(&wrapped, whole).expect("it can be written");
    let back = format!("file:{}", bank.folder.path().join("back.key").display());
    succeeds(&to_file(&bank, &back, &with_pin("123456")));
    bank.start(&[]);
}

fn to_file(bank: &TestBank, to: &str, variables: &[(&str, &str)]) -> Output {
    run(bank, variables, &["keys", "move", "--to", to])
}
