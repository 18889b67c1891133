//! A customer and a teller who use the command line, from sign-up to a receipt checked offline.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Output;

use serde_json::Value;

use crate::bank::{Engine, TestBank};
use crate::customer::code;

/// Someone at a terminal of their own.
struct Terminal<'a> {
    bank: &'a TestBank,
    folder: PathBuf,
}

impl<'a> Terminal<'a> {
    fn of(bank: &'a TestBank, name: &str) -> Self {
        let folder = bank.folder.path().join(name);
        std::fs::create_dir(&folder).expect("a folder can be made");
        Terminal { bank, folder }
    }

    /// Runs a command that must answer this exit code.
    fn run(&self, args: &[&str], exit: i32) -> Output {
        let mut command = self.bank.command(args);
        command.env("STRONGROOM_CLIENT_HOME", self.folder.join("state")).env("STRONGROOM_SERVER", self.bank.address());
        command.env("STRONGROOM_HOME", "/nowhere").env("RUST_LOG", "off").current_dir(&self.folder);
        let output = command.args(["--no-input", "--json"]).output().expect("the program can be run");
        let words = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(exit), "{args:?}: {}{words}", String::from_utf8_lossy(&output.stdout));
        output
    }

    /// Runs a command that must succeed. Answers its data.
    fn get(&self, args: &[&str]) -> Value {
        serde_json::from_slice(&self.run(args, 0).stdout).unwrap_or_else(|e| panic!("{args:?}: {e}"))
    }

    /// A receipt, as it is printed.
    fn receipt(&self, transfer: &str) -> String {
        let mut command = self.bank.command(&["transfer", "receipt", transfer]);
        command.env("STRONGROOM_CLIENT_HOME", self.folder.join("state")).env("STRONGROOM_SERVER", self.bank.address());
        let output = command.output().expect("the program can be run");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("a receipt is text")
    }

    /// Puts a secret into a file.
    fn file(&self, name: &str, secret: &str) -> String {
        let path = self.folder.join(name);
        std::fs::write(&path, format!("{secret}\n")).expect("it can be written");
        std::fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("the mode can be set");
        path.to_str().expect("a path is text").to_owned()
    }
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or_else(|| panic!("{name} in {value}"))
}

#[test]
fn a_customer_and_a_teller_at_their_terminals() {
    let bank = TestBank::open(Engine::Sqlite);
    let ca = bank.ca_file().to_str().expect("a path is text").to_owned();
    let clara = Terminal::of(&bank, "clara");
    let password = clara.file("password", "three green lamps");
    let sign_up =
        ["signup", "--ca", &ca, "--username", "clara", "--email", "c@example.com", "--password-file", &password];
    clara.get(&sign_up);
    clara.run(&sign_up, 1);
    let open = clara.file("open", "a password that others can read");
    std::fs::set_permissions(&open, Permissions::from_mode(0o644)).expect("the mode can be set");
    let refused = clara.run(&["login", "--username", "clara", "--password-file", &open], 2);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("chmod 600"), "{refused:?}");
    clara.run(&["login", "--username", "clara", "--password-file", &password], 3);
    let factor = clara.get(&["factor", "add", "totp"]);
    let code_file = clara.file("code", &code(text(&factor, "secret")));
    clara.get(&["factor", "confirm", text(&factor, "id"), "--code-file", &code_file]);
    assert_eq!(text(&clara.get(&["whoami"]), "username"), "clara");
    let account = clara.get(&["account", "open", "Everyday"]);
    let (id, number) = (text(&account, "id"), text(&account, "number"));

    let teller = Terminal::of(&bank, "teller");
    let person = bank.person("teller");
    let password = teller.file("password", text(person, "password"));
    let code_file = teller.file("code", &code(text(person, "totp_secret")));
    let sign_in = ["login", "--ca", &ca, "--username", text(person, "username"), "--password-file", &password];
    teller.get(&[&sign_in[..], &["--code-file", &code_file]].concat());
    teller.run(&["cash", "deposit", number, "100.00"], 3);
    teller.get(&["device", "add", "counter"]);
    teller.get(&["cash", "deposit", number, "100.00", "--reference", "Opening"]);

    clara.get(&["device", "add", "laptop"]);
    let to = text(&clara.get(&["account", "open", "Savings"]), "number").to_owned();
    let refused = clara.run(&["transfer", id, &to, "100.01"], 1);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("does not hold enough"), "{refused:?}");
    clara.run(&["transfer", id, "032180000118359718", "1.00"], 1);
    clara.run(&["transfer", id, "032180000118359719", "1.00"], 4);
    let pay = ["transfer", id, &to, "12.50", "--description", "To the side", "--order-id", "mine-1"];
    let posted = clara.get(&pay);
    assert_eq!(clara.get(&pay), posted, "the same order again is the same posting");
    assert_eq!(clara.get(&["account", "show", id])["balance"]["amount"], "87.50");
    let entries = clara.get(&["account", "entries", id]);
    assert_eq!(entries["items"][0]["description"], "To the side", "{entries}");

    let transfer = text(&posted, "id");
    assert_eq!(clara.get(&["transfer", "verify", transfer])["is_valid"], true);
    let receipt = clara.receipt(transfer);
    let file = clara.folder.join("receipt.txt");
    std::fs::write(&file, &receipt).expect("it can be written");
    clara.get(&["ledger", "verify-receipt", "receipt.txt"]);
    clara.get(&["ledger", "verify-receipt", "receipt.txt", "--log-key", bank.log_key()]);
    std::fs::write(&file, receipt.replace("12.50", "12.51")).expect("it can be written");
    clara.run(&["ledger", "verify-receipt", "receipt.txt"], 5);
    clara.get(&["logout"]);
    clara.run(&["whoami"], 3);
}

