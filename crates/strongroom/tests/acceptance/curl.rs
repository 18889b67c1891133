//! Requests that a well-behaved client cannot make.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::bank::TestBank;

/// Sends a request with exactly these headers and body. Answers the status and the problem's code.
pub fn send(bank: &TestBank, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> (u16, String) {
    let mut command = Command::new("curl");
    command.args(["--silent", "--cacert"]).arg(bank.ca_file()).args(["--request", method]);
    for (name, value) in headers {
        command.args(["--header", &format!("{name}: {value}")]);
    }
    command.args(["--header", "Expect:", "--data-binary", "@-", "--write-out", "\n%{http_code}"]);
    command.arg(format!("{}{path}", bank.address()));
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("curl can be run");
    // The bank may close before it has read everything.
    let _ = child.stdin.take().expect("its input is piped").write_all(body);
    let output = child.wait_with_output().expect("curl ends");
    let text = String::from_utf8_lossy(&output.stdout);
    let (answer, status) = text.rsplit_once('\n').expect("curl writes the status");
    let problem: Value = serde_json::from_str(answer).unwrap_or_default();
    (status.parse().expect("a status is a number"), problem["code"].as_str().unwrap_or_default().to_owned())
}
