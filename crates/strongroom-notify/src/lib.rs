//! Words on their way out of the bank: mail over SMTP with TLS, codes by SMS through Twilio Verify, or into a
//! folder of a demonstration; and the log's checkpoints, to its witnesses.
//!
//! **Absence:** nothing here decides what is sent or to whom, and nothing is kept.

mod folder;
mod https;
pub mod sms;
mod smtp;
pub mod witness;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use folder::Folder;
use smtp::Smtp;

/// `[mail]` of the configuration.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MailConfig {
    /// `smtps://user@host:465` (TLS from the start), `smtp://user@host:587` (STARTTLS, never without), or
    /// `folder:PATH` (a file for each mail; relative to the home).
    pub via: String,
    /// The sender, as in `Strongroom <bank@example.com>`.
    pub from: String,
    /// A file that holds the password of the mail server's user, readable by its owner alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_file: Option<PathBuf>,
    /// The certificate authority of the mail server, in PEM [default: the web's].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<PathBuf>,
}

/// Something to be told to somebody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// An e-mail address.
    pub to: String,
    /// In a few words.
    pub subject: String,
    /// Plain text.
    pub text: String,
}

/// Why mail or SMS cannot be set up.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Unusable(String);

/// Why a message was not sent. Neither address nor text stands in it.
#[derive(Debug, thiserror::Error)]
pub enum NotSent {
    /// It may work later.
    #[error("the mail was not sent, and may be later: {0}")]
    Later(String),
    /// It will not work.
    #[error("the mail was not sent, and will not be: {0}")]
    Never(String),
}

/// Sends mail.
pub struct Mail(Way);

enum Way {
    Folder(Folder),
    Smtp(Box<Smtp>),
}

impl Mail {
    /// By a configuration. `home` stands before a relative folder.
    pub fn new(config: &MailConfig, home: &Path, password: Option<String>) -> Result<Self, Unusable> {
        let way = match config.via.split_once(':') {
            Some(("folder", path)) if !path.is_empty() => Way::Folder(Folder::new(home.join(path), &config.from)?),
            Some(("smtp" | "smtps", _)) => Way::Smtp(Box::new(Smtp::new(config, password)?)),
            _ => {
                return Err(Unusable("via must be smtps://user@host:465, smtp://user@host:587 or folder:PATH".into()));
            }
        };
        Ok(Mail(way))
    }

    /// Sends a message, now. Takes seconds at most.
    pub fn send(&self, message: &Message) -> Result<(), NotSent> {
        match &self.0 {
            Way::Folder(folder) => folder.send(message),
            Way::Smtp(smtp) => smtp.send(message),
        }
    }
}
