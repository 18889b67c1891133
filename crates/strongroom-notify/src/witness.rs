//! Witnesses of the log: asked over HTTPS to cosign a checkpoint (C2SP tlog-witness).

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::Unusable;
use crate::https::Host;

/// `[[witness]]` of the configuration.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WitnessConfig {
    /// Its submission prefix, as `https://witness.example/prefix`.
    pub url: String,
    /// Its public key, `name+hash+key`.
    pub key: String,
    /// The certificate authority of its server, in PEM [default: the web's].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<PathBuf>,
}

/// A witness that can be asked.
pub struct Witness {
    host: Host,
    path: String,
}

/// What it said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Signature lines, not checked yet.
    Cosigned(Vec<String>),
    /// It has signed this size last, and wants a proof from there.
    HasSigned(u64),
}

const PORT: u16 = 443;

impl Witness {
    /// By its configuration.
    pub fn new(config: &WitnessConfig) -> Result<Self, Unusable> {
        let unusable = || Unusable(format!("url `{}` is not https://HOST/PREFIX", config.url));
        let rest = config.url.strip_prefix("https://").ok_or_else(unusable)?.trim_end_matches('/');
        let (authority, prefix) = rest.split_once('/').map_or((rest, String::new()), |(a, p)| (a, format!("/{p}")));
        let (name, port) = match authority.rsplit_once(':') {
            Some((name, port)) => (name, port.parse().map_err(|_| unusable())?),
            None => (authority, PORT),
        };
        let host = Host::new(name, port, config.ca.as_deref())?;
        Ok(Witness { host, path: format!("{prefix}/add-checkpoint") })
    }

    /// Asks it; the text is that of `add-checkpoint`. The error says why it did not cosign.
    pub async fn ask(&self, text: String) -> Result<Answer, String> {
        let answer = self.host.send(&self.path, "text/plain; charset=utf-8", None, text).await?;
        let body = String::from_utf8_lossy(&answer.body);
        match answer.status {
            200 => Ok(Answer::Cosigned(body.lines().map(str::to_owned).collect())),
            409 => match body.trim_end().parse() {
                Ok(size) => Ok(Answer::HasSigned(size)),
                Err(_) => Err("it has signed another size and does not say which".into()),
            },
            404 => Err("it does not know this log: give it the log's key".into()),
            422 => Err("it has signed another log under this name: compare its checkpoint with the bank's".into()),
            status => Err(format!("it answered {status}")),
        }
    }
}
