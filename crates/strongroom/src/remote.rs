//! What every client verb begins with: which bank is meant, whether it is the one that was pinned,
//! and who is signed in.

use std::future::Future;
use std::path::{Path, PathBuf};

use serde::Serialize;
use strongroom_bank::clock;
use strongroom_client::state::{Pinned, ServerState, State, Tokens};
use strongroom_client::{Client, ServerUrl, Signer, trust};

use crate::Global;
use crate::ask;
use crate::failure::{Exit, Failure, Outcome};

const DEFAULT_SERVER: &str = "https://127.0.0.1:8443";
/// Tokens are renewed when less is left of them.
const RENEW_BEFORE_S: i64 = 15;

/// Which server, and whom to believe.
#[derive(clap::Args, Clone, Debug)]
pub struct Server {
    /// The bank to speak to [default: the one used last, or https://127.0.0.1:8443]
    #[arg(long, global = true, env = "STRONGROOM_SERVER", value_name = "URL")]
    server: Option<String>,
    /// The bank's certificate authority (PEM); it is pinned in place of any other
    #[arg(long, global = true, value_name = "FILE")]
    ca: Option<PathBuf>,
}

/// A bank that was pinned, and what is kept of it.
pub struct Remote {
    /// The bank, not signed in.
    pub client: Client,
    /// As pinned.
    pub bank: Pinned,
    /// The files about it.
    pub state: ServerState,
}

/// Runs a client verb.
pub fn block_on<F: Future<Output = Outcome>>(verb: F) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|e| Failure::new(Exit::Failed, format!("cannot start: {e}")))?.block_on(verb)
}

/// Now, in seconds.
pub fn now_s() -> i64 {
    clock::now_us().div_euclid(1_000_000)
}

impl Remote {
    /// The bank that is meant; at first contact it is pinned.
    pub async fn open(global: &Global) -> Outcome<Self> {
        let files = State::at(State::default_dir());
        let url = server_url(global, &files)?;
        let state = files.server(&url);
        let bank = match (&global.server.ca, state.pinned().map_err(strongroom_client::Error::from)?) {
            (None, Some(bank)) => bank,
            (Some(ca), _) => pin(&state, &url, introduced_by_file(&url, ca).await?)?,
            (None, None) => pin(&state, &url, introduced_by_itself(global, &url).await?)?,
        };
        files.set_current(&url).map_err(strongroom_client::Error::from)?;
        Ok(Remote { client: Client::connect(&url, &bank.ca)?, bank, state })
    }

    /// The bank, for whoever is signed in there.
    pub async fn signed_in(&self) -> Outcome<Client> {
        let tokens = self.fresh_tokens().await?;
        Ok(self.client.with_token(&tokens.access_token)?)
    }

    /// Who is signed in.
    pub fn tokens(&self) -> Outcome<Tokens> {
        let tokens = self.state.tokens().map_err(strongroom_client::Error::from)?;
        tokens.ok_or_else(|| {
            Failure::new(
                Exit::NotAllowed,
                format!("you are not signed in at {}: run `strongroom login`", self.bank.server),
            )
        })
    }

    /// The device of whoever is signed in that signs their orders.
    pub fn signer(&self) -> Outcome<Signer> {
        let username = self.tokens()?.username;
        let devices = self.state.devices().map_err(strongroom_client::Error::from)?;
        let device = devices.iter().rev().find(|d| d.username == username).ok_or_else(|| {
            Failure::new(Exit::NotAllowed, format!("no device of {username} is registered on this computer, and orders must be signed: run `strongroom device add NAME`"))
        })?;
        device.signer(&self.bank.origin).ok_or_else(|| {
            Failure::new(Exit::Failed, format!("the key of device {} is damaged: run `strongroom device revoke {}` and `strongroom device add NAME`", device.id, device.id))
        })
    }

    async fn fresh_tokens(&self) -> Outcome<Tokens> {
        let is_fresh = |tokens: &Tokens| tokens.access_ends_s - RENEW_BEFORE_S > now_s();
        let tokens = self.tokens()?;
        if is_fresh(&tokens) {
            return Ok(tokens);
        }
        // A refresh token works once, so only one run may use it.
        let _lock = self.state.lock().map_err(strongroom_client::Error::from)?;
        let tokens = self.tokens()?;
        if is_fresh(&tokens) {
            return Ok(tokens);
        }
        let ended = || Failure::new(Exit::NotAllowed, "your session has ended: run `strongroom login`");
        let session = match self.client.refresh(tokens.refresh_token.as_deref().ok_or_else(ended)?).await {
            Err(error) if error.status() == Some(401) => return Err(ended()),
            session => session?,
        };
        self.keep(&tokens.username, session)
    }

