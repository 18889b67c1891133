//! `strongroom factor`: second factors, set up, listed, named and removed.

use std::path::PathBuf;

use serde_json::json;

use crate::Global;
use crate::failure::Outcome;
use crate::remote::{Remote, data};
use crate::{ask, login};

/// What to do with factors.
#[derive(clap::Subcommand, Debug)]
pub enum Verb {
    /// Your second factors
    List,
    /// Name a factor
    Name {
        /// fct_…
        id: String,
        /// Such as My phone
        name: String,
    },
    /// Remove a factor; the last one that stands alone has to stay
    Remove {
        /// fct_…
        id: String,
    },
    /// Begin a factor; its secret is shown once
    Add {
        /// Its kind
        #[arg(value_enum)]
        kind: Kind,
    },
    /// Confirm it with its first code
    Confirm {
        /// fct_…
        id: String,
        /// A file with the code (- for standard input)
        #[arg(long, value_name = "FILE")]
        code_file: Option<PathBuf>,
    },
}

/// Kinds of factor.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub enum Kind {
    /// An authenticator app
    Totp,
    /// Codes on paper, each good once
    Recovery,
}

impl Kind {
    /// Its name in the API.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Totp => "totp",
            Kind::Recovery => "recovery",
        }
    }
}

/// Runs a verb.
pub async fn run(global: &Global, verb: Verb) -> Outcome {
    let remote = Remote::open(global).await?;
    match verb {
        Verb::Add { kind: Kind::Totp } => add_totp(global, &remote).await,
        Verb::Add { kind: Kind::Recovery } => {
            let made = remote.signed_in().await?.make_recovery_codes().await?;
            global.print(&data(&made), || {
                format!(
                    "{}\nEach is good once. Write them down and keep them apart from your phone.",
                    made.codes.join("\n")
                )
            });
            Ok(())
        }
        Verb::List => {
            let factors = remote.signed_in().await?.factors().await?;
            global.print(&data(&factors), || factors.items.iter().map(line).collect::<Vec<_>>().join("\n"));
            Ok(())
        }
        Verb::Name { id, name } => {
            remote.signed_in().await?.name_factor(&id, &name).await?;
            global.print(&json!({"id": id, "name": name}), || format!("{id} is called {name}"));
            Ok(())
        }
        Verb::Remove { id } => {
            remote.signed_in().await?.remove_factor(&id).await?;
            global.print(&json!({"id": id, "status": "removed"}), || format!("{id} was removed"));
            Ok(())
        }
        Verb::Confirm { id, code_file } => {
            let code = ask::secret(global, code_file.as_deref(), "--code-file", "Code of your authenticator app")?;
            confirm(global, &remote, &id, &code).await
        }
    }
}

fn line(factor: &strongroom_api::FactorItem) -> String {
    let used = factor.last_used_at.as_deref().unwrap_or("never");
    let left = factor.codes_left.map_or(String::new(), |left| format!("  {left} codes left"));
    format!("{}  {:9} {}  last used {used}{left}", factor.id, factor.kind, factor.name.as_deref().unwrap_or("-"))
}

/// Begins a TOTP factor and, when there is somebody to ask, confirms it.
pub async fn add_totp(global: &Global, remote: &Remote) -> Outcome {
    let factor = remote.signed_in().await?.begin_totp().await?;
    global.print(&data(&factor), || {
        format!("id      {}\nsecret  {}\nlink    {}", factor.id, factor.secret, factor.otpauth_uri)
    });
    if global.no_input {
        eprintln!("Give its first code with `strongroom factor confirm {} --code-file FILE`.", factor.id);
        return Ok(());
    }
    let code = ask::line("Add the secret to your authenticator app. Its code: ")?;
    confirm(global, remote, &factor.id, &code).await
}

async fn confirm(global: &Global, remote: &Remote, id: &str, code: &str) -> Outcome {
    let username = remote.tokens()?.username;
    match remote.signed_in().await?.confirm_totp(id, code.trim()).await? {
        Some(session) => login::signed_in(global, &remote.keep(&username, session)?),
        None => global.print(&json!({"id": id, "status": "confirmed"}), || "confirmed".into()),
    }
    Ok(())
}