/// A terminal where one of the demo's people is signed in, with a device that signs.
fn signed_in<'a>(bank: &'a TestBank, role: &str) -> Terminal<'a> {
    let person = bank.person(role).clone();
    let terminal = Terminal::of(bank, role);
    let ca = bank.ca_file().to_str().expect("a path is text").to_owned();
    let (password, code) = (
        terminal.file("password", text(&person, "password")),
        terminal.file("code", &code(text(&person, "totp_secret"))),
    );
    let username = text(&person, "username");
    terminal.get(&["login", "--ca", &ca, "--username", username, "--password-file", &password, "--code-file", &code]);
    terminal.get(&["device", "add", "terminal"]);
    terminal
}

#[test]
fn staff_at_their_terminals_ask_approve_and_look() {
    let bank = TestBank::open(Engine::Sqlite);
    let (admin, manager) = (signed_in(&bank, "admin"), signed_in(&bank, "manager"));
    let asked = admin.get(&["role", "define", "clerk", "people.read", "cash.deposit", "--staff"]);
    admin.run(&["approval", "approve", text(&asked, "id"), "--yes"], 3);
    manager.run(&["approval", "approve", text(&asked, "id")], 2);
    let waiting = manager.get(&["approval", "list"]);
    assert_eq!(waiting["items"].as_array().map(Vec::len), Some(1));
    let done = manager.get(&["approval", "approve", text(&asked, "id"), "--yes"]);
    assert_eq!(done["status"], "approved");
    let roles = manager.get(&["role", "list"]);
    assert!(roles["items"].as_array().expect("a list").iter().any(|role| role["name"] == "clerk"));

    let customer = text(bank.person("customer"), "username").to_owned();
    let found = admin.get(&["user", "find", &customer]);
    let id = text(&found, "id");
    let asked = admin.get(&["user", "roles", id, "customer", "clerk"]);
    assert_eq!(admin.get(&["approval", "refuse", text(&asked, "id")])["status"], "refused");
    manager.run(&["approval", "approve", text(&asked, "id"), "--yes"], 1);
    admin.run(&["user", "show", id], 3);
    assert!(text(&manager.get(&["user", "show", id]), "phone").starts_with('\u{2022}'));
    let reveal = ["user", "reveal", id, "--field", "phone", "--reason", "to call back about a card"];
    assert!(text(&manager.get(&reveal), "phone").starts_with('+'));

    let asked = admin.get(&["service", "create", "night-run", "--role", "auditor"]);
    manager.get(&["approval", "approve", text(&asked, "id"), "--yes"]);
    let service = admin.get(&["user", "find", "night-run"]);
    let key = admin.get(&["service", "key", "make", text(&service, "id"), "--days", "7"]);
    assert!(text(&key, "api_key").starts_with("sess_"));
    manager.get(&["approval", "approve", text(&key, "approval"), "--yes"]);
    admin.get(&["service", "key", "end", text(&service, "id"), text(&key, "id")]);
    assert_eq!(admin.get(&["service", "key", "list", text(&service, "id")])["items"].as_array().map(Vec::len), Some(0));

    let old = manager.file("old", text(bank.person("manager"), "password"));
    let new = manager.file("new", "nine patient herons wade");
    assert_eq!(manager.get(&["password", "--password-file", &old, "--new-password-file", &new])["status"], "changed");
    manager.run(&["password", "--password-file", &old, "--new-password-file", &new], 2);
    let begun = manager.get(&["recover", "begin", "--username", "nobody-here"]);
    manager.run(&["recover", "prove", text(&begun, "recovery"), "--by", "password", "--value-file", &new], 3);
    manager.run(&["recover", "finish", text(&begun, "recovery")], 1);
}
