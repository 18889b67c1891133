//! The API asked by its own description: schemathesis makes thousands of calls, right and wrong ones, as nobody,
//! a customer and a teller. No answer may be a server's error, have a status or a shape that is not described,
//! or take what the description does not allow.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::bank::{Engine, TestBank, block_on};
use crate::customer::Customer;

const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,\
                      response_schema_conformance,negative_data_rejection,unsupported_method,missing_required_header";
/// Calls of each operation, at most, beside those that cover the description by rule.
const EXAMPLES: &str = "25";
const CASES_MIN: u64 = 5_000;

fn schemathesis() -> PathBuf {
    std::env::var_os("STRONGROOM_TEST_SCHEMATHESIS")
        .map(PathBuf::from)
        .expect("`cargo xtask test` installs schemathesis and names it in STRONGROOM_TEST_SCHEMATHESIS")
}

/// Ids that lead somewhere, so that not every call ends at 404.
fn ids(folder: &Path, ids: &[(&str, &str)]) -> PathBuf {
    let entry = |(path, id): &(&str, &str)| {
        format!("[[operations]]\ninclude-path-regex = \"^{path}/[{{]id\"\nparameters = {{ \"path.id\" = \"{id}\" }}\n")
    };
    let file = folder.join("schemathesis.toml");
    std::fs::write(&file, ids.iter().map(entry).collect::<String>()).expect("it can be written");
    file
}

/// Asks everything once as somebody. Answers how many calls were made.
fn ask(bank: &TestBank, config: &Path, token: Option<&str>) -> u64 {
    let report = bank.folder.path().join("report.json");
    let mut command = Command::new(schemathesis());
    command.arg("--config-file").arg(config).arg("run").arg(format!("{}/openapi.json", bank.address()));
    command.arg("--tls-verify").arg(bank.ca_file()).args(["--checks", CHECKS, "--max-examples", EXAMPLES]);
    command.args(["--phases", "coverage,fuzzing", "--continue-on-failure", "--seed", "7", "--warnings", "off"]);
    // One worker: Python 3.11 parses its own sources by several threads at once into an error now and then.
    command.args(["--workers", "1", "--report", "json", "--report-json-path"]).arg(&report);
    if let Some(token) = token {
        command.args(["--header", &format!("Authorization: Bearer {token}")]);
    }
    let output = command.current_dir(bank.folder.path()).output().expect("schemathesis can be run");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    let text = std::fs::read(&report).expect("it wrote a report");
    let report: Value = serde_json::from_slice(&text).expect("the report is JSON");
    assert_eq!(report["operations"]["tested"], report["operations"]["total"], "every call was tested");
    assert_eq!(report["test_cases"]["with_failures"], 0, "{said}");
    report["test_cases"]["generated"].as_u64().expect("a count")
}

#[test]
fn the_api_does_what_its_description_says() {
    let bank = TestBank::open(Engine::Sqlite);
    let (customer, teller, account, posted) = block_on(async {
        let customer = Customer::sign_up(&bank, "ana").await;
        let teller = Customer::sign_in(&bank, "teller").await;
        let account = customer.open_account().await;
        let posted = teller.deposit(&account.id, "5.00").await;
        (customer, teller, account, posted)
    });
    let known = [("/v1/accounts", &*account.id), ("/v1/transfers", &*posted.id), ("/v1/users", &*customer.id)];
    let config = ids(bank.folder.path(), &known);
    let tokens = [None, Some(&*customer.session.access_token), Some(&*teller.session.access_token)];
    let cases: u64 = tokens.iter().map(|token| ask(&bank, &config, *token)).sum();
    assert!(cases >= CASES_MIN, "{cases} calls are too few to say much");
    println!("{cases} calls");
    bank.verify();
}
