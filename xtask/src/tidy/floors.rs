//! The direction of dependencies, as `cargo metadata` sees it.

use super::Faults;
use crate::run::{cargo, output, program};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// A crate uses only crates of floors below its own.
const FLOORS: &[(&str, u8)] = &[
    ("strongroom-crypto", 0),
    ("strongroom-notify", 1),
    ("strongroom-sql", 0),
    ("strongroom-ledger", 0),
    ("strongroom-identity", 0),
    ("strongroom-store", 1),
    ("strongroom-api", 1),
    ("strongroom-bank", 2),
    ("strongroom-server", 3),
    ("strongroom-client", 3),
    ("strongroom", 4),
];

/// Uses within one floor, each with its reason.
const WITHIN_A_FLOOR: &[(&str, &str, &str)] = &[
    ("strongroom-ledger", "strongroom-crypto", "the log is hashes and signatures"),
    ("strongroom-identity", "strongroom-crypto", "credentials are checked in constant time"),
];

/// Crates beside the floors: tests and tasks, which nothing depends on outside tests.
const BESIDE: &[&str] = &["strongroom-testkit", "xtask"];

/// Only these crates may name the dependency directly.
const OWNERS: &[(&str, &[&str])] = &[
    ("aws-lc-rs", &["strongroom-crypto"]),
    ("aes", &["strongroom-crypto"]),
    ("argon2", &["strongroom-crypto"]),
    ("cryptoki", &["strongroom-crypto"]),
    ("vsss-rs", &["strongroom-crypto"]),
    ("totp-rs", &["strongroom-crypto"]),
    ("rusqlite", &["strongroom-sql"]),
    ("mysql", &["strongroom-sql"]),
    ("axum", &["strongroom-server"]),
    ("lettre", &["strongroom-notify"]),
    ("bcrypt", &["strongroom-crypto"]),
    ("scrypt", &["strongroom-crypto"]),
    ("webauthn-rs", &["strongroom-crypto"]),
    ("clap", &["strongroom"]),
];

/// What must not be reachable from a crate, directly or not.
const ABSENCES: &[(&str, &[&str])] = &[
    ("strongroom-ledger", &["tokio", "hyper", "rusqlite", "mysql"]),
    ("strongroom-identity", &["tokio", "hyper", "rusqlite", "mysql"]),
    ("strongroom-crypto", &["tokio", "hyper", "rusqlite", "mysql"]),
    ("strongroom-api", &["tokio", "hyper", "rusqlite", "mysql"]),
    ("strongroom-sql", &["tokio", "hyper"]),
    ("strongroom-client", &["rusqlite", "mysql", "strongroom-bank", "strongroom-store"]),
    ("strongroom", &["openssl-sys", "native-tls", "strongroom-testkit"]),
];

/// Checks the workspace's crates.
pub fn check(faults: &mut Faults) -> Result<(), String> {
    // for this machine only: what other systems would need is not downloaded
    let compiler = output(program("rustc").arg("-vV"))?;
    let host = compiler.lines().find_map(|line| line.strip_prefix("host: ")).unwrap_or_default();
    let printed = output(cargo().args(["metadata", "--format-version", "1", "--filter-platform", host]))?;
    let metadata: Value = serde_json::from_str(&printed).map_err(|error| format!("cargo metadata: {error}"))?;
    for package in list(&metadata, "packages").filter(|package| package["source"].is_null()) {
        let name = text(package, "name");
        if floor(name).is_none() && !BESIDE.contains(&name) {
            faults.push(format!("{name}: has no floor; give it one in xtask/src/tidy/floors.rs"));
        }
        for dependency in list(package, "dependencies").filter(|dependency| text(dependency, "kind") != "dev") {
            direct(name, text(dependency, "name"), faults);
        }
    }
    let graph = Graph::read(&metadata);
    for (from, forbidden) in ABSENCES {
        let reached = graph.reached(from);
        for name in forbidden.iter().filter(|name| reached.contains(**name)) {
            faults.push(format!("{from}: reaches `{name}`; see `cargo tree -p {from} -e normal -i {name}`"));
        }
    }
    Ok(())
}

/// One dependency named in a crate's manifest.
fn direct(from: &str, to: &str, faults: &mut Faults) {
    if BESIDE.contains(&to) && !BESIDE.contains(&from) {
        faults.push(format!("{from}: depends on `{to}`, which is for tests"));
    }
    if let Some((_, owners)) = OWNERS.iter().find(|(name, _)| *name == to)
        && !owners.contains(&from)
    {
        faults.push(format!("{from}: names `{to}`, which only {} may", owners.join(", ")));
    }
    let within = WITHIN_A_FLOOR.iter().any(|(user, used, _)| (*user, *used) == (from, to));
    if let (Some(here), Some(there)) = (floor(from), floor(to))
        && there >= here
        && !within
    {
        faults.push(format!("{from} (floor {here}): depends on {to} (floor {there}), which is not below it"));
    }
}

fn floor(name: &str) -> Option<u8> {
    FLOORS.iter().find(|(known, _)| *known == name).map(|(_, floor)| *floor)
}

/// Which package uses which, without what only tests use.
struct Graph {
    names: BTreeMap<String, String>,
    uses: BTreeMap<String, Vec<String>>,
}

impl Graph {
    fn read(metadata: &Value) -> Self {
        let mut graph = Graph { names: BTreeMap::new(), uses: BTreeMap::new() };
        for package in list(metadata, "packages") {
            graph.names.insert(text(package, "id").to_owned(), text(package, "name").to_owned());
        }
        for node in list(&metadata["resolve"], "nodes") {
            let used = list(node, "deps")
                .filter(|dependency| list(dependency, "dep_kinds").any(|kind| kind["kind"].is_null()))
                .map(|dependency| text(dependency, "pkg").to_owned());
            graph.uses.insert(text(node, "id").to_owned(), used.collect());
        }
        graph
    }

    /// The names of all packages that a crate's program would contain.
    fn reached(&self, from: &str) -> BTreeSet<&str> {
        let mut ids: Vec<&String> = self.names.iter().filter(|(_, name)| *name == from).map(|(id, _)| id).collect();
        let mut seen: BTreeSet<&String> = BTreeSet::new();
        while let Some(id) = ids.pop() {
            if seen.insert(id) {
                ids.extend(self.uses.get(id).into_iter().flatten());
            }
        }
        seen.into_iter().filter_map(|id| self.names.get(id)).map(String::as_str).collect()
    }
}

fn list<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value[key].as_array().into_iter().flatten()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(from: &str, to: &str) -> usize {
        let mut faults = Vec::new();
        direct(from, to, &mut faults);
        faults.len()
    }

    #[test]
    fn only_downward_uses_pass() {
        assert_eq!(faults("strongroom-bank", "strongroom-store"), 0);
        assert_eq!(faults("strongroom-ledger", "strongroom-crypto"), 0);
        assert_eq!(faults("strongroom-store", "strongroom-bank"), 1);
        assert_eq!(faults("strongroom-crypto", "strongroom-ledger"), 1);
        assert_eq!(faults("strongroom-client", "strongroom-server"), 1);
        assert_eq!(faults("strongroom", "strongroom-testkit"), 1);
        assert_eq!(faults("strongroom-bank", "rusqlite"), 1);
    }
}