    /// Keeps a session's tokens.
    pub fn keep(&self, username: &str, session: strongroom_api::Session) -> Outcome<Tokens> {
        let tokens = Tokens {
            username: username.to_owned(),
            access_token: session.access_token,
            access_ends_s: now_s() + session.expires_in_s,
            refresh_token: Some(session.refresh_token),
            session_id: Some(session.session_id),
        };
        self.state.keep_tokens(&tokens).map_err(strongroom_client::Error::from)?;
        Ok(tokens)
    }
}

/// An answer of the API as JSON data.
pub fn data(answer: &impl Serialize) -> serde_json::Value {
    serde_json::to_value(answer).unwrap_or_default()
}

/// The log key of the bank that is meant, if one is pinned.
pub fn pinned_log_key(global: &Global) -> Outcome<Option<String>> {
    let files = State::at(State::default_dir());
    let url = server_url(global, &files)?;
    Ok(files.server(&url).pinned().map_err(strongroom_client::Error::from)?.map(|bank| bank.log_key))
}

fn server_url(global: &Global, files: &State) -> Outcome<ServerUrl> {
    let named = match &global.server.server {
        Some(named) => Some(named.clone()),
        None => files.current().map_err(strongroom_client::Error::from)?,
    };
    Ok(named.as_deref().unwrap_or(DEFAULT_SERVER).parse::<ServerUrl>()?)
}

async fn introduced_by_file(url: &ServerUrl, ca: &Path) -> Outcome<Pinned> {
    let pem = std::fs::read_to_string(ca).map_err(|e| {
        Failure::new(Exit::Usage, format!("cannot read {}: {e}; name the bank's PEM file", ca.display()))
    })?;
    introduce(url, Client::connect(url, &pem)?, pem).await
}

/// Trust on first use: nothing but the public page is read, and the person compares fingerprints.
async fn introduced_by_itself(global: &Global, url: &ServerUrl) -> Outcome<Pinned> {
    let (tls, presented) = trust::recording()?;
    let stranger = Client::with_tls(url, tls)?;
    let pem = stranger.well_known().await?.ca;
    presented.check(&pem, url, now_s())?;
    let bank = introduce(url, Client::connect(url, &pem)?, pem).await?;
    eprintln!("First contact with {url}, which calls itself {:?}.", bank.bank);
    eprintln!("  authority  SHA-256 {}", trust::fingerprint(&bank.ca)?);
    eprintln!("  log key    {}", bank.log_key);
    if !global.no_input && !ask::confirm("Do they match what the bank gave you? Trust it from now on?")? {
        return Err(Failure::new(
            Exit::NotAllowed,
            "the bank was not trusted, and nothing was kept; compare the fingerprint with the bank, or give its PEM file with --ca FILE",
        ));
    }
    Ok(bank)
}

async fn introduce(url: &ServerUrl, client: Client, ca: String) -> Outcome<Pinned> {
    let known = client.well_known().await?;
    Ok(Pinned {
        server: url.to_string(),
        bank: known.bank,
        origin: known.origin,
        log_key: known.log_key,
        ca,
        currencies: known.currencies,
    })
}

/// A log key that changed is no small thing: the log may be another one.
fn pin(state: &ServerState, url: &ServerUrl, bank: Pinned) -> Outcome<Pinned> {
    if let Some(before) = state.pinned().map_err(strongroom_client::Error::from)?
        && (before.log_key != bank.log_key || before.origin != bank.origin)
    {
        return Err(Failure::new(
            Exit::NotVerified,
            format!(
                "{url} has another log key than the one pinned before ({}): it may be another bank, or its log was replaced; ask the bank, and remove its directory from the client's home only when that is explained",
                before.log_key
            ),
        ));
    }
    state.pin(&bank).map_err(strongroom_client::Error::from)?;
    Ok(bank)
}
