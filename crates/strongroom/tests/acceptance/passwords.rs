//! Passwords: what may be chosen, how they are kept, and those that other systems kept before.

use std::path::Path;

use serde_json::{Value, json};
use strongroom_api::{NewUser, SignInStep};

use crate::bank::{Engine, TestBank, block_on};
use crate::customer::Customer;
use crate::path::python;

const PASSWORD: &str = "ñandú at the gate";

fn user(username: &str, password: &str) -> NewUser {
    NewUser {
        username: username.into(),
        password: password.into(),
        full_name: Some("Roberta Quintanilla".into()),
        email: Some(format!("{username}@example.com")),
        phone: None,
        national_id: None,
        date_of_birth: None,
        address: None,
    }
}

/// Length, common ones, one's own data, the operator's own list; 64 characters and any script are welcome.
#[test]
fn checklist_01_what_may_be_chosen() {
    let mut bank = TestBank::open(Engine::Sqlite);
    bank.stop();
    let list = bank.folder.path().join("blocked.txt");
    std::fs::write(&list, "Hunter Under The Hill\n\n").expect("it can be written");
    configure(&bank, &format!("[password]\nblocked = \"{}\"\n", list.display()));
    bank.start(&[]);
    let code = |username: &str, password: &str| {
        let refused = block_on(bank.client().sign_up(&user(username, password))).err();
        refused.map(|error| match &error {
            strongroom_client::Error::Refused { problem, .. } => problem.errors[0].code.clone(),
            other => panic!("{other}"),
        })
    };
    for (password, expected) in [
        ("seven77", Some("too_short")),
        (&*"x".repeat(257), Some("too_long")),
        ("password1", Some("too_common")),
        ("P@ssw0rd!", Some("too_common")),
        ("liverpool1", Some("too_common")),
        ("qwertyuiop", Some("too_common")),
        ("abcabcabcabc", Some("too_common")),
        ("hunter under the hill", Some("too_common")),
        ("roberta.quintanilla", Some("too_personal")),
    ] {
        assert_eq!(code("someone", password).as_deref(), expected, "{password}");
    }
    for (number, password) in
        [&*"violet ladder ".repeat(6), "короткая дорога домой", "傘と雨のあいだに立つ", "no digits no signs needed"]
            .iter()
            .enumerate()
    {
        assert_eq!(code(&format!("someone{number}"), password), None, "{password}");
    }
    bank.stop();
    std::fs::remove_file(&list).expect("the list goes");
    let refused = bank.run(&["serve", "--demo", "--listen", "127.0.0.1:0"]);
    let words = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && words.contains("blocked"), "the check never fails open: {words}");
    std::fs::write(&list, "").expect("it can be written");
    bank.start(&[]);
}

/// bcrypt by choice: nothing is cut off at 72 bytes; and hashes follow the choice at the next sign-in.
#[test]
fn checklist_02_argon2id_and_bcrypt() {
    let mut bank = TestBank::open(Engine::Sqlite);
    let ana = block_on(Customer::sign_up(&bank, "ana"));
    bank.stop();
    configure(&bank, "[password]\nhash = \"bcrypt\"\n");
    bank.start(&[]);
    let long = "violet ladders hum at noon ".repeat(4);
    block_on(async {
        let client = bank.client();
        client.sign_in("ana", &ana.password).await.expect("her old hash still counts");
        client.sign_in("ana", &ana.password).await.expect("so does the new one");
        client.sign_up(&user("long", &long)).await.expect("108 characters");
        let cut: String = long.chars().take(72).collect();
        assert!(client.sign_in("long", &cut).await.is_err(), "all of it counts");
        client.sign_in("long", &long).await.expect("the whole is right");
    });
    assert_eq!(rehashed(&bank), 1);
    bank.stop();
    configure(&bank, "[password]\nhash = \"argon2id\"\n");
    bank.start(&[]);
    block_on(bank.client().sign_in("long", &long)).expect("the whole is right");
    assert_eq!(rehashed(&bank), 2);
    // The pepper can be followed; each hash follows at its owner's next sign-in.
    assert!(bank.run(&["keys", "rotate", "pepper"]).status.success());
    block_on(bank.client().sign_in("long", &long)).expect("the old pepper still checks");
    assert_eq!(rehashed(&bank), 3);
    block_on(bank.client().sign_in("long", &long)).expect("and the new one");
    assert_eq!(rehashed(&bank), 3, "once is enough");
    // Others have not signed in since, so that the old version is needed.
    let refused = bank.run(&["keys", "destroy", "pepper", "1", "--yes"]);
    let words = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && words.contains("passwords are hashed with this version"), "{words}");
}

