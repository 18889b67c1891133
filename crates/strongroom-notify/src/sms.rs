//! Codes by SMS: through Twilio Verify v2, which makes, sends and checks them; or, for a demonstration, into a
//! folder, where the bank makes the code itself.
//!
//! What Twilio answers is believed only in part: a check counts when its status is `approved`, its `sid` is the
//! one asked for, and nothing else.

use std::fs;
use std::io::Write;
use std::net::IpAddr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use zeroize::Zeroizing;

use crate::Unusable;
use crate::https::{Answer, Host};

/// `[sms]` of the configuration.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SmsConfig {
    /// `twilio:AC…` (the account), or `folder:PATH` (a file for each message; relative to the home).
    pub via: String,
    /// A file that holds the account's token, readable by its owner alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_file: Option<PathBuf>,
    /// The Verify service, `VA…` [default: the bank makes one].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// Another server on this machine in Twilio's place, as `127.0.0.1:8444`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api: Option<String>,
    /// The certificate authority of that server, in PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<PathBuf>,
}

/// A way to send codes.
pub enum Sms {
    /// The bank's own code, into a folder.
    Folder(SmsFolder),
    /// Twilio's.
    Twilio(Box<Twilio>),
}

/// Why a code was not sent or not checked. No number and no code stands in it.
#[derive(Debug, thiserror::Error)]
pub enum SmsError {
    /// Too often; after so many seconds again.
    #[error("too often; again in {0} seconds")]
    TooOften(u64),
    /// The number cannot be reached by SMS.
    #[error("this number takes no SMS")]
    Number,
    /// It is over: expired, used up or canceled.
    #[error("it is over")]
    Over,
    /// Twilio did not do it; the operator has to look.
    #[error("{0}")]
    Failed(String),
}

const HOST: &str = "verify.twilio.com";
const PORT: u16 = 443;
/// When Twilio says that it was asked too often and not for how long.
const RETRY_AFTER_S: u64 = 60;

impl Sms {
    /// By a configuration. `home` stands before a relative folder.
    pub fn new(config: &SmsConfig, home: &Path, token: Option<&str>) -> Result<Self, Unusable> {
        match config.via.split_once(':') {
            Some(("folder", path)) if !path.is_empty() => Ok(Sms::Folder(SmsFolder::new(home.join(path))?)),
            Some(("twilio", account)) => Ok(Sms::Twilio(Box::new(Twilio::new(config, account, token)?))),
            _ => Err(Unusable("via must be twilio:AC… or folder:PATH".into())),
        }
    }
}

/// A folder in the place of a telephone network.
pub struct SmsFolder(PathBuf);

impl SmsFolder {
    fn new(path: PathBuf) -> Result<Self, Unusable> {
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&path);
        made.map_err(|e| Unusable(format!("the folder {}: {e}", path.display())))?;
        Ok(SmsFolder(path))
    }

    /// Writes a message, whole or not at all.
    pub fn send(&self, to: &str, text: &str) -> Result<(), SmsError> {
        let failed = |e: std::io::Error| SmsError::Failed(e.to_string());
        let name: String = strongroom_crypto::random::bytes::<12>().iter().map(|byte| format!("{byte:02x}")).collect();
        let (begun, done) = (self.0.join(format!(".{name}")), self.0.join(format!("{name}.sms")));
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&begun).map_err(failed)?;
        file.write_all(format!("To: {to}\n\n{text}\n").as_bytes())
            .and_then(|()| fs::rename(&begun, &done))
            .map_err(failed)
    }
}

/// An account at Twilio.
pub struct Twilio {
    host: Host,
    authorization: Zeroizing<String>,
    service: Option<String>,
}

