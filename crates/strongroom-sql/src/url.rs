//! Database URLs: `sqlite:PATH` and `mysql://user@host:port/database?ssl-ca=FILE`.

use crate::{Error, Kind, Result};
use std::path::PathBuf;

/// Where a database is. It never holds a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Url {
    /// A SQLite file.
    Sqlite(PathBuf),
    /// A database on a MariaDB or MySQL server.
    MariaDb(MariaDbUrl),
}

/// A database on a MariaDB or MySQL server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MariaDbUrl {
    /// The user.
    pub user: String,
    /// The server's name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The database.
    pub database: String,
    /// How the connection is protected.
    pub tls: Tls,
}

/// How the connection to a server is protected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tls {
    /// Not at all: the server is on this machine, or `tls=off` says that the network is trusted.
    Off,
    /// TLS; the server's certificate must have been issued by an authority in this file (or by a
    /// public one) for the host's name.
    Verified(PathBuf),
}

impl Url {
    /// Reads a URL.
    pub fn parse(text: &str) -> Result<Self> {
        if let Some(path) = text.strip_prefix("sqlite:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            if path.is_empty() || path.contains('\0') {
                return Err(malformed("`sqlite:` needs a path after it, as in sqlite:/var/lib/strongroom/bank.db"));
            }
            return Ok(Url::Sqlite(PathBuf::from(path)));
        }
        match text.strip_prefix("mysql://").or_else(|| text.strip_prefix("mariadb://")) {
            Some(rest) => Ok(Url::MariaDb(MariaDbUrl::parse(rest)?)),
            None => Err(malformed(
                "a database URL begins with `sqlite:` or `mysql://`, as in sqlite:bank.db or mysql://bank@127.0.0.1:3306/bank",
            )),
        }
    }
}

impl MariaDbUrl {
    fn parse(rest: &str) -> Result<Self> {
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (server, database) = place.split_once('/').unwrap_or((place, ""));
        let Some((user, address)) = server.rsplit_once('@') else {
            return Err(malformed("the URL names no user; write mysql://USER@HOST:PORT/DATABASE"));
        };
        if user.contains(':') {
            return Err(malformed(
                "the URL holds a password, which other users of this machine could see; leave it out and \
                 give the password by --password-file or STRONGROOM_DATABASE_PASSWORD",
            ));
        }
        let (host, port) = host_and_port(address)?;
        let database = decoded(database)?;
        let user = decoded(user)?;
        if user.is_empty() || host.is_empty() || database.is_empty() || database.contains('/') {
            return Err(malformed("the URL is not complete; write mysql://USER@HOST:PORT/DATABASE"));
        }
        let tls = tls(query, &host)?;
        Ok(MariaDbUrl { user, host, port, database, tls })
    }

    fn is_loopback(host: &str) -> bool {
        host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }
}

fn tls(query: &str, host: &str) -> Result<Tls> {
    let mut tls = None;
    for part in query.split('&').filter(|part| !part.is_empty()) {
        let chosen = match part.split_once('=') {
            Some(("ssl-ca", file)) if !file.is_empty() => Tls::Verified(PathBuf::from(decoded(file)?)),
            Some(("tls", "off")) => Tls::Off,
            _ => {
                return Err(malformed("after `?` the URL may say ssl-ca=FILE (verified TLS) or tls=off, nothing else"));
            }
        };
        if tls.replace(chosen).is_some() {
            return Err(malformed("the URL says twice how the connection is protected; keep one"));
        }
    }
    match tls {
        Some(tls) => Ok(tls),
        None if MariaDbUrl::is_loopback(host) => Ok(Tls::Off),
        None => Err(malformed(
            "the server is on another machine and the URL names no certificate authority; add ?ssl-ca=FILE, \
             or ?tls=off if nobody else can reach the network between",
        )),
    }
}

