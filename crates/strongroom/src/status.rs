//! `strongroom status` and `strongroom doctor`: what the home holds, and what could go wrong.

use std::path::Path;

use serde_json::json;
use strongroom_bank::{Home, Opened};
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
    warnings.extend(modes(&home));
    if opened.kept_size(&home)?.is_none() {
        warnings.push(
            "No checkpoint is kept outside the database (head.0 and head.1 are missing or unreadable): an older copy of the database \
             would not be noticed. The next start keeps the present one; compare it with one that you saved."
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

/// Files that others may read or change, and should not.
fn modes(home: &Home) -> Vec<String> {
    use std::os::unix::fs::PermissionsExt;
    let mode = |path: &Path| std::fs::metadata(path).ok().map(|file| file.permissions().mode() & 0o777);
    let mut warnings = Vec::new();
    let dir = mode(home.dir()).unwrap_or_default();
    let is_open = dir & 0o077 != 0;
    if is_open {
        warnings.push(format!("The home is open to others (mode {dir:o}); run: chmod 700 {}", home.dir().display()));
    }
    for name in ["keys.db", "bank.db", "tls/server.key", "tls/ca.key", "demo.json"] {
        // SQLite makes its files as the umask says; a shut home shuts them.
        if name.ends_with(".db") && !is_open {
            continue;
        }
        let path = home.path(name);
        if let Some(open) = mode(&path).filter(|open| open & 0o077 != 0) {
            warnings.push(format!(
                "{} is open to others (mode {open:o}); run: chmod 600 {}",
                path.display(),
                path.display()
            ));
        }
    }
    warnings
}
