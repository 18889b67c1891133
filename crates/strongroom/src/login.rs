//! `strongroom login`, `logout` and `whoami`.

use std::path::PathBuf;

use serde_json::json;
use strongroom_api::SignInStep;
use strongroom_client::state::Tokens;

use crate::Global;
use crate::failure::{Exit, Failure, Outcome};
use crate::remote::{Remote, data, now_s};
use crate::{ask, factor};

/// Who signs in, and with what.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// User name
    #[arg(long)]
    username: Option<String>,
    /// A file with the password (- for standard input)
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// A file with the code of the authenticator app (- for standard input)
    #[arg(long, value_name = "FILE")]
    code_file: Option<PathBuf>,
    /// The kind of code
    #[arg(long, value_enum, default_value_t = factor::Kind::Totp)]
    factor: factor::Kind,
}

/// How long an enrolment token lasts is the bank's business; here it only has to be offered.
const ENROLMENT_S: i64 = 300;

/// Signs in, in two steps; the first time, the authenticator app is set up.
pub async fn run(global: &Global, args: Args) -> Outcome {
    let remote = Remote::open(global).await?;
    let known = remote.state.tokens().map_err(strongroom_client::Error::from)?.map(|t| t.username);
    let username = ask::given_or_line(
        global,
        args.username.or(known.filter(|_| global.no_input)),
        "--username NAME",
        "User name",
    )?;
    let password = ask::secret(global, args.password_file.as_deref(), "--password-file", "Password")?;
    let session = match remote.client.sign_in(&username, &password).await? {
        SignInStep::FactorRequired { challenge, .. } => {
            let code = ask::secret(global, args.code_file.as_deref(), "--code-file", "Code of your authenticator app")?;
            remote.client.verify(&challenge, args.factor.name(), code.trim()).await?
        }
        SignInStep::EnrolmentRequired { enrolment_token } => {
            let tokens = Tokens {
                username: username.clone(),
                access_token: enrolment_token,
                access_ends_s: now_s() + ENROLMENT_S,
                refresh_token: None,
                session_id: None,
            };
            remote.state.keep_tokens(&tokens).map_err(strongroom_client::Error::from)?;
            if global.no_input {
                global.print(&json!({"status": "enrolment_required"}), || "enrolment required".into());
                return Err(Failure::new(
                    Exit::NotAllowed,
                    "you have no second factor yet: run `strongroom factor add totp`, then `strongroom factor confirm ID --code-file FILE`",
                ));
            }
            eprintln!("You have no second factor yet, so your authenticator app is set up first.");
            return factor::add_totp(global, &remote).await;
        }
    };
    let tokens = remote.keep(&username, session)?;
    signed_in(global, &tokens);
    Ok(())
}

/// Tells that someone is signed in.
pub fn signed_in(global: &Global, tokens: &Tokens) {
    let data = json!({"status": "authenticated", "username": tokens.username, "session_id": tokens.session_id});
    global.print(&data, || format!("signed in as {}", tokens.username));
}

/// Ends the session here and at the bank.
pub async fn logout(global: &Global) -> Outcome {
    let remote = Remote::open(global).await?;
    let tokens = remote.tokens()?;
    let ended = match (&tokens.session_id, remote.signed_in().await) {
        (Some(id), Ok(client)) => client.end_session(id).await,
        _ => Ok(()),
    };
    remote.state.forget_tokens().map_err(strongroom_client::Error::from)?;
    match ended {
        Err(error) if !matches!(error.status(), Some(401 | 404)) => return Err(error.into()),
        _ => global.print(&json!({"status": "signed_out"}), || "signed out".into()),
    }
    Ok(())
}

/// Who is signed in, as the bank knows them.
pub async fn whoami(global: &Global) -> Outcome {
    let remote = Remote::open(global).await?;
    let me = remote.signed_in().await?.me().await?;
    global.print(&data(&me), || {
        let mut words = format!(
            "user name      {}\nid             {}\nroles          {}\nstatus         {}\nsince          {}",
            me.username,
            me.id,
            me.roles.join(", "),
            me.status,
            me.created_at
        );
        let personal = [
            ("full name", &me.full_name),
            ("e-mail", &me.email),
            ("phone", &me.phone),
            ("national id", &me.national_id),
            ("date of birth", &me.date_of_birth),
            ("address", &me.address),
        ];
        for (name, value) in personal {
            if let Some(value) = value {
                words.push_str(&format!("\n{name:14} {value}"));
            }
        }
        words
    });
    Ok(())
}