fn host_and_port(address: &str) -> Result<(String, u16)> {
    let (host, port) = match address.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, "")) => (host, None),
        Some((host, rest)) => match rest.strip_prefix(':') {
            Some(port) => (host, Some(port)),
            None => return Err(malformed("after the address in brackets the URL needs a colon and the port")),
        },
        None => match address.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (address, None),
        },
    };
    let port = match port {
        None => 3306,
        Some(port) => match port.parse() {
            Ok(port) => port,
            Err(_) => return Err(malformed("the URL's port is not a number from 0 to 65535")),
        },
    };
    Ok((host.to_owned(), port))
}

/// Undoes percent-encoding.
fn decoded(text: &str) -> Result<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| byte.and_then(|b| char::from(b).to_digit(16));
        match (digit(rest.next()), digit(rest.next())) {
            (Some(high), Some(low)) => bytes.push((high * 16 + low) as u8),
            _ => return Err(malformed("the URL has a `%` that is not followed by two hexadecimal digits")),
        }
    }
    match String::from_utf8(bytes) {
        Ok(text) if !text.contains('\0') => Ok(text),
        _ => Err(malformed("the URL does not decode to UTF-8 text")),
    }
}

fn encoded(text: &str, keep: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || keep.as_bytes().contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

fn malformed(message: &str) -> Error {
    Error::new(Kind::Malformed, message)
}

impl std::str::FromStr for Url {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Url::parse(text)
    }
}

impl std::fmt::Display for Url {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            // Two slashes of its own would be read as those that may stand after `sqlite:`.
            Url::Sqlite(path) if path.to_string_lossy().starts_with("//") => write!(f, "sqlite://{}", path.display()),
            Url::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Url::MariaDb(url) => {
                let host = if url.host.contains(':') { format!("[{}]", url.host) } else { url.host.clone() };
                let (user, database) = (encoded(&url.user, "-._~"), encoded(&url.database, "-._~"));
                write!(f, "mysql://{user}@{host}:{}/{database}", url.port)?;
                match &url.tls {
                    Tls::Verified(file) => write!(f, "?ssl-ca={}", encoded(&file.to_string_lossy(), "-._~/")),
                    Tls::Off if MariaDbUrl::is_loopback(&url.host) => Ok(()),
                    Tls::Off => write!(f, "?tls=off"),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_survive_a_round_trip() {
        for text in [
            "sqlite:/srv/bank.db",
            "sqlite:bank.db",
            "sqlite:////srv/bank.db",
            "mysql://bank@127.0.0.1:3306/bank",
            "mysql://bank@[::1]:3307/bank",
            "mysql://b%40nk@db.example:3306/bank?ssl-ca=/etc/ca%20one.pem",
            "mysql://bank@db.example:3306/bank?tls=off",
        ] {
            assert_eq!(Url::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_password_is_refused_without_repeating_it() {
        let error = Url::parse("mysql://bank:hunter2@db/bank").unwrap_err();
        assert_eq!(error.kind, Kind::Malformed);
        assert!(error.message.contains("--password-file"));
        assert!(!error.message.contains("hunter2"));
    }

    #[test]
    fn another_machine_needs_a_word_on_tls() {
        assert!(Url::parse("mysql://bank@db.example/bank").unwrap_err().message.contains("ssl-ca"));
        assert!(Url::parse("mysql://bank@localhost/bank").is_ok());
    }

    #[test]
    fn incomplete_urls_are_refused() {
        for text in [
            "",
            "postgres://x@y/z",
            "sqlite:",
            "mysql://host/db",
            "mysql://u@/db",
            "mysql://u@h:x/d",
            "mysql://u@[::1]x/d",
            "mysql://u@localhost",
            "mysql://u@localhost/d?ssl=1",
            "mysql://u%4@localhost/d",
        ] {
            assert_eq!(Url::parse(text).unwrap_err().kind, Kind::Malformed, "{text}");
        }
    }
}
