//! A person with a browser: from sign-up to a receipt, the browser's own key signing the transfer.
//! Pictures of every page, at phone and desktop width, light and dark, are left in the build's
//! temporary folder for people to look at.

use std::path::{Path, PathBuf};

use crate::bank::{Engine, TestBank, block_on};
use crate::customer::{Customer, code, code_at, now_s, transfer};
use crate::letters::Letters;
use crate::path::python;
use crate::webdriver::Browser;

pub const LOOKS: [(u32, &str); 4] = [(390, "light"), (390, "dark"), (1280, "light"), (1280, "dark")];

/// Codes by mail, a new password, and getting back in after a loss, by pages alone.
#[test]
fn a_browser_changes_what_it_signs_in_with_and_gets_back_in() {
    let (bank, clock) = TestBank::open_with_clock();
    let visit = Visit { bank, browser: Browser::start() };
    let browser = &visit.browser;
    let secret = visit.sign_up();
    let mut letters = Letters::of(&visit.bank);
    visit.open("/contact");
    visit.look("20-contact");
    browser.click("form[action='/contact/email/send'] button");
    browser.arrive("done=sent");
    browser.write("#email_code", &letters.code());
    browser.click("form[action='/contact/email/confirm'] button");
    browser.arrive("done=verified");
    browser.click("form[action='/contact/email/factor'] button");
    browser.arrive("done=added");
    visit.look("21-contact-verified");
    visit.open("/security");
    browser.write("[name=current_password]", PASSWORD);
    browser.write("[name=new_password]", "password1");
    browser.click("form[action='/security/password'] button");
    assert!(browser.text("#new_password-error").len() > 10, "the rules are those of sign-up");
    visit.look("22-security-password");
    browser.write("[name=current_password]", PASSWORD);
    browser.write("[name=new_password]", NEW_PASSWORD);
    browser.click("form[action='/security/password'] button");
    browser.arrive("done=password");
    browser.click("form[action='/sign-out'] button");
    browser.arrive("out=signed-out");

    browser.write("[name=username]", "dora.browser");
    browser.write("[name=password]", NEW_PASSWORD);
    browser.click("form[action='/sign-in'] button");
    browser.arrive("/sign-in/code");
    visit.look("23-code-ways");
    visit.open("/sign-in/code?by=email");
    visit.look("24-code-send");
    while letters.next_within(1).is_some() {}
    browser.click("form[action='/sign-in/send'] button");
    browser.arrive("by=email&sent");
    visit.look("25-code-sent");
    browser.write("[name=code]", &letters.code());
    browser.click("form[action='/sign-in/code'] button");
    browser.arrive("/accounts");
    browser.click("form[action='/sign-out'] button");
    browser.arrive("out=signed-out");

    // The password is lost; mail and app are there.
    browser.click("a[href='/recover']");
    browser.arrive("/recover");
    visit.look("26-recover");
    browser.write("[name=username]", "dora.browser");
    browser.click("form[action='/recover'] button");
    browser.write("#email_code", &letters.code());
    browser.click("form:has([value=email]) button");
    assert!(browser.text(".notice.good").contains("e-mail"), "what was shown so far");
    visit.look("27-recover-prove");
    clock.set(40);
    browser.write("#factor_code", &code_at(&secret, now_s() + 40));
    browser.click("form:has([value=factor]) button");
    assert!(browser.text("main").contains("Now you wait"));
    visit.look("28-recover-wait");
    clock.set(24 * 3600 + 120);
    visit.open("/recover");
    visit.look("29-recover-finish");
    browser.write("[name=new_password]", "six brisk otters downstream");
    browser.click("form[action='/recover/finish'] button");
    browser.arrive("out=recovered");
    visit.look("30-recovered");
    browser.write("[name=username]", "dora.browser");
    browser.write("[name=password]", "six brisk otters downstream");
    browser.click("form[action='/sign-in'] button");
    browser.arrive("/sign-in/code");
    visit.open("/docs");
    visit.look("31-docs");
}

