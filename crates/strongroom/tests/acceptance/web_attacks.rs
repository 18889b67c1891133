//! What other sites, borrowed cookies and clocks can do: nothing. The scripts in `independent` are the attackers.

use serde_json::Value;

use crate::bank::{Engine, TestBank};
use crate::path::python_with;

fn attack(what: &str) {
    let bank = TestBank::open(Engine::Sqlite);
    let customer = bank.person("customer");
    let text = |name: &str| customer[name].as_str().expect("people have it");
    let ca = bank.ca_file().to_str().expect("a path is text");
    python_with("attacks.py", &[what, bank.address(), ca, text("username"), text("password"), text("totp_secret")]);
}

#[test]
fn checklist_11_cookies_forms_and_other_origins() {
    attack("forms");
}

#[test]
fn checklist_08_a_planted_cookie_is_never_a_session() {
    attack("fixation");
}

#[test]
fn no_page_sends_its_visitor_to_another_site() {
    attack("redirects");
}

#[test]
fn checklist_12_headers_of_pages() {
    attack("headers");
}

/// 2,000 names, each tried once: half of them known. The figure is printed; one learns nothing at 0.5.
#[test]
fn checklist_13_the_time_of_a_sign_in_tells_nothing() {
    let bank = TestBank::open(Engine::Sqlite);
    let (host, port) = bank.address().trim_start_matches("https://").rsplit_once(':').expect("an address");
    let ca = bank.ca_file().to_str().expect("a path is text");
    let figures = python_with("timing.py", &[host, port, ca, "2000"]);
    println!("{figures}");
    let figures: Value = serde_json::from_str(&figures).expect("JSON");
    let longer = figures["known_is_longer"].as_f64().expect("a number");
    // Its standard error for 1,000 against 1,000 is 0.013.
    assert!((0.44..=0.56).contains(&longer), "{figures}");
}
