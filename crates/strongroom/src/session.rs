//! `strongroom session`: where one is signed in.

use serde_json::json;

use crate::Global;
use crate::failure::Outcome;
use crate::remote::{Remote, data};

/// What to do with sessions.
#[derive(clap::Subcommand, Debug)]
pub enum Verb {
    /// Where you are signed in
    List,
    /// End a session
    Revoke {
        /// sess_…
        id: String,
    },
}

/// Runs a verb.
pub async fn run(global: &Global, verb: Verb) -> Outcome {
    let remote = Remote::open(global).await?;
    let client = remote.signed_in().await?;
    match verb {
        Verb::List => {
            let sessions = client.sessions().await?;
            global.print(&data(&sessions), || {
                let line = |s: &strongroom_api::SessionItem| {
                    format!(
                        "{}  since {}  last seen {}{}",
                        s.id,
                        s.created_at,
                        s.last_used_at,
                        if s.current { "  (this one)" } else { "" }
                    )
                };
                sessions.items.iter().map(line).collect::<Vec<_>>().join("\n")
            });
        }
        Verb::Revoke { id } => {
            client.end_session(&id).await?;
            global.print(&json!({"id": id, "status": "ended"}), || format!("{id} has ended"));
        }
    }
    Ok(())
}
