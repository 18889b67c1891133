//! Codes by SMS through Twilio Verify, against a strict stand-in of it on this machine, and through a
//! demonstration's folder.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use strongroom_api::SignInStep;
use strongroom_client::{Answer, Client, Content, Method};
use strongroom_testkit::Authority;

use crate::bank::{Engine, TestBank, block_on};
use crate::customer::{Customer, now_s, problem};

const ACCOUNT: &str = "AC0123456789abcdef0123456789abcdef";

/// The stand-in, as long as this lives.
struct Twilio {
    process: Child,
    port: u16,
    folder: PathBuf,
}

impl Twilio {
    fn start(folder: &Path) -> Self {
        let authority = Authority::new("Twilio");
        let issued = authority.issue(&["127.0.0.1", "localhost"]);
        let file = |name: &str, text: &str| {
            let path = folder.join(name);
            std::fs::write(&path, text).expect("it can be written");
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("the mode can be set");
            path
        };
        authority.write(&folder.join("twilio-ca.pem"));
        let token = file("twilio-token", "a secret token\n");
        let (certificate, key) = (file("twilio.pem", &issued.certificate_pem), file("twilio.key", &issued.key_pem));
        let python = std::env::var_os("STRONGROOM_TEST_PYTHON").unwrap_or_else(|| "python3".into());
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/independent/twilio.py");
        let mut process = Command::new(python)
            .arg(script)
            .args([&certificate, &key])
            .arg(folder.join("calls"))
            .args([ACCOUNT, "a secret token"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python can be run");
        let mut line = String::new();
        BufReader::new(process.stdout.take().expect("it is piped")).read_line(&mut line).expect("it speaks");
        let port = line.trim().parse().expect("it prints its port");
        assert!(token.exists());
        Twilio { process, port, folder: folder.to_owned() }
    }

    /// What stands in the configuration for it.
    fn section(&self) -> String {
        let file = |name: &str| self.folder.join(name).display().to_string();
        format!(
            "[sms]\nvia = \"twilio:{ACCOUNT}\"\ntoken_file = \"{}\"\napi = \"127.0.0.1:{}\"\nca = \"{}\"\n",
            file("twilio-token"),
            self.port,
            file("twilio-ca.pem")
        )
    }

    fn calls(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.folder.join("calls")).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }

    /// The newest code that was sent.
    fn code(&self) -> String {
        let calls = self.calls();
        let newest = calls.iter().rev().find_map(|call| call["code"].as_str());
        newest.expect("a code was sent").to_owned()
    }

    /// The newest code, once it is another one.
    fn wait_for_code_after(&self, before: &str) -> String {
        for _ in 0..200 {
            let newest = self.code();
            if newest != before {
                return newest;
            }
            std::thread::sleep(std::time::Duration::from_millis(25));
        }
        panic!("no other code was sent")
    }

    fn count(&self, path_end: &str, status: u64) -> usize {
        let is_it = |call: &&Value| {
            call["path"].as_str().is_some_and(|path| path.ends_with(path_end)) && call["status"] == status
        };
        self.calls().iter().filter(is_it).count()
    }

    /// Ends the newest verification behind the bank's back.
    fn cancel_newest(&self) {
        let calls = self.calls();
        let service = calls.iter().rev().find_map(|call| call["path"].as_str()?.split('/').nth(3)).expect("a service");
        let sid = calls.iter().rev().find_map(|call| call["sid"].as_str()).expect("a verification");
        let url = format!("https://127.0.0.1:{}/v2/Services/{service}/Verifications/{sid}", self.port);
        let status = Command::new("curl")
            .args(["--silent", "--fail", "--output", "/dev/null", "--cacert"])
            .arg(self.folder.join("twilio-ca.pem"))
            .args(["--user", &format!("{ACCOUNT}:a secret token"), "--data", "Status=canceled", &url])
            .status();
        assert!(status.expect("curl can be run").success());
    }

    fn canceled(&self) -> usize {
        self.calls().iter().filter(|call| call["request_status"] == "canceled" && call["status"] == 200).count()
    }
}

impl Drop for Twilio {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Puts a section in the place of the configuration's `[sms]`, and starts again.
fn configure(bank: &mut TestBank, section: &str) {
    bank.stop();
    let file = bank.home().join("strongroom.toml");
    let text = std::fs::read_to_string(&file).expect("the configuration is there");
    let begin = text.find("[sms]").expect("a demo has one");
    let end = text[begin + 1..].find("\n[").map_or(text.len(), |at| begin + 1 + at + 1);
    let new = format!("{}{section}\n{}", &text[..begin], &text[end..]);
    std::fs::write(&file, new).expect("it can be written");
    bank.start(&[]);
}

async fn call(client: &Client, method: Method, path: &str, body: Option<Value>) -> Answer {
    let content = body.map(|body| Content::json(&body).expect("it is JSON"));
    client.send(method, path, content).await.expect("the bank answers")
}

async fn with_phone(bank: &TestBank, username: &str, phone: &str) -> Customer {
    let customer = Customer::sign_up(bank, username).await;
    let change = json!({"phone": phone});
    assert_eq!(call(&customer.client, Method::PATCH, "/v1/me", Some(change)).await.status, 200);
    customer
}

async fn challenge(bank: &TestBank, customer: &Customer, username: &str) -> String {
    let step = bank.client().sign_in(username, &customer.password).await.expect("the password is right");
    let SignInStep::FactorRequired { challenge, factors } = step else { panic!("{step:?}") };
    assert!(factors.contains(&"sms".to_owned()));
    challenge
}

#[test]
fn checklist_03_codes_by_sms_through_twilio() {
    let mut bank = TestBank::open(Engine::Sqlite);
    let twilio = Twilio::start(bank.folder.path());
    configure(&mut bank, &twilio.section());
    block_on(async {
        let ana = with_phone(&bank, "ana", "+1 202 555 0123").await;
        let post = async |path: &str, body: Value| call(&ana.client, Method::POST, path, Some(body)).await;
        let early = post("/v1/me/factors/sms", json!({})).await;
        assert_eq!((early.status, problem(&early)), (409, "phone_not_verified".into()));
        assert_eq!(post("/v1/me/phone/send", json!({})).await.status, 202);
        assert_eq!(twilio.count("/v2/Services", 201), 1, "the service is made once");
        let sent = twilio.code();
        assert_eq!(sent.len(), 8);
        assert_eq!(post("/v1/me/phone/confirm", json!({"code": "00000000"})).await.status, 422);
        assert_eq!(post("/v1/me/phone/confirm", json!({"code": sent})).await.status, 204);
        assert_eq!(post("/v1/me/phone/confirm", json!({"code": sent})).await.status, 422, "one use");
        assert_eq!(post("/v1/me/factors/sms", json!({})).await.status, 201);

        let anyone = bank.client();
        let send = async |challenge: &str| {
            let body = json!({"challenge": challenge, "factor": "sms"});
            call(&anyone, Method::POST, "/v1/sessions/send", Some(body)).await.status
        };
        let verify = async |challenge: &str, code: &str| anyone.verify(challenge, "sms", code).await;
        let first = challenge(&bank, &ana, "ana").await;
        assert!(verify(&first, &sent).await.is_err(), "nothing was sent for this sign-in yet");
        assert_eq!(send(&first).await, 202);
        let old = twilio.code();
        assert_eq!(send(&first).await, 202);
        let new = twilio.code();
        assert_ne!(old, new, "the one before is canceled, and another is made");
        assert!(twilio.canceled() >= 1);
        assert!(verify(&first, &old).await.is_err());
        // Another sign-in of hers does not take this one's code.
        let second = challenge(&bank, &ana, "ana").await;
        assert!(verify(&second, &new).await.is_err(), "a code is bound to its sign-in");
        let session = verify(&first, &new).await.expect("the code is right");
        assert!(!session.access_token.is_empty());
        assert!(verify(&first, &new).await.is_err(), "one use");
        assert_eq!(twilio.count("/v2/Services", 201), 1);

        // What is over at Twilio is over here.
        let third = challenge(&bank, &ana, "ana").await;
        assert_eq!(send(&third).await, 202);
        let right = twilio.code();
        twilio.cancel_newest();
        assert!(verify(&third, &right).await.is_err(), "it was canceled there");
        assert_eq!(twilio.count("/VerificationCheck", 404), 1);

        // Sending is limited by the challenge and by the person; wrong codes by the challenge.
        assert_eq!(send(&second).await, 202);
        let right = twilio.code();
        for _ in 0..5 {
            assert!(verify(&second, "12345678").await.is_err());
        }
        assert!(verify(&second, &right).await.is_err(), "five tries");
        let body = json!({"challenge": second, "factor": "sms"});
        assert!(call(&anyone, Method::POST, "/v1/sessions/send", Some(body)).await.status >= 400);
        assert!(!twilio.calls().iter().any(|call| call["status"] == 400), "nothing that Twilio refuses was sent");
    });
}

#[test]
fn checklist_18_a_code_by_sms_is_given_again_and_helps_back_in() {
    let mut bank = TestBank::open(Engine::Sqlite);
    let twilio = Twilio::start(bank.folder.path());
    configure(&mut bank, &twilio.section());
    block_on(async {
        let ana = with_phone(&bank, "ana", "+12025550123").await;
        let post = async |path: &str, body: Value| call(&ana.client, Method::POST, path, Some(body)).await;
        let give = async |code: &str| post("/v1/sessions/step-up", json!({"factor": "sms", "code": code})).await;
        let send = async || post("/v1/sessions/step-up/send", json!({"factor": "sms"})).await.status;
        assert_eq!(send().await, 422, "it is no factor of hers yet");
        assert_eq!(post("/v1/me/phone/send", json!({})).await.status, 202);
        let proof = twilio.code();
        assert_eq!(post("/v1/me/phone/confirm", json!({"code": proof})).await.status, 204);
        assert_eq!(post("/v1/me/factors/sms", json!({})).await.status, 201);
        assert_eq!(give(&proof).await.status, 401, "what was sent for something else");
        assert_eq!(send().await, 202);
        let sent = twilio.code();
        assert_eq!(give("12345678").await.status, 401);
        // For a sign-in the same code is worth nothing.
        let signing_in = challenge(&bank, &ana, "ana").await;
        assert!(bank.client().verify(&signing_in, "sms", &sent).await.is_err());
        let stepped = give(&sent).await;
        assert_eq!(stepped.status, 201);
        assert_eq!(give(&sent).await.status, 401, "the session before has ended, and the code with it");

        // Everything else is lost: the telephone and the password help back in.
        let anyone = bank.client();
        let open = async |path: &str, body: Value| call(&anyone, Method::POST, path, Some(body)).await;
        let mut begun = Vec::new();
        for username in ["ana", "nobody-at-all"] {
            let answer = open("/v1/recoveries", json!({"username": username})).await;
            let answer: Value = answer.json().expect("JSON");
            let recovery = answer["recovery"].as_str().expect("a token").to_owned();
            let asked = json!({"recovery": recovery, "proof": "sms"});
            assert_eq!(open("/v1/recoveries/send", asked.clone()).await.status, 202, "{username}");
            assert_eq!(open("/v1/recoveries/send", asked).await.status, 429, "one at a time for {username}");
            begun.push(recovery);
        }
        let sent = twilio.wait_for_code_after(&sent);
        let prove = async |recovery: &str, proof: &str, value: &str| {
            open("/v1/recoveries/prove", json!({"recovery": recovery, "proof": proof, "value": value})).await
        };
        for recovery in &begun {
            let before_s = now_s();
            assert_eq!(prove(recovery, "sms", "12345678").await.status, 401);
            assert!(now_s() - before_s >= 2, "known and unknown take the same time");
        }
        assert_eq!(prove(&begun[1], "sms", &sent).await.status, 401, "another recovery's code");
        assert_eq!(prove(&begun[0], "sms", &sent).await.status, 200);
        let waiting: Value = prove(&begun[0], "password", &ana.password).await.json().expect("JSON");
        assert_eq!(waiting["proven"], json!(["sms", "password"]));
        assert!(waiting["ready_at"].is_string());
    });
}

#[test]
fn what_twilio_refuses_is_told_in_words() {
    let mut bank = TestBank::open(Engine::Sqlite);
    let twilio = Twilio::start(bank.folder.path());
    configure(&mut bank, &twilio.section());
    block_on(async {
        let send = async |who: &Customer| call(&who.client, Method::POST, "/v1/me/phone/send", Some(json!({}))).await;
        let landline = with_phone(&bank, "landline", "+12025550199").await;
        assert_eq!(send(&landline).await.status, 422);
        let busy = with_phone(&bank, "busy", "+12025550198").await;
        let answer = send(&busy).await;
        assert_eq!((answer.status, answer.retry_after_s), (429, Some(17)));
        let unlisted = Customer::sign_up(&bank, "unlisted").await;
        assert_eq!(send(&unlisted).await.status, 422, "no number was given");
    });
    // A wrong token is for the operator to mend: the customer hears that it does not work now.
    let token = bank.folder.path().join("twilio-token");
    std::fs::write(&token, "another token\n").expect("it can be written");
    configure(&mut bank, &twilio.section());
    block_on(async {
        let ana = with_phone(&bank, "ana", "+12025550123").await;
        assert_eq!(call(&ana.client, Method::POST, "/v1/me/phone/send", Some(json!({}))).await.status, 503);
    });
    assert!(bank.log().contains("Twilio does not know the account"), "{}", bank.log());
    assert!(!bank.log().contains("another token") && !bank.log().contains("2025550123"));
    drop(twilio);
    // A file that others can read is refused, and so is a stand-in elsewhere.
    bank.stop();
    std::fs::set_permissions(&token, std::fs::Permissions::from_mode(0o644)).expect("the mode can be set");
    assert!(!bank.run(&["serve", "--listen", "127.0.0.1:0"]).status.success());
}

#[test]
fn a_demonstration_writes_its_sms_into_a_folder() {
    let bank = TestBank::open(Engine::Sqlite);
    block_on(async {
        let ana = with_phone(&bank, "ana", "+12025550123").await;
        assert_eq!(call(&ana.client, Method::POST, "/v1/me/phone/send", Some(json!({}))).await.status, 202);
        let files = std::fs::read_dir(bank.home().join("outbox")).expect("the outbox is there");
        let sms =
            files.filter_map(|file| Some(file.ok()?.path())).find(|path| path.extension().is_some_and(|e| e == "sms"));
        let text = std::fs::read_to_string(sms.expect("it was sent")).expect("it can be read");
        assert!(text.starts_with("To: +12025550123\n"));
        let line = text.lines().find(|line| line.contains("Your code to")).expect("it has a code");
        let sent: String = line.chars().filter(char::is_ascii_digit).collect();
        let confirm = call(&ana.client, Method::POST, "/v1/me/phone/confirm", Some(json!({"code": sent}))).await;
        assert_eq!(confirm.status, 204);
        assert_eq!(call(&ana.client, Method::POST, "/v1/me/factors/sms", Some(json!({}))).await.status, 201);
    });
}
