//! `strongroom serve`: runs the bank until it is told to stop.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use strongroom_bank::demo::{self, DemoPerson};
use strongroom_bank::home::TlsConfig;
use strongroom_bank::{Bank, Home, clock, init as founding};
use strongroom_server::accept::{Limits, serve};
use strongroom_server::metrics::serve_metrics;
use strongroom_server::tls::{self, Files, Resolver};
use strongroom_server::{App, router};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::Global;
use crate::failure::{Exit, Failure, Outcome};
use crate::{control, init};

/// How to serve.
#[derive(clap::Args, Debug)]
#[group(id = "serving")]
pub struct Args {
    /// Where to listen [default: 127.0.0.1:8443]; port 0 picks a free one
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
    /// Run a demo bank of its own, with people whose secrets are printed
    #[arg(long)]
    demo: bool,
    #[command(flatten)]
    init: init::Args,
}

const LISTEN: &str = "127.0.0.1:8443";
/// How often the certificate files are looked at, and how often renewal is considered.
const CERTIFICATE_LOOK: Duration = Duration::from_secs(5);
const RENEWAL_LOOK: Duration = Duration::from_secs(3600);

/// Serves until SIGTERM or SIGINT, then finishes what was accepted.
pub fn run(global: &Global, args: Args) -> Outcome {
    if let Some(listen) = &args.listen {
        check_address(listen)?;
    }
    let home = prepare(global, &args)?;
    block_on(run_bank(global, &home, args))
}

/// Runs what a bank does, on all cores.
pub fn block_on<F: Future<Output = Outcome>>(work: F) -> Outcome {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.map_err(|e| Failure::new(Exit::Failed, format!("cannot start: {e}")))?.block_on(work)
}

/// A mistyped address is told before an empty home becomes a bank.
fn check_address(address: &str) -> Outcome {
    let port =
        address.rsplit_once(':').filter(|(host, _)| !host.is_empty()).and_then(|(_, port)| port.parse::<u16>().ok());
    let words = || format!("--listen {address} is not an address; write HOST:PORT, like 127.0.0.1:8443");
    port.map(drop).ok_or_else(|| Failure::new(Exit::Usage, words()))
}

/// The home to serve, initialised when it was empty.
fn prepare(global: &Global, args: &Args) -> Outcome<Home> {
    let home = match (&global.home, args.demo) {
        (None, true) => {
            let mut dir = Home::default_dir().into_os_string();
            dir.push("-demo");
            Home::at(dir)
        }
        _ => global.home(),
    };
    if !home.is_initialised() {
        let init::Args { database, password_file, key, currency, numbers, name } = &args.init;
        let options = init::Args {
            database: database.clone(),
            password_file: password_file.clone(),
            key: key.clone(),
            currency: currency.clone(),
            numbers: numbers.clone(),
            name: name.clone().or_else(|| args.demo.then(|| "Strongroom Demo".into())),
        };
        let made = founding::initialise(&home, &options.options(args.demo))?;
        eprintln!("A new bank was made in {}; its root key is in {}.", home.dir().display(), made.root_key);
        if !args.demo {
            eprintln!(
                "Enrolment code of the first administrator (shown once, good for seven days): {}",
                made.enrolment_code
            );
        }
    } else if home.config()?.bank.demo != args.demo {
        let (is, cure) = match args.demo {
            true => ("not a demo", "name an empty home with --home DIR, or leave --home out"),
            false => ("a demo", "start it with --demo, or name another home with --home DIR"),
        };
        return Err(Failure::new(Exit::Failed, format!("{} holds a bank that is {is}: {cure}", home.dir().display())));
    }
    Ok(home)
}

