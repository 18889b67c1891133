//! `strongroom status` and `strongroom doctor`: what the home holds, and what could go wrong.

use serde_json::json;
use strongroom_bank::Opened;
use strongroom_sql::Role;

use crate::Global;
use crate::failure::{Exit, Failure, Outcome};

/// What the home holds.
pub fn run(global: &Global) -> Outcome {
    let home = global.home();
    let opened = Opened::at(&home)?;
    let (leaves, checkpoint) = opened.newest()?;
    let data = json!({
        "home": home.dir(),
        "bank": opened.config.bank.name,
        "demo": opened.config.bank.demo,
        "origin": opened.origin,
        "log_key": opened.log_key.to_string(),
        "database": opened.database.kind(),
        "currency": opened.config.bank.currency,
        "leaves": leaves,
        "checkpoint": checkpoint,
    });
    global.print(&data, || {
        format!(
            "home      {}\nbank      {}\norigin    {}\nlog key   {}\ndatabase  {}\ncurrency  {}\nleaves    {leaves}",
            home.dir().display(),
            opened.config.bank.name,
            opened.origin,
            opened.log_key,
            opened.database.kind(),
            opened.config.bank.currency
        )
    });
    Ok(())
}

/// Checks everything that the bank relies on, each line with its cure.
pub fn doctor(global: &Global) -> Outcome {
    let home = global.home();
    let opened = Opened::at(&home)?;
    let mut warnings = opened
        .database
        .connect(Role::Writer)
        .and_then(|mut c| c.durability_warnings())
        .map_err(strongroom_bank::Error::from)?;
    if opened.config.key.root.strip_prefix("file:").is_some_and(|p| std::path::Path::new(p).starts_with(home.dir())) {
        warnings.push(
            "The root key lies inside the home: whoever copies the home can open it. Move it and change [key] root."
                .into(),
        );
    }
    warnings.extend(opened.behind_head(&home)?);
    global.print(&json!({"ok": warnings.is_empty(), "warnings": warnings}), || {
        if warnings.is_empty() { "Everything the bank relies on is in order.".into() } else { warnings.join("\n") }
    });
    if warnings.is_empty() {
        Ok(())
    } else {
        Err(Failure::new(Exit::Failed, format!("{} things need attention", warnings.len())))
    }
}
