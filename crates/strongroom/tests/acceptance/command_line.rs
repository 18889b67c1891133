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