impl Twilio {
    fn new(config: &SmsConfig, account: &str, token: Option<&str>) -> Result<Self, Unusable> {
        if !is_sid("AC", account) {
            return Err(Unusable("via must name the account as twilio:AC and 32 hexadecimal digits".into()));
        }
        if let Some(service) = config.service.as_deref().filter(|service| !is_sid("VA", service)) {
            return Err(Unusable(format!("service `{service}` is not VA and 32 hexadecimal digits")));
        }
        let token = token.ok_or_else(|| Unusable("token_file must name a file with the account's token".into()))?;
        let (host, port) = match &config.api {
            None => (HOST.to_owned(), PORT),
            Some(api) => loopback(api)?,
        };
        let ca = config.ca.as_deref().filter(|_| config.api.is_some());
        let pair = Zeroizing::new(format!("{account}:{token}"));
        let authorization = Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_bytes())));
        Ok(Twilio { host: Host::new(&host, port, ca)?, authorization, service: config.service.clone() })
    }

    /// The service that the configuration names.
    pub fn service(&self) -> Option<&str> {
        self.service.as_deref()
    }

    /// Makes a service whose codes have eight digits. Answers its sid.
    pub async fn create_service(&self, name: &str) -> Result<String, SmsError> {
        // Twilio takes 30 characters, and none that its messages would be refused for.
        let plain: String = name.chars().filter(|c| c.is_ascii_alphanumeric() || *c == ' ').take(30).collect();
        let fields = [("FriendlyName", plain.as_str()), ("CodeLength", "8"), ("DoNotShareWarningEnabled", "true")];
        let made = self.ask("/v2/Services", &fields, 201).await?;
        sid(&made, "VA")
    }

    /// Sends a code. Answers the sid of the verification.
    pub async fn send(&self, service: &str, to: &str) -> Result<String, SmsError> {
        let path = format!("/v2/Services/{service}/Verifications");
        let begun = self.ask(&path, &[("To", to), ("Channel", "sms")], 201).await?;
        sid(&begun, "VE")
    }

    /// Whether a code is the one that was sent.
    pub async fn check(&self, service: &str, verification: &str, code: &str) -> Result<bool, SmsError> {
        let path = format!("/v2/Services/{service}/VerificationCheck");
        let checked = self.ask(&path, &[("VerificationSid", verification), ("Code", code)], 200).await?;
        Ok(sid(&checked, "VE")? == verification && checked["status"] == "approved")
    }

    /// Ends a verification. One that is over already is no error.
    pub async fn cancel(&self, service: &str, verification: &str) -> Result<(), SmsError> {
        let path = format!("/v2/Services/{service}/Verifications/{verification}");
        match self.ask(&path, &[("Status", "canceled")], 200).await {
            Ok(_) | Err(SmsError::Over) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn ask(&self, path: &str, fields: &[(&str, &str)], expected: u16) -> Result<Value, SmsError> {
        let answer = self.host.post(path, &self.authorization, fields).await.map_err(SmsError::Failed)?;
        if answer.status == expected || (answer.status == 201 && expected == 200) {
            return serde_json::from_slice(&answer.body)
                .map_err(|_| SmsError::Failed("Twilio's answer is not JSON".into()));
        }
        Err(refused(&answer))
    }
}

fn refused(answer: &Answer) -> SmsError {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    match (answer.status, body["code"].as_i64()) {
        (404, _) => SmsError::Over,
        (429, _) => SmsError::TooOften(answer.retry_after_s.unwrap_or(RETRY_AFTER_S)),
        // An invalid number, a landline, a region that is not served, a blocked prefix.
        (400 | 403, Some(60200 | 60205 | 60220 | 60410 | 60605 | 21211 | 21408 | 21614)) => SmsError::Number,
        (401, _) => {
            SmsError::Failed("Twilio does not know the account or its token: check [sms] via and token_file".into())
        }
        (status, code) => {
            let code = code.map_or_else(String::new, |code| format!(" and code {code}: see Twilio's list of errors"));
            SmsError::Failed(format!("Twilio answered with status {status}{code}"))
        }
    }
}

fn sid(answer: &Value, kind: &str) -> Result<String, SmsError> {
    let sid = answer["sid"].as_str().filter(|sid| is_sid(kind, sid));
    sid.map(str::to_owned).ok_or_else(|| SmsError::Failed(format!("Twilio's answer has no {kind} sid")))
}

/// Whether a text can be the sid of a Verify service.
pub fn is_service(text: &str) -> bool {
    is_sid("VA", text)
}

fn is_sid(kind: &str, text: &str) -> bool {
    text.strip_prefix(kind).is_some_and(|rest| rest.len() == 32 && rest.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// Only this machine may stand in Twilio's place.
fn loopback(api: &str) -> Result<(String, u16), Unusable> {
    let parsed = api.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse::<u16>().ok()?)));
    let is_here = |host: &str| host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    match parsed {
        Some((host, port)) if is_here(host) => Ok((host.to_owned(), port)),
        _ => Err(Unusable("api must be on this machine, as 127.0.0.1:8444".into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_stands_in_twilios_place() {
        for (api, good) in [
            ("127.0.0.1:8444", true),
            ("localhost:1", true),
            ("127.0.0.1", false),
            ("10.0.0.1:443", false),
            ("verify.twilio.com:443", false),
            ("127.0.0.1.evil.example:443", false),
        ] {
            assert_eq!(loopback(api).is_ok(), good, "{api}");
        }
    }

    #[test]
    fn a_configuration_is_checked_before_it_is_used() {
        let account = format!("AC{}", "0a".repeat(16));
        let config = |via: &str, service: Option<&str>| SmsConfig {
            via: via.into(),
            token_file: None,
            service: service.map(str::to_owned),
            api: None,
            ca: None,
        };
        let made = |config: &SmsConfig, token| Sms::new(config, Path::new("/nowhere"), token).is_ok();
        assert!(made(&config(&format!("twilio:{account}"), None), Some("secret")));
        assert!(!made(&config(&format!("twilio:{account}"), None), None));
        assert!(!made(&config("twilio:AC1", None), Some("secret")));
        assert!(!made(&config(&format!("twilio:{account}"), Some("VA1")), Some("secret")));
        assert!(!made(&config("carrier-pigeon:x", None), Some("secret")));
    }
}
