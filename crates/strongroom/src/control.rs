//! The console's way to a running server: a socket in the home, which its owner alone can open. One
//! line of JSON asks, one line answers.

use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use strongroom_bank::key_order::KeyOrder;
use strongroom_bank::{Bank, Home};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixListener;

use crate::failure::{Exit, Failure, Outcome};

const LINE_BYTES_MAX: u64 = 64 * 1024;

/// What the server answers.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    Done(Value),
    Failed { exit: u8, message: String },
}

fn path(home: &Home) -> PathBuf {
    home.path("control")
}

/// Listens for orders while the server runs.
pub fn listen(home: &Home, bank: &Arc<Bank>) -> std::io::Result<()> {
    let path = path(home);
    // The home's lock is held, so a socket that is there is left from a server that was killed.
    match std::fs::remove_file(&path) {
        Err(e) if e.kind() != ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let listener = UnixListener::bind(&path)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    let bank = Arc::downgrade(bank);
    tokio::spawn(async move {
        loop {
            let stream = match listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "the console's socket could not be answered; trying again");
                    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
                    continue;
                }
            };
            let Some(bank) = bank.upgrade() else { return };
            tokio::spawn(async move {
                if let Err(error) = answer(stream, bank).await {
                    tracing::debug!(%error, "a console went away");
                }
            });
        }
    });
    Ok(())
}

async fn answer(mut stream: tokio::net::UnixStream, bank: Arc<Bank>) -> std::io::Result<()> {
    let (read, mut write) = stream.split();
    let mut line = String::new();
    tokio::io::BufReader::new(read.take(LINE_BYTES_MAX)).read_line(&mut line).await?;
    let answer = match serde_json::from_str::<KeyOrder>(&line) {
        Ok(order) => match tokio::task::spawn_blocking(move || bank.carry_out(order)).await {
            Ok(Ok(done)) => Answer::Done(done),
            Ok(Err(error)) => {
                let failure = Failure::from(error);
                Answer::Failed { exit: failure.exit as u8, message: failure.message }
            }
            Err(_) => Answer::Failed { exit: 1, message: "the order broke off; the server's log says why".into() },
        },
        Err(error) => Answer::Failed { exit: 2, message: format!("the server does not know this order: {error}") },
    };
    let mut text = serde_json::to_vec(&answer)?;
    text.push(b'\n');
    write.write_all(&text).await
}

/// Whether a server runs on this home.
pub fn is_running(home: &Home) -> bool {
    UnixStream::connect(path(home)).is_ok()
}

/// Gives an order to the running server. None: no server runs on this home.
pub fn ask(home: &Home, order: &KeyOrder) -> Outcome<Option<Value>> {
    let Ok(mut stream) = UnixStream::connect(path(home)) else { return Ok(None) };
    let lost = |e: &dyn std::fmt::Display| {
        Failure::new(
            Exit::TryAgain,
            format!("the running server went away: {e}; look at its log, and give the order again"),
        )
    };
    let mut text = serde_json::to_string(order).map_err(|e| Failure::new(Exit::Failed, e.to_string()))?;
    text.push('\n');
    stream.write_all(text.as_bytes()).map_err(|e| lost(&e))?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).map_err(|e| lost(&e))?;
    match serde_json::from_str(&line).map_err(|e| lost(&e))? {
        Answer::Done(value) => Ok(Some(value)),
        Answer::Failed { exit, message } => Err(Failure::new(Exit::from_number(exit), message)),
    }
}
