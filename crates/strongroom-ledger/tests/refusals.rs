//! docs/refusals.md has every refusal, in the order of precedence. `STRONGROOM_WRITE_DOCS=1` writes it anew.
#![allow(clippy::expect_used)] // a test

use std::path::Path;

use strongroom_ledger::refusal::Refusal;

#[test]
fn every_refusal_is_in_the_table() {
    let mut table = String::from(
        "# Refusals\n\nWhy the bank does not carry an order out. An order that is refused spends its id, and the refusal stands in the log. When several \
         would be right,\nthe first of this table is given: `ledger/decide.rs` `the_refusal_with_the_lowest_number_is_given` switches them on one by one.\n\n\
         | | code | status | cause and cure |\n|---|---|---|---|\n",
    );
    for (place, refusal) in Refusal::ALL.iter().enumerate() {
        let (code, status, detail) = (refusal.code(), refusal.status(), refusal.detail());
        table.push_str(&format!("| {} | `{code}` | {status} | {detail} |\n", place + 1));
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/refusals.md");
    if std::env::var_os("STRONGROOM_WRITE_DOCS").is_some() {
        std::fs::write(&file, &table).expect("the table can be written");
    }
    let written = std::fs::read_to_string(&file).expect("the table is there");
    assert_eq!(written, table, "docs/refusals.md is old: run this test with STRONGROOM_WRITE_DOCS=1");
}
