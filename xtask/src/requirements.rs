//! What the tests need beside Rust, and how it comes onto a Debian machine.

use crate::run::{Outcome, find, program, run, succeeds};
use std::path::{Path, PathBuf};

/// A program the tests run, under any of its names, and the Debian package that has it.
struct Requirement {
    programs: &'static [&'static str],
    package: &'static str,
}

const REQUIREMENTS: &[Requirement] = &[
    Requirement { programs: &["mariadbd"], package: "mariadb-server" },
    Requirement { programs: &["mariadb-install-db"], package: "mariadb-server" },
    Requirement { programs: &["oathtool"], package: "oathtool" },
    Requirement { programs: &["chromium", "google-chrome"], package: "chromium" },
    Requirement { programs: &["chromedriver"], package: "chromium-driver" },
    Requirement { programs: &["curl"], package: "curl" },
    Requirement { programs: &["softhsm2-util"], package: "softhsm2" },
    Requirement { programs: &["faketime"], package: "faketime" },
    Requirement { programs: &["hledger"], package: "hledger" },
];

/// Debian's own interpreter, the library that our independent reader of the formats uses, a mail server, and
/// what other systems hash passwords with.
const PYTHON_PACKAGES: &[&str] = &[
    "python3",
    "python3-cryptography",
    "python3-aiosmtpd",
    "python3-argon2",
    "python3-bcrypt",
    "python3-django",
    "python3-venv",
    "python3-werkzeug",
];

/// Installs what is missing, or says which line to run.
pub fn ensure() -> Outcome {
    let missing = missing();
    if missing.is_empty() {
        return Ok(());
    }
    let install = format!("apt-get install -y --no-install-recommends {}", missing.join(" "));
    if !Path::new("/etc/debian_version").exists() || find("apt-get").is_none() {
        return Err(format!(
            "the tests need programs that are not here. On Debian they come with `{install}`; \
             install the same from your system's packages and run again"
        ));
    }
    if !is_root() {
        return Err(format!("the tests need programs that are not here; run\n\n    sudo {install}\n\nand run again"));
    }
    eprintln!("installing what the tests need and this machine lacks: {}", missing.join(" "));
    run(program("apt-get").arg("update").arg("-q"))?;
    let mut words = install.split(' ');
    let mut command = program(words.next().unwrap_or("apt-get"));
    run(command.args(words).env("DEBIAN_FRONTEND", "noninteractive"))?;
    match self::missing() {
        still if still.is_empty() => Ok(()),
        still => Err(format!("the packages were installed, but these still do not work: {}", still.join(" "))),
    }
}

/// A Python that can check signatures: the PATH's, or the system's.
pub fn python() -> Option<PathBuf> {
    let candidates = [find("python3"), Some(PathBuf::from("/usr/bin/python3"))];
    candidates.into_iter().flatten().find(|python| {
        let script = "import aiosmtpd, argon2, bcrypt, django, ensurepip, venv, werkzeug; \
                      from cryptography.hazmat.primitives.asymmetric import ed25519, ec";
        succeeds(program(python).args(["-c", script]))
    })
}

/// What asks the API by its own description: not in Debian, so it comes from PyPI into the build's folder.
const SCHEMATHESIS: &str = "schemathesis==4.32.5";

/// Its program, installed when it is missing.
pub fn schemathesis(python: &Path, target: &Path) -> Result<PathBuf, String> {
    let place = target.join("schemathesis");
    let installed = place.join("bin/schemathesis");
    if succeeds(program(&installed).arg("--version")) {
        return Ok(installed);
    }
    eprintln!("installing {SCHEMATHESIS} from PyPI into {}", place.display());
    run(program(python).args(["-m", "venv", "--clear"]).arg(&place))?;
    run(program(place.join("bin/pip")).args(["install", "--quiet", "--disable-pip-version-check", SCHEMATHESIS]))?;
    Ok(installed)
}

/// The Debian packages of what is missing, each once.
fn missing() -> Vec<&'static str> {
    let mut packages: Vec<&str> = REQUIREMENTS
        .iter()
        .filter(|requirement| requirement.programs.iter().all(|program| find(program).is_none()))
        .map(|requirement| requirement.package)
        .collect();
    if python().is_none() {
        packages.extend(PYTHON_PACKAGES);
    }
    packages.dedup();
    packages
}

fn is_root() -> bool {
    program("id").arg("-u").output().is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}
