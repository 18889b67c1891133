//! A server's address, as people write it: `https://host[:port]`.

use std::fmt;
use std::str::FromStr;

use rustls_pki_types::ServerName;

use crate::Error;

const PORT: u16 = 443;

/// Where a bank answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerUrl {
    /// A name, an IPv4 address, or an IPv6 address without brackets.
    host: String,
    port: u16,
}

impl ServerUrl {
    /// The host and port as they stand in a URL and in the `host` header.
    pub fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        if self.port == PORT { host } else { format!("{host}:{}", self.port) }
    }

    /// What to connect to.
    pub fn endpoint(&self) -> (&str, u16) {
        (&self.host, self.port)
    }

    /// The name its certificate must have.
    pub fn name(&self) -> Result<ServerName<'static>, Error> {
        ServerName::try_from(self.host.clone()).map_err(|_| Error::Url("its host is neither a name nor an address"))
    }

    /// A file name of its own.
    pub fn file_name(&self) -> String {
        format!("{}_{}", self.host.replace(':', "-"), self.port)
    }
}

impl FromStr for ServerUrl {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let rest = text.strip_prefix("https://").ok_or(Error::Url("it must begin with https://"))?;
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.contains('@') {
            return Err(Error::Url("a user name or password does not belong in it; use `strongroom login`"));
        }
        if rest.contains(['/', '?', '#']) {
            return Err(Error::Url("it must end after the host and port"));
        }
        let (host, port) = match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, "")) => (host, None),
            Some((host, port)) => (host, Some(port.strip_prefix(':').ok_or(Error::Url("its port is not a number"))?)),
            None => rest.split_once(':').map_or((rest, None), |(host, port)| (host, Some(port))),
        };
        let port = port.map_or(Ok(PORT), |p| p.parse().map_err(|_| Error::Url("its port is not a number")))?;
        let url = ServerUrl { host: host.to_ascii_lowercase(), port };
        url.name()?;
        Ok(url)
    }
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "https://{}", self.authority())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_form_of_address() {
        let shown = |text: &str| text.parse::<ServerUrl>().map(|url| url.to_string()).ok();
        assert_eq!(shown("https://Bank.example/").as_deref(), Some("https://bank.example"));
        assert_eq!(shown("https://127.0.0.1:8443").as_deref(), Some("https://127.0.0.1:8443"));
        assert_eq!(shown("https://[::1]:8443").as_deref(), Some("https://[::1]:8443"));
        for wrong in [
            "http://bank",
            "bank",
            "https://",
            "https://a:b@bank",
            "https://bank/x",
            "https://bank:x",
            "https://[::1]x",
        ] {
            assert_eq!(shown(wrong), None, "{wrong}");
        }
    }
}
