//! `strongroom password` and `strongroom recover`: a new password, and getting back in after something was lost.

use std::path::PathBuf;

use serde_json::json;

use crate::Global;
use crate::ask;
use crate::failure::Outcome;
use crate::remote::{Remote, data};

/// What changes a password.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// A file with the present password (- for standard input)
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// A file with the next one
    #[arg(long, value_name = "FILE")]
    new_password_file: Option<PathBuf>,
}

/// The steps of getting back in.
#[derive(clap::Subcommand, Debug)]
pub enum Recover {
    /// Begin: a code goes to the verified e-mail address
    Begin {
        /// User name
        #[arg(long)]
        username: Option<String>,
    },
    /// Prove that it is you, in two ways
    Prove {
        /// What began it: rcv_…
        recovery: String,
        /// In which way
        #[arg(long, value_enum)]
        by: Proof,
        /// A file with the password or code (- for standard input)
        #[arg(long, value_name = "FILE")]
        value_file: Option<PathBuf>,
    },
    /// Get back in, after the waiting time
    Finish {
        /// What began it: rcv_…
        recovery: String,
        /// A file with the next password, where the present one was not proven
        #[arg(long, value_name = "FILE")]
        new_password_file: Option<PathBuf>,
    },
}

/// A way to prove that it is you.
#[derive(clap::ValueEnum, Clone, Copy, Debug)]
pub enum Proof {
    /// The password
    Password,
    /// The code that was mailed
    Email,
    /// A code of the authenticator app, or a recovery code
    Factor,
}

impl Proof {
    fn name(self) -> &'static str {
        match self {
            Proof::Password => "password",
            Proof::Email => "email",
            Proof::Factor => "factor",
        }
    }
}

/// Changes the password of whoever is signed in.
pub async fn run(global: &Global, args: Args) -> Outcome {
    let client = Remote::open(global).await?.signed_in().await?;
    let present = ask::secret(global, args.password_file.as_deref(), "--password-file", "Present password")?;
    let new = ask::new_secret(global, args.new_password_file.as_deref(), "--new-password-file", "New password")?;
    client.change_password(&present, &new).await?;
    global.print(&json!({"status": "changed"}), || {
        "Changed. Everyone else who was signed in as you is signed out.".into()
    });
    Ok(())
}

/// Runs a step.
pub async fn recover(global: &Global, step: Recover) -> Outcome {
    let client = Remote::open(global).await?.client;
    match step {
        Recover::Begin { username } => {
            let username = ask::given_or_line(global, username, "--username NAME", "User name")?;
            let begun = client.begin_recovery(&username).await?;
            global.print(&data(&begun), || {
                format!("{}\nKeep this: it is needed for the next steps. If the name is known and its address verified, a code was mailed.", begun.recovery)
            });
        }
        Recover::Prove { recovery, by, value_file } => {
            let value = ask::secret(global, value_file.as_deref(), "--value-file", "Password or code")?;
            let progress = client.prove_recovery(&recovery, by.name(), value.trim()).await?;
            global.print(&data(&progress), || match &progress.ready_at {
                Some(at) => format!("Proven: {}. Finish from {at} on.", progress.proven.join(", ")),
                None => format!("Proven: {}. One more way is needed.", progress.proven.join(", ")),
            });
        }
        Recover::Finish { recovery, new_password_file } => {
            let new = match (&new_password_file, global.no_input) {
                (Some(file), _) => Some(ask::secret(global, Some(file), "--new-password-file", "New password")?),
                (None, true) => None,
                (None, false) => Some(ask::new_secret(
                    global,
                    None,
                    "--new-password-file",
                    "New password (empty to keep the present one)",
                )?),
            };
            let new = new.as_deref().map(String::as_str).filter(|new| !new.is_empty());
            let recovered = client.finish_recovery(&recovery, new).await?;
            global.print(&data(&recovered), || match recovered.enrolment_token {
                Some(_) => "You are back. Sign in with `strongroom login`, and set up a new second factor.".into(),
                None => "You are back. Sign in with `strongroom login`.".into(),
            });
        }
    }
    Ok(())
}
