//! `strongroom device`: the keys with which orders are signed. A private key never leaves the
//! computer that made it.

use serde_json::json;
use strongroom_client::state::Device;
use strongroom_crypto::sign::SigningKey;

use crate::Global;
use crate::failure::Outcome;
use crate::remote::{Remote, data};

/// What to do with devices.
#[derive(clap::Subcommand, Debug)]
pub enum Verb {
    /// Your devices
    List,
    /// Make a key on this computer and register it
    Add {
        /// What to call it
        #[arg(default_value = "This computer")]
        name: String,
    },
    /// Revoke a device: nothing signed with it is accepted any more
    Revoke {
        /// dev_…
        id: String,
    },
}

/// Runs a verb.
pub async fn run(global: &Global, verb: Verb) -> Outcome {
    let remote = Remote::open(global).await?;
    let client = remote.signed_in().await?;
    match verb {
        Verb::List => {
            let devices = client.devices().await?;
            global.print(&data(&devices), || {
                let line = |d: &strongroom_api::DeviceItem| {
                    let state = d
                        .revoked_at
                        .as_ref()
                        .map_or_else(|| format!("since {}", d.created_at), |at| format!("revoked {at}"));
                    format!("{}  {}  {state}", d.id, d.name)
                };
                devices.items.iter().map(line).collect::<Vec<_>>().join("\n")
            });
        }
        Verb::Add { name } => {
            let key = SigningKey::generate_ed25519();
            let device = client.add_device(&name, &key.public()).await?;
            let kept = Device::new(&device.id, &remote.tokens()?.username, &name, &key);
            remote.state.keep_device(kept).map_err(strongroom_client::Error::from)?;
            global.print(&data(&device), || {
                format!("{} signs your orders from this computer ({})", device.name, device.id)
            });
        }
        Verb::Revoke { id } => {
            client.revoke_device(&id).await?;
            remote.state.forget_device(&id).map_err(strongroom_client::Error::from)?;
            global.print(&json!({"id": id, "status": "revoked"}), || format!("{id} is revoked"));
        }
    }
    Ok(())
}
