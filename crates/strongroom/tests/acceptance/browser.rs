//! A person with a browser: from sign-up to a receipt, the browser's own key signing the transfer.
//! Pictures of every page, at phone and desktop width, light and dark, are left in the build's
//! temporary folder for people to look at.

use std::path::{Path, PathBuf};

use crate::bank::{Engine, TestBank, block_on};
use crate::customer::{Customer, code};
use crate::path::python;
use crate::webdriver::Browser;

const LOOKS: [(u32, &str); 4] = [(390, "light"), (390, "dark"), (1280, "light"), (1280, "dark")];

#[test]
fn a_browser_goes_from_sign_up_to_a_receipt() {
    let bank = TestBank::open(Engine::Sqlite);
    let browser = Browser::start();
    let page = |path: &str| browser.open(&format!("{}{path}", bank.address()));
    let look = |name: &str| look(&browser, name);

    page("/");
    look("1-landing");
    page("/sign-up");
    look("2-sign-up");
    browser.write("[name=username]", "dora.browser");
    browser.write("[name=password]", "short");
    browser.write("[name=email]", "dora@example.com");
    browser.click("main form button[type=submit]");
    assert!(browser.text("#password-error").len() > 10, "a field says what is wrong with it");
    look("3-sign-up-error");
    browser.write("[name=password]", "a password of Dora's own");
    browser.click("main form button[type=submit]");

    browser.arrive("/enrol");
    look("4-enrol");
    let secret = browser.text("#secret").replace(' ', "");
    browser.write("[name=code]", &code(&secret));
    browser.click("main form button[type=submit]");

    browser.arrive("/accounts");
    look("5-welcome");
    browser.write("[name=name]", "Everyday");
    browser.click("form[action='/accounts'] button[type=submit]");
    browser.arrive("/accounts/acct_");
    let account = browser.text("p.number").split_whitespace().filter(|w| w.parse::<u64>().is_ok()).collect::<String>();
    block_on(async {
        let teller = Customer::sign_in(&bank, "teller").await;
        teller.deposit(&account, "250.00").await;
    });
    let payee = block_on(async {
        let payee = Customer::sign_in(&bank, "customer").await;
        payee.client.accounts(None, 1).await.expect("one's own accounts").items.remove(0)
    });

    page("/devices");
    look("6-devices");
    browser.click("[data-make-key] button");
    browser.text("[data-has-key] p");
    look("7-device-made");
    let extracted = browser.run(
        "const open = indexedDB.open('strongroom', 1);
         await new Promise(resolve => open.onsuccess = resolve);
         const all = open.result.transaction('keys').objectStore('keys').getAll();
         await new Promise(resolve => all.onsuccess = resolve);
         const key = all.result[0].keyPair.privateKey;
         try { await crypto.subtle.exportKey('pkcs8', key); return 'exported'; } catch { return key.extractable; }",
    );
    assert_eq!(extracted, false, "no script can read the private key");

    page("/transfers/new");
    look("8-transfer");
    browser.write("[name=to]", &payee.number);
    browser.write("[name=amount]", "42.50");
    browser.write("[name=description]", "Two chairs");
    browser.click("[data-submit]");
    let review = browser.text("[data-review-list]");
    assert!(review.contains("42.50 USD") && review.contains("Two chairs"), "{review}");
    look("9-review");
    browser.click("[data-confirm]");

    let url = browser.arrive("/transfers/xfer_");
    look("10-posted");
    let checks = browser.text("ul.checks");
    assert_eq!(checks.matches('✓').count(), 5, "all five checks hold: {checks}");
    let id = url.rsplit('/').next().and_then(|id| id.split('?').next()).expect("the address ends with the id");
    let receipt = browser.run(&format!("return await (await fetch('/transfers/{id}/receipt')).text();"));
    let file = bank.folder.path().join("receipt.txt");
    std::fs::write(&file, receipt.as_str().expect("a receipt is text")).expect("it can be written");
    python("verify_receipt.py", &[&file, Path::new(bank.log_key())]);
    let verified = bank.run(&["ledger", "verify-receipt", file.to_str().expect("a path"), "--log-key", bank.log_key()]);
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
    assert!(String::from_utf8_lossy(&verified.stdout).contains("42.50 USD"));

    page("/accounts");
    look("11-accounts");
    browser.click("article.account h2 a");
    browser.arrive("/accounts/acct_");
    assert!(browser.text("main").contains("207.50"), "the balance follows");
    look("12-account");

    browser.click("form[action='/sign-out'] button");
    browser.text("#sign-in");
    browser.write("[name=username]", "dora.browser");
    browser.write("[name=password]", "not the password");
    browser.click("form[action='/sign-in'] button");
    browser.text("[role=alert]");
    look("13-sign-in-error");
    browser.write("[name=username]", "dora.browser");
    browser.write("[name=password]", "a password of Dora's own");
    browser.click("form[action='/sign-in'] button");
    browser.arrive("/sign-in/code");
    look("14-code");
    page("/no-such-page");
    look("15-not-found");

    let complaints: Vec<String> =
        browser.console().into_iter().filter(|line| !line.contains("the server responded with a status of 4")).collect();
    assert!(complaints.is_empty(), "the pages break no rule of their own: {complaints:#?}");
}

#[test]
fn pages_work_without_scripts_except_where_a_key_signs() {
    let bank = TestBank::open(Engine::Sqlite);
    python("pages.py", &[Path::new(bank.address()), bank.ca_file()]);
}

/// Pictures of the present page in all looks. None may be wider than its window.
fn look(browser: &Browser, name: &str) {
    for (width, scheme) in LOOKS {
        browser.appear(width, scheme);
        let overflow = browser.run("return document.documentElement.scrollWidth - document.documentElement.clientWidth");
        assert_eq!(overflow, 0, "{name} at {width} px is wider than its window");
        browser.picture(&pictures().join(format!("{name}-{width}-{scheme}.png")));
    }
}

fn pictures() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pictures");
    std::fs::create_dir_all(&folder).expect("a folder can be made");
    folder
}