/// People come with the hashes that other systems made, sign in with the passwords they have, and have a
/// hash of ours from then on.
#[test]
fn people_are_imported_with_the_hashes_that_other_systems_made() {
    let mut bank = TestBank::open(Engine::Sqlite);
    let made = python("hashes.py", &[Path::new(PASSWORD)]);
    let file = bank.folder.path().join("people.json");
    std::fs::write(&file, &made).expect("it can be written");
    let file = file.to_str().expect("a path is text").to_owned();
    let people: Vec<Value> = serde_json::from_str(&made).expect("it prints JSON");
    assert!(people.len() >= 9);
    assert_eq!(bank.run(&["user", "import", &file]).status.code(), Some(75), "the server runs");
    bank.stop();
    let dry = bank.run(&["user", "import", &file, "--dry-run", "--json"]);
    let dry: Value = serde_json::from_slice(&dry.stdout).expect("it prints JSON");
    assert_eq!((&dry["people"], &dry["imported"]), (&json!(people.len()), &json!(0)));
    let done = bank.run(&["user", "import", &file]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let again = bank.run(&["user", "import", &file, "--json"]);
    assert_eq!(again.status.code(), Some(1), "nobody twice");
    assert!(!String::from_utf8_lossy(&again.stdout).contains("$2b$"), "no hash is shown");
    bank.start(&[]);
    block_on(async {
        let client = bank.client();
        for person in &people {
            let name = person["username"].as_str().expect("text");
            assert!(client.sign_in(name, "ñandú at the fence").await.is_err(), "{name}: another password");
            for time in ["by the old hash", "by the new one"] {
                let step = client.sign_in(name, PASSWORD).await.unwrap_or_else(|e| panic!("{name} {time}: {e}"));
                assert!(matches!(step, SignInStep::EnrolmentRequired { .. }), "{name}");
            }
        }
    });
    assert_eq!(rehashed(&bank), people.len(), "each once");
    bank.stop();
    let broken = bank.folder.path().join("people.csv");
    std::fs::write(
        &broken,
        "username,password_hash,email\nok.name,$2b$04$short,a@b.co\nx,5f4dcc3b5aa765d61d8327deb882cf99,nowhere\n",
    )
    .expect("it can be written");
    let refused = bank.run(&["user", "import", broken.to_str().expect("text"), "--json"]);
    let refused: Value = serde_json::from_slice(&refused.stdout).expect("it prints JSON");
    let fields: Vec<(i64, &str)> = refused["refusals"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|r| (r["number"].as_i64().expect("a number"), r["field"].as_str().expect("text")))
        .collect();
    assert_eq!(fields, [(1, "password_hash"), (2, "username"), (2, "email"), (2, "password_hash")]);
    bank.start(&[]);
}

fn rehashed(bank: &TestBank) -> usize {
    let tail = bank.run(&["audit", "tail", "--count", "1000", "--json"]);
    let tail: Value = serde_json::from_slice(&tail.stdout).expect("it prints JSON");
    tail["items"].as_array().expect("a list").iter().filter(|entry| entry["event"] == "password.rehashed").count()
}

/// Puts a section into the configuration, in the place of one of the same name.
fn configure(bank: &TestBank, section: &str) {
    let file = bank.home().join("strongroom.toml");
    let text = std::fs::read_to_string(&file).expect("the configuration is there");
    let kept = text.find("\n[password]").map_or(text.as_str(), |at| &text[..at]);
    std::fs::write(&file, format!("{}\n\n{section}", kept.trim_end())).expect("it can be written");
}
