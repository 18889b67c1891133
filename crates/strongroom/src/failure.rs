//! How a verb ends when it does not end well: words on standard error, and an exit code that
//! programs read.

use std::process::ExitCode;

/// What an exit code means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// It failed.
    Failed = 1,
    /// It was asked wrongly.
    Usage = 2,
    /// It is not allowed.
    NotAllowed = 3,
    /// What it is about does not exist.
    NotFound = 4,
    /// Something did not verify.
    NotVerified = 5,
    /// It may work later.
    TryAgain = 75,
}

impl Exit {
    /// The code with this number.
    pub fn from_number(number: u8) -> Self {
        let all = [Exit::Usage, Exit::NotAllowed, Exit::NotFound, Exit::NotVerified, Exit::TryAgain];
        all.into_iter().find(|exit| *exit as u8 == number).unwrap_or(Exit::Failed)
    }
}

/// Why a verb did not do what it was asked, and what to do.
#[derive(Debug)]
pub struct Failure {
    /// The exit code.
    pub exit: Exit,
    /// What happened, why, and what to do.
    pub message: String,
}

/// The result of a verb.
pub type Outcome<T = ()> = Result<T, Failure>;

impl Failure {
    /// A failure of a kind.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Failure { exit, message: message.into() }
    }

    /// Tells the person, and gives the exit code.
    pub fn report(&self) -> ExitCode {
        eprintln!("strongroom: {}", self.message);
        ExitCode::from(self.exit as u8)
    }
}

impl From<strongroom_bank::Error> for Failure {
    fn from(error: strongroom_bank::Error) -> Self {
        use strongroom_bank::Error;
        let exit = match &error {
            Error::Malformed(_) | Error::Invalid(_) => Exit::Usage,
            Error::Unauthenticated | Error::BadCredentials | Error::Forbidden { .. } | Error::Erased(_) => {
                Exit::NotAllowed
            }
            Error::NotFound => Exit::NotFound,
            Error::Integrity(_) => Exit::NotVerified,
            Error::Busy => Exit::TryAgain,
            Error::Database(e) if e.kind == strongroom_sql::Kind::Malformed => Exit::Usage,
            _ => Exit::Failed,
        };
        let message = match &error {
            Error::Busy => "another strongroom is using this home; stop it first, or try again".to_owned(),
            other => other.to_string(),
        };
        Failure { exit, message }
    }
}

impl From<strongroom_client::Error> for Failure {
    fn from(error: strongroom_client::Error) -> Self {
        use strongroom_client::Error;
        let exit = match &error {
            Error::Url(_) | Error::Authority(_) => Exit::Usage,
            Error::Unreachable { .. } | Error::Lost { .. } => Exit::TryAgain,
            Error::Untrusted { .. } => Exit::NotVerified,
            Error::Refused { problem, .. } => match problem.status {
                400 => Exit::Usage,
                422 if problem.code == "invalid" => Exit::Usage,
                401 | 403 => Exit::NotAllowed,
                404 => Exit::NotFound,
                429 | 503 => Exit::TryAgain,
                _ => Exit::Failed,
            },
            Error::Answer(_) | Error::State(_) => Exit::Failed,
        };
        let mut message = error.to_string();
        if error.code() == Some("step_up_required") {
            message.push_str("; run `strongroom login` and try again");
        }
        if let Error::Refused { retry_after_s: Some(seconds), .. } = &error {
            message.push_str(&format!("; try again in {seconds} seconds"));
        }
        Failure { exit, message }
    }
}