#[test]
fn a_browser_goes_from_sign_up_to_a_receipt() {
    let visit = Visit { bank: TestBank::open(Engine::Sqlite), browser: Browser::start() };
    visit.sign_up();
    let account = visit.open_account();
    let payee = block_on(async {
        Customer::sign_in(&visit.bank, "teller").await.deposit(&account, "250.00").await;
        let payee = Customer::sign_in(&visit.bank, "customer").await;
        payee.client.accounts(None, 1).await.expect("one's own accounts").items.remove(0)
    });
    visit.make_key();
    let transfer = visit.pay(&payee.number);
    visit.check_receipt(&transfer);
    visit.leave_and_come_back();

    let is_complaint = |line: &String| !line.contains("the server responded with a status of 4");
    let complaints: Vec<String> = visit.browser.console().into_iter().filter(is_complaint).collect();
    assert!(complaints.is_empty(), "the pages break no rule of their own: {complaints:#?}");
}

/// Reserved, waiting, captured, taken back: the page of a transfer says where it stands.
#[test]
fn a_transfers_page_says_where_it_stands() {
    let visit = Visit { bank: TestBank::open(Engine::Sqlite), browser: Browser::start() };
    visit.sign_up();
    let number = visit.open_account();
    visit.make_key();
    let teller = block_on(Customer::sign_in(&visit.bank, "teller"));
    block_on(teller.deposit(&number, "200000.00"));
    let other = block_on(Customer::sign_in(&visit.bank, "customer"));
    let account = block_on(other.client.accounts(None, 1)).expect("one's own accounts").items.remove(0);
    let browser = &visit.browser;

    visit.order(&account.number, "150000.00", "A house");
    browser.arrive("done=sent");
    assert!(browser.text("main").contains("Waiting for approval"));
    assert!(browser.text(".notice.good").contains("when somebody at the bank has approved it"));
    visit.look("16-waiting");

    let me = block_on(other.client.me()).expect("oneself").id;
    let held = format!(r#"{{"capturer":"{me}"}}"#);
    let order = transfer("web-h", &account.id, &number, "12.00");
    let order = order.replacen('{', &format!(r#"{{"hold":{held},"#), 1);
    let placed: serde_json::Value = block_on(other.order(&order)).json().expect("an answer");
    let id = placed["id"].as_str().unwrap_or_else(|| panic!("{placed}")).to_owned();
    visit.open(&format!("/transfers/{id}"));
    assert!(browser.text("main").contains("Reserved"));
    visit.look("17-reserved");
    block_on(other.follow_up("web-c", "capture", &id));
    visit.open(&format!("/transfers/{id}"));
    assert!(browser.text("main").contains("Captured"));
    visit.look("18-captured");

    visit.order(&account.number, "8.00", "By mistake");
    let url = browser.arrive("done=sent");
    let id = url.rsplit('/').next().and_then(|id| id.split('?').next()).expect("the address ends with the id");
    block_on(other.follow_up("web-r", "reverse", id));
    visit.open(&format!("/transfers/{id}"));
    assert!(browser.text("main").contains("Taken back"));
    visit.look("19-taken-back");
    visit.open("/step-up");
    visit.look("19-step-up");
}

/// A person at the bank's web pages.
struct Visit {
    bank: TestBank,
    browser: Browser,
}

const PASSWORD: &str = "a password of Dora's own";
const NEW_PASSWORD: &str = "nine patient herons wade";

impl Visit {
    /// Answers the secret of her authenticator.
    fn sign_up(&self) -> String {
        let browser = &self.browser;
        self.open("/");
        self.look("01-landing");
        self.open("/sign-up");
        self.look("02-sign-up");
        browser.write("[name=username]", "dora.browser");
        browser.write("[name=password]", "short");
        browser.write("[name=email]", "dora@example.com");
        browser.click("main form button[type=submit]");
        assert!(browser.text("#password-error").len() > 10, "a field says what is wrong with it");
        self.look("03-sign-up-error");
        browser.write("[name=password]", PASSWORD);
        browser.click("main form button[type=submit]");

        browser.arrive("/enrol");
        self.look("04-enrol");
        let secret = browser.text("#secret").replace(' ', "");
        browser.write("[name=code]", &code(&secret));
        browser.click("main form button[type=submit]");
        browser.arrive("/accounts");
        self.look("05-welcome");
        secret
    }

    /// Answers the account's number.
    fn open_account(&self) -> String {
        self.browser.write("[name=name]", "Everyday");
        self.browser.click("form[action='/accounts'] button[type=submit]");
        self.browser.arrive("/accounts/acct_");
        self.browser.text("p.number").chars().filter(char::is_ascii_digit).collect()
    }

    fn make_key(&self) {
        self.open("/devices");
        self.look("06-devices");
        self.browser.click("[data-make-key] button");
        self.browser.text("[data-has-key] p");
        self.look("07-device-made");
        let extracted = self.browser.run(
            "const open = indexedDB.open('strongroom', 1);
             await new Promise(resolve => open.onsuccess = resolve);
             const all = open.result.transaction('keys').objectStore('keys').getAll();
             await new Promise(resolve => all.onsuccess = resolve);
             const key = all.result[0].keyPair.privateKey;
             try { await crypto.subtle.exportKey('pkcs8', key); return 'exported'; } catch { return key.extractable; }",
        );
        assert_eq!(extracted, false, "no script can read the private key");
    }

    /// Answers the transfer's id.
    fn pay(&self, number: &str) -> String {
        let browser = &self.browser;
        self.open("/transfers/new");
        self.look("08-transfer");
        self.order(number, "42.50", "Two chairs");

        let url = browser.arrive("/transfers/xfer_");
        self.look("10-posted");
        let facts = browser.text("dl.about").replace(' ', "");
        assert!(facts.contains(number), "the payer sees the number that they wrote: {facts}");
        let checks = browser.text("ul.checks");
        assert_eq!(checks.matches('✓').count(), 5, "all five checks hold: {checks}");
        let id = url.rsplit('/').next().and_then(|id| id.split('?').next());
        id.expect("the address ends with the id").to_owned()
    }

    /// Fills the form in, looks at what is to be signed, and signs it.
    fn order(&self, number: &str, amount: &str, description: &str) {
        let browser = &self.browser;
        self.open("/transfers/new");
        browser.write("[name=to]", number);
        browser.write("[name=amount]", amount);
        browser.write("[name=description]", description);
        browser.click("[data-submit]");
        let review = browser.text("[data-review-list]");
        assert!(review.contains(" USD") && review.contains(description), "{review}");
        self.look("09-review");
        browser.click("[data-confirm]");
    }

    fn check_receipt(&self, transfer: &str) {
        let bank = &self.bank;
        let script = format!("return await (await fetch('/transfers/{transfer}/receipt')).text();");
        let receipt = self.browser.run(&script);
        let file = bank.folder.path().join("receipt.txt");
        std::fs::write(&file, receipt.as_str().expect("a receipt is text")).expect("it can be written");
        python("verify_receipt.py", &[&file, Path::new(bank.log_key())]);
        let path = file.to_str().expect("a path is text");
        let verified = bank.run(&["ledger", "verify-receipt", path, "--log-key", bank.log_key()]);
        assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
        assert!(String::from_utf8_lossy(&verified.stdout).contains("42.50 USD"));

        self.open("/accounts");
        self.look("11-accounts");
        self.browser.click("article.account h2 a");
        self.browser.arrive("/accounts/acct_");
        assert!(self.browser.text("main").contains("207.50"), "the balance follows");
        self.look("12-account");
    }

    fn leave_and_come_back(&self) {
        let browser = &self.browser;
        browser.click("form[action='/sign-out'] button");
        browser.text("#sign-in");
        browser.write("[name=username]", "dora.browser");
        browser.write("[name=password]", "not the password");
        browser.click("form[action='/sign-in'] button");
        browser.text("[role=alert]");
        self.look("13-sign-in-error");
        browser.write("[name=username]", "dora.browser");
        browser.write("[name=password]", PASSWORD);
        browser.click("form[action='/sign-in'] button");
        browser.arrive("/sign-in/code");
        self.look("14-code");
        self.open("/no-such-page");
        self.look("15-not-found");
    }

    fn open(&self, path: &str) {
        self.browser.open(&format!("{}{path}", self.bank.address()));
    }

    /// Pictures of the present page in all looks. None may be wider than its window.
    fn look(&self, name: &str) {
        let browser = &self.browser;
        for (width, scheme) in LOOKS {
            browser.appear(width, scheme);
            let wider = "return document.documentElement.scrollWidth - document.documentElement.clientWidth";
            assert_eq!(browser.run(wider), 0, "{name} at {width} px is wider than its window");
            browser.picture(&pictures().join(format!("{name}-{width}-{scheme}.png")));
        }
    }
}

#[test]
fn pages_work_without_scripts_except_where_a_key_signs() {
    let bank = TestBank::open(Engine::Sqlite);
    python("pages.py", &[Path::new(bank.address()), bank.ca_file()]);
}

pub fn pictures() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pictures");
    std::fs::create_dir_all(&folder).expect("a folder can be made");
    folder
}
