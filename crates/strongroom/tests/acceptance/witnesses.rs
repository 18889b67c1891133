//! Witnesses: two of them, by an independent implementation, cosign the log's checkpoints; a third does not know the
//! log. Proofs carry what they have signed, and a receipt can be checked with it.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use strongroom_client::Method;
use strongroom_ledger::cosignature::{Proof, WitnessKey};
use strongroom_ledger::note::LogKey;
use strongroom_ledger::receipt;
use strongroom_testkit::Authority;

use crate::bank::{Engine, TestBank, block_on};
use crate::customer::{Customer, transfer};

crate::on_both_databases!(witnesses_cosign_what_extends_the_log);

struct Witness {
    process: Child,
    port: u16,
    key: String,
}

impl Witness {
    fn start(folder: &Path, name: &str, log_key: &str) -> Self {
        let authority = Authority::new(name);
        let issued = authority.issue(&["127.0.0.1", "localhost"]);
        let file = |suffix: &str| folder.join(format!("{name}{suffix}"));
        authority.write(&file(".ca"));
        std::fs::write(file(".pem"), &issued.certificate_pem).expect("it can be written");
        std::fs::write(file(".key"), &issued.key_pem).expect("it can be written");
        let python = std::env::var_os("STRONGROOM_TEST_PYTHON").unwrap_or_else(|| "python3".into());
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/independent/witness.py");
        let mut process = Command::new(python)
            .arg(script)
            .args([file(".pem"), file(".key")])
            .args([name, log_key])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python can be run");
        let mut lines = BufReader::new(process.stdout.take().expect("it is piped")).lines();
        let mut line = || lines.next().expect("it speaks").expect("it is text");
        let (port, key) = (line().parse().expect("it prints its port"), line());
        // What it answers later is for people who look.
        std::thread::spawn(move || lines.for_each(drop));
        Witness { process, port, key }
    }

    fn section(&self, folder: &Path, name: &str) -> String {
        let ca = folder.join(format!("{name}.ca"));
        format!(
            "[[witness]]\nurl = \"https://localhost:{}/prefix\"\nkey = \"{}\"\nca = \"{}\"\n",
            self.port,
            self.key,
            ca.display()
        )
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn witnesses_cosign_what_extends_the_log(engine: Engine) {
    let mut bank = TestBank::open(engine);
    let log_key = bank.log_key().to_owned();
    let folder = bank.folder.path().to_owned();
    let strange = LogKey::new("elsewhere/log", &strongroom_crypto::sign::SigningKey::generate_ed25519().public());
    let (one, two) = (Witness::start(&folder, "one", &log_key), Witness::start(&folder, "two", &log_key));
    let stranger = Witness::start(&folder, "stranger", &strange.to_string());
    bank.stop();
    let config = bank.home().join("strongroom.toml");
    let text = std::fs::read_to_string(&config).expect("the configuration");
    let sections = [one.section(&folder, "one"), stranger.section(&folder, "stranger"), two.section(&folder, "two")];
    let text = format!("{text}\n[log]\nwitness_every_s = 1\n\n{}", sections.join("\n"));
    std::fs::write(&config, text).expect("it can be written");
    bank.start(&[]);
    let keys: Vec<WitnessKey> = [&one.key, &two.key].iter().map(|key| key.parse().expect("a key")).collect();
    let (receipt_text, index) = block_on(async {
        let (ana, ben) = (Customer::sign_up(&bank, "ana").await, Customer::sign_up(&bank, "ben").await);
        let teller = Customer::sign_in(&bank, "teller").await;
        let (from, to) = (ana.open_account().await.id, ben.open_account().await.id);
        teller.deposit(&from, "100.00").await;
        let mut last = serde_json::Value::Null;
        // Rounds between the orders: the witnesses have to be shown how the log grows.
        for n in 0..3 {
            last = ana.order(&transfer(&format!("o-{n}"), &from, &to, "1.00")).await.json().expect("an answer");
            tokio::time::sleep(Duration::from_millis(1_200)).await;
        }
        let id = last["id"].as_str().expect("an id").to_owned();
        (ana.client.receipt(&id).await.expect("a receipt"), last["sequence"].as_u64().expect("a place"))
    });
    let key: LogKey = log_key.parse().expect("the log's key");
    let entry = receipt::verify(&receipt_text, &key).expect("it holds").entry;
    let get = |path: String| {
        block_on(async {
            let answer = bank.client().send(Method::GET, &path, None).await.expect("the bank answers");
            (answer.status, String::from_utf8(answer.body.to_vec()).expect("text"))
        })
    };
    let proof = (0..100)
        .find_map(|_| {
            let (status, text) = get(format!("/log/proof/{index}"));
            assert_eq!(status, 200, "{text}");
            let proof = Proof::parse(&text).expect("a proof");
            let (_, times) = proof.verify(&entry, &key, &keys).expect("it holds");
            let all = times.iter().all(Option::is_some);
            std::thread::sleep(Duration::from_millis(if all { 0 } else { 200 }));
            all.then_some(text)
        })
        .unwrap_or_else(|| panic!("both witnesses cosign:\n{}", bank.log()));
    let (status, witnessed) = get("/log/witnessed".into());
    assert_eq!((status, witnessed.lines().filter(|line| line.starts_with('—')).count()), (200, 3), "{witnessed}");
    assert!(bank.log().contains("it does not know this log"), "the third one's refusal is told");
    assert_eq!(get(format!("/log/proof/{}", index + 1_000)).0, 404);
    // The console proves the same, and that the log extends what it was.
    let printed = bank.run(&["ledger", "proof", "--entry", &index.to_string()]);
    let printed = Proof::parse(&String::from_utf8_lossy(&printed.stdout)).expect("a proof");
    printed.verify(&entry, &key, &keys).expect("it holds");
    let extension = get("/log/extension/3".into());
    assert!(extension.0 == 200 && extension.1.starts_with("old 3\n"), "{extension:?}");
    // A stranger checks the receipt with both.
    let write = |name: &str, text: &str| {
        std::fs::write(folder.join(name), text).expect("it can be written");
        folder.join(name).display().to_string()
    };
    let (receipt_file, proof_file) = (write("receipt.txt", &receipt_text), write("receipt.tlog-proof", &proof));
    let check = |witness: &str| {
        let args = ["--log-key", log_key.as_str(), "--proof", &proof_file, "--witness", witness, "--witness", &two.key];
        bank.run(&[&["ledger", "verify-receipt", &receipt_file, "--json"], &args[..]].concat())
    };
    let good = check(&one.key);
    let said: serde_json::Value = serde_json::from_slice(&good.stdout).expect("JSON");
    assert_eq!((good.status.code(), said["cosigned"][0]["witness"].as_str()), (Some(0), Some("one")), "{said}");
    assert_eq!(check(&stranger.key).status.code(), Some(5), "who has not cosigned is missed");
}
