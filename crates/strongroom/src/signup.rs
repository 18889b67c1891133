//! `strongroom signup`: becoming a customer, or accepting an invitation.

use std::path::PathBuf;

use strongroom_api::{Enrolment, NewUser};

use crate::Global;
use crate::ask;
use crate::failure::Outcome;
use crate::remote::{Remote, data};

/// Who signs up. At least one of e-mail and phone is needed.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// 3 to 32 of a-z 0-9 . _ -
    #[arg(long)]
    username: Option<String>,
    /// A file with the password (- for standard input)
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// A file with the code of an invitation or of the first administrator
    #[arg(long, value_name = "FILE")]
    invitation_file: Option<PathBuf>,
    #[arg(long)]
    /// E-mail address
    email: Option<String>,
    /// Phone number with its country code
    #[arg(long)]
    phone: Option<String>,
    /// Full name
    #[arg(long, value_name = "NAME")]
    full_name: Option<String>,
    /// National id
    #[arg(long, value_name = "ID")]
    national_id: Option<String>,
    /// As YYYY-MM-DD
    #[arg(long, value_name = "DATE")]
    date_of_birth: Option<String>,
    /// Postal address
    #[arg(long)]
    address: Option<String>,
}

/// Signs up.
pub async fn run(global: &Global, args: Args) -> Outcome {
    let Args {
        username,
        password_file,
        invitation_file,
        mut email,
        phone,
        full_name,
        national_id,
        date_of_birth,
        address,
    } = args;
    let remote = Remote::open(global).await?;
    let username = ask::given_or_line(global, username, "--username NAME", "User name")?;
    if email.is_none() && phone.is_none() && invitation_file.is_none() {
        email = Some(ask::given_or_line(global, None, "--email ADDRESS or --phone NUMBER", "E-mail address")?);
    }
    let invitation =
        invitation_file.map(|file| ask::secret(global, Some(&file), "--invitation-file", "")).transpose()?;
    let password = ask::new_secret(global, password_file.as_deref(), "--password-file", "Password")?.to_string();
    let created = match invitation {
        None => {
            let user = NewUser { username, password, full_name, email, phone, national_id, date_of_birth, address };
            remote.client.sign_up(&user).await?
        }
        Some(code) => {
            let code = code.to_string();
            let user =
                Enrolment { code, username, password, full_name, email, phone, national_id, date_of_birth, address };
            remote.client.enrol(&user).await?
        }
    };
    global.print(&data(&created), || format!("{} is signed up ({})", created.username, created.id));
    eprintln!("Sign in with `strongroom login`; it sets up your authenticator app.");
    Ok(())
}