async fn run_bank(global: &Global, home: &Home, args: Args) -> Outcome {
    let stop = stop_asked()?;
    let bank = Bank::open(home)?;
    if let Some(why) = bank.read_only() {
        eprintln!("strongroom: {why}");
    }
    let people = if args.demo { demo::people(&bank, home).await? } else { Vec::new() };
    let config = bank.config().clone();
    let (resolver, ca_file) = certificate(home, &config.tls)?;
    let ca =
        std::fs::read_to_string(&ca_file).map_err(|e| failed(format!("cannot read {}: {e}", ca_file.display())))?;
    let tls = tls::server_config(resolver).map_err(failed)?;
    let address = args.listen.or(config.server.listen).unwrap_or_else(|| LISTEN.to_owned());
    let listener = TcpListener::bind(&address).await.map_err(|e| {
        Failure::new(
            Exit::Failed,
            format!("cannot listen on {address}: {e}; free the port, or choose another with --listen ADDRESS"),
        )
    })?;
    let address = listener.local_addr().map_err(failed)?;
    let log_key = bank.log_key().to_string();
    if let Err(e) = control::listen(home, &bank) {
        tracing::warn!(error = %e, "the console's socket cannot be opened: orders about keys need the server stopped");
    }
    if let Some(address) = &config.metrics.listen {
        let listener = TcpListener::bind(address).await.map_err(|e| {
            failed(format!("cannot listen on {address} for /metrics: {e}; change [metrics] listen in strongroom.toml"))
        })?;
        tokio::spawn(serve_metrics(listener, bank.clone()));
    }
    announce(global, &address.to_string(), &ca_file, &log_key, &people);
    let app = Arc::new(App { bank: bank.clone(), ca });
    serve(listener, Arc::new(tls), router(app), Limits::default(), stop).await;
    tokio::task::spawn_blocking(move || bank.close()).await.map_err(failed)?;
    Ok(())
}

/// The operator's certificate, or the development one, kept fresh while serving.
fn certificate(home: &Home, config: &TlsConfig) -> Outcome<(Arc<Resolver>, PathBuf)> {
    let (chain, key, trusted) = match (&config.certificate, &config.key) {
        (Some(certificate), Some(key)) => (certificate.clone(), key.clone(), certificate.clone()),
        (None, None) => {
            let dir = home.path("tls");
            tls::renew_if_due(&dir, &config.names, clock::now_us()).map_err(failed)?;
            let (names, renewed) = (config.names.clone(), dir.clone());
            tokio::spawn(async move {
                loop {
                    tokio::time::sleep(RENEWAL_LOOK).await;
                    if let Err(e) = tls::renew_if_due(&renewed, &names, clock::now_us()) {
                        tracing::error!(error = %e, "the certificate could not be renewed");
                    }
                }
            });
            let files = Files::in_dir(&dir);
            (files.server, files.server_key, files.ca)
        }
        _ => {
            return Err(Failure::new(
                Exit::Usage,
                "[tls] needs both certificate and key in strongroom.toml, or neither",
            ));
        }
    };
    let resolver = Arc::new(Resolver::open(&chain, &key).map_err(failed)?);
    tokio::spawn(resolver.clone().watch(CERTIFICATE_LOOK));
    Ok((resolver, std::path::absolute(trusted).map_err(failed)?))
}

fn failed(error: impl std::fmt::Display) -> Failure {
    Failure::new(Exit::Failed, error.to_string())
}

fn announce(global: &Global, address: &str, ca: &Path, log_key: &str, people: &[DemoPerson]) {
    let data = json!({"listening": format!("https://{address}"), "ca": ca, "log_key": log_key, "people": people});
    global.print(&data, || {
        let mut words = String::new();
        for person in people {
            words.push_str(&format!(
                "{:9} {:12} password {}  TOTP secret {}\n",
                person.role, person.username, person.password, person.totp_secret
            ));
        }
        words.push_str(&format!("log key {log_key}\nlistening on https://{address}"));
        words
    });
}

/// Ends when the process is asked to stop. From this call on a signal is waited for and no longer kills.
fn stop_asked() -> Outcome<impl Future<Output = ()>> {
    let hear = |kind| signal(kind).map_err(failed);
    let (mut terminate, mut interrupt) = (hear(SignalKind::terminate())?, hear(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
