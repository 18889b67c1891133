//! `strongroom tls`: the development certificate, made, renewed and shown. A running server takes
//! the new one within seconds.

use serde_json::json;
use strongroom_bank::clock;
use strongroom_server::tls::{self, CertificateInfo, Files};

use crate::Global;
use crate::failure::{Exit, Failure, Outcome};

/// What to do with the certificate.
#[derive(clap::Subcommand, Debug)]
pub enum Verb {
    /// Make a new server certificate, and an authority when there is none
    Issue {
        /// Names beside localhost and those of strongroom.toml
        #[arg(long = "name", value_name = "NAME")]
        names: Vec<String>,
    },
    /// Make a new one if a third of its life or less is left
    Renew,
    /// Show it
    Show,
}

/// Runs a verb.
pub fn run(global: &Global, verb: Verb) -> Outcome {
    let home = global.home();
    let config = home.config()?;
    let dir = home.path("tls");
    let failed = |e: tls::TlsError| Failure::new(Exit::Failed, e.to_string());
    match verb {
        Verb::Issue { names } => {
            let names = [config.tls.names, names].concat();
            let issued = tls::issue(&dir, &names, clock::now_us()).map_err(failed)?;
            if issued.is_new_authority {
                eprintln!("A new authority was made: clients must be given {}.", Files::in_dir(&dir).ca.display());
            }
            show(global, &issued.server);
        }
        Verb::Renew => match tls::renew_if_due(&dir, &config.tls.names, clock::now_us()).map_err(failed)? {
            Some(issued) => show(global, &issued.server),
            None => {
                eprintln!("Nothing to do: more than a third of its life is left.");
                show(global, &tls::show(&Files::in_dir(&dir).server).map_err(failed)?);
            }
        },
        Verb::Show => {
            let path = config.tls.certificate.unwrap_or_else(|| Files::in_dir(&dir).server);
            show(global, &tls::show(&path).map_err(failed)?);
        }
    }
    Ok(())
}

fn show(global: &Global, certificate: &CertificateInfo) {
    let CertificateInfo { subject, issuer, names, not_before, not_after, renew_after, serial, sha256, .. } =
        certificate;
    let data = json!({
        "subject": subject, "issuer": issuer, "names": names, "not_before": not_before, "not_after": not_after,
        "renew_after": renew_after, "serial": serial, "sha256": sha256,
    });
    global.print(&data, || {
        format!(
            "subject      {subject}\nissuer       {issuer}\nnames        {}\nnot before   {not_before}\nnot after    {not_after}\nrenew after  {renew_after}\nserial       {serial}\nsha256       {sha256}",
            names.join(", ")
        )
    });
}
