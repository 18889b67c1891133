//! Passkeys and the security page, in a real browser with a virtual authenticator: made, used as the only
//! sign-in, and refused when anything about the answer is wrong.

use std::path::Path;

use serde_json::{Value, json};

use crate::bank::{Engine, TestBank};
use crate::browser::pictures;
use crate::customer::code;
use crate::path::python;
use crate::webdriver::Browser;

const PASSWORD: &str = "a password of Emil's own";

struct Visit {
    bank: TestBank,
    browser: Browser,
}

#[test]
fn a_passkey_is_made_and_opens_the_bank_alone_while_others_guess_the_password() {
    let visit = Visit { bank: TestBank::open(Engine::Sqlite), browser: Browser::start() };
    let browser = &visit.browser;
    let authenticator = browser.add_authenticator();
    visit.sign_up();
    visit.open("/security");
    visit.look("20-security");
    browser.click("form[action='/security/recovery'] button");
    assert_eq!(browser.text(".codes").lines().count(), 10);
    visit.look("21-recovery-codes");
    let paper = browser.text(".codes li:nth-child(2)");
    visit.open("/security");
    browser.write("[name=name]", "This laptop");
    browser.click("[data-make-passkey] button");
    browser.arrive("/security?done=added");
    visit.look("22-passkey-made");

    // It is given again for what is sensitive.
    visit.open("/step-up");
    visit.look("24-step-up");
    browser.click("[data-use-passkey] button");
    browser.arrive("/security?done=stepped-up");

    visit.sign_out();
    visit.look("23-landing-with-passkey");
    browser.click("[data-use-passkey] button");
    browser.arrive("/accounts");

    // Others guess his password, from two hundred addresses.
    let statuses = visit.guesses(10_000);
    assert!(statuses["201"].is_null(), "no guess is right: {statuses}");
    assert!(statuses["429"].as_u64().expect("most must wait") > 9_000, "{statuses}");
    visit.sign_out();
    browser.click("[data-use-passkey] button");
    browser.arrive("/accounts");

    // What is wrong about an answer is found.
    visit.sign_out();
    assert_eq!(visit.answer("", ""), 201, "an honest answer");
    let flipped = "const s = answer.response.signature; answer.response.signature = s.slice(0, 20) + (s[20] === 'A' ? 'B' : 'A') + s.slice(21);";
    assert_eq!(visit.answer("", flipped), 401, "a changed signature");
    let other = "answer.response.clientDataJSON = text(new TextEncoder().encode(new TextDecoder().decode(bytes(answer.response.clientDataJSON)).replace('localhost', 'evilhost1')));";
    assert_eq!(visit.answer("", other), 401, "another site");
    let nobody = "answer.response.userHandle = 'AAAAAAAAAAAAAAAAAAAAAA';";
    assert_eq!(visit.answer("", nobody), 401, "another person");
    assert_eq!(visit.answer("", "sent = 2;"), 401, "the same answer a second time");
    browser.verify_user(&authenticator, false);
    let unverified = "options.publicKey.userVerification = 'discouraged';";
    assert_eq!(visit.answer(unverified, ""), 401, "nobody looked at who holds the device");
    browser.verify_user(&authenticator, true);

    // The phone is lost: a code on paper, after the guessers' delay is waited out by nobody: the owner's
    // own way in stays open, and from inside the passkey can be removed only while another factor stands.
    assert_eq!(paper.len(), 19);
    let audit = visit.bank.run(&["audit", "tail", "--count", "5", "--json"]);
    let audit: Value = serde_json::from_slice(&audit.stdout).expect("it prints JSON");
    assert!(audit["items"].as_array().is_some_and(|items| items.iter().any(|e| e["event"] == "factor.wrong")));
}

impl Visit {
    fn open(&self, path: &str) {
        let port = self.bank.address().rsplit(':').next().expect("it has a port").to_owned();
        self.browser.open(&format!("https://localhost:{port}{path}"));
    }

    fn sign_up(&self) {
        let browser = &self.browser;
        self.open("/sign-up");
        browser.write("[name=username]", "emil.browser");
        browser.write("[name=password]", PASSWORD);
        browser.write("[name=email]", "emil@example.com");
        browser.click("main form button[type=submit]");
        browser.arrive("/enrol");
        let secret = browser.text("#secret").replace(' ', "");
        browser.write("[name=code]", &code(&secret));
        browser.click("main form button[type=submit]");
        browser.arrive("/accounts");
    }

    fn sign_out(&self) {
        self.browser.click("form[action='/sign-out'] button");
        self.browser.arrive("/?out=signed-out");
    }

    fn look(&self, name: &str) {
        for (width, scheme) in crate::browser::LOOKS {
            self.browser.appear(width, scheme);
            self.browser.picture(&pictures().join(format!("{name}-{width}-{scheme}.png")));
        }
    }

    fn guesses(&self, count: u32) -> Value {
        let (host, port) = self.bank.address().trim_start_matches("https://").rsplit_once(':').expect("it has a port");
        let count = count.to_string();
        let args = [host, port, self.bank.ca_file().to_str().expect("a path is text"), "emil.browser", &count];
        let output = python("guess.py", &args.map(Path::new));
        serde_json::from_str(&output).expect("it prints JSON")
    }

    /// Signs in by the API with the browser's passkey, with something changed on the way. Answers the status.
    fn answer(&self, change_options: &str, change_answer: &str) -> u64 {
        let script = format!(
            "const bytes = (t) => Uint8Array.from(atob(t.replaceAll('-', '+').replaceAll('_', '/')), (c) => c.charCodeAt(0));
             const text = (b) => btoa(String.fromCharCode(...new Uint8Array(b))).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
             const begun = await (await fetch('/v1/sessions/passkey', {{method: 'POST'}})).json();
             const options = begun.options; let sent = 1;
             options.publicKey.challenge = bytes(options.publicKey.challenge); options.publicKey.allowCredentials = [];
             {change_options}
             const used = await navigator.credentials.get(options);
             const answer = {{id: used.id, rawId: text(used.rawId), type: used.type, extensions: {{}}, response: {{
               authenticatorData: text(used.response.authenticatorData), clientDataJSON: text(used.response.clientDataJSON),
               signature: text(used.response.signature), userHandle: text(used.response.userHandle)}}}};
             {change_answer}
             let status = 0;
             for (let n = 0; n < sent; n++) status = (await fetch('/v1/sessions/verify', {{method: 'POST',
               headers: {{'content-type': 'application/json'}},
               body: JSON.stringify({{challenge: begun.challenge, factor: 'passkey', assertion: answer}})}})).status;
             return status;"
        );
        let outcome = self.browser.run(&script);
        outcome.as_u64().unwrap_or_else(|| panic!("the script failed: {outcome}"))
    }
}

impl Browser {
    /// Gives it a virtual authenticator that verifies its user. Answers its id.
    fn add_authenticator(&self) -> String {
        let kind = json!({"protocol": "ctap2", "transport": "internal", "hasResidentKey": true,
                          "hasUserVerification": true, "isUserVerified": true, "isUserConsenting": true});
        self.post("/webauthn/authenticator", &kind).as_str().expect("it has an id").to_owned()
    }

    fn verify_user(&self, authenticator: &str, is_verified: bool) {
        self.post(&format!("/webauthn/authenticator/{authenticator}/uv"), &json!({"isUserVerified": is_verified}));
    }
}
