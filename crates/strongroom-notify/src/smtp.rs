//! Mail over SMTP (RFC 5321), always under TLS: from the start, or by STARTTLS before anything is said. Only
//! a server on loopback may go without, where the configuration says so.

use std::time::Duration;

use lettre::message::Mailbox;
use lettre::message::header::ContentType;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, CertificateStore, Tls, TlsParameters};
use lettre::{SmtpTransport, Transport};

use crate::{MailConfig, Message, NotSent, Unusable};

/// A mail server.
pub struct Smtp {
    transport: SmtpTransport,
    from: Mailbox,
}

const WAIT: Duration = Duration::from_secs(10);

/// `smtp[s]://[user@]host[:port][?tls=off]`
struct Address {
    is_tls_at_once: bool,
    is_bare: bool,
    user: Option<String>,
    host: String,
    port: u16,
}

impl Smtp {
    /// By a configuration.
    pub fn new(config: &MailConfig, password: Option<String>) -> Result<Self, Unusable> {
        let address = Address::parse(&config.via)?;
        let from = config.from.parse();
        let from = from.map_err(|_| Unusable("from is not a sender such as Bank <bank@example.com>".into()))?;
        let mut builder = SmtpTransport::builder_dangerous(&address.host)
            .port(address.port)
            .timeout(Some(WAIT))
            .tls(tls(&address, config)?);
        if let Some(user) = address.user {
            let missing = || Unusable("via names a user: give their password with password_file".into());
            builder = builder.credentials(Credentials::new(user, password.ok_or_else(missing)?));
        }
        Ok(Smtp { transport: builder.build(), from })
    }

    /// Hands a mail over.
    pub fn send(&self, message: &Message) -> Result<(), NotSent> {
        let mail = written(&self.from, message)?;
        match self.transport.send(&mail) {
            Ok(_) => Ok(()),
            // The server's words may repeat the address: its code is enough.
            Err(e) if e.is_permanent() => Err(NotSent::Never(code(&e))),
            Err(e) => Err(NotSent::Later(code(&e))),
        }
    }
}

fn code(error: &lettre::transport::smtp::Error) -> String {
    match error.status() {
        Some(code) => format!("the mail server answered {code}"),
        None if error.is_tls() => "the mail server's TLS or certificate was not accepted".into(),
        None if error.is_timeout() => "the mail server did not answer in time".into(),
        None => "the mail server could not be reached, or does not offer TLS".into(),
    }
}

/// A mail in plain text. Line breaks in its head are refused by their types.
pub fn written(from: &Mailbox, message: &Message) -> Result<lettre::Message, NotSent> {
    let never = |what: &str| NotSent::Never(what.to_owned());
    let to: Mailbox = message.to.parse().map_err(|_| never("the address is none"))?;
    if message.subject.chars().any(char::is_control) {
        return Err(never("the subject has a line break"));
    }
    lettre::Message::builder()
        .from(from.clone())
        .to(to)
        .subject(&message.subject)
        .header(ContentType::TEXT_PLAIN)
        .body(message.text.clone())
        .map_err(|_| never("it cannot be written as a mail"))
}

fn tls(address: &Address, config: &MailConfig) -> Result<Tls, Unusable> {
    if address.is_bare {
        return Ok(Tls::None);
    }
    let mut parameters = TlsParameters::builder(address.host.clone());
    if let Some(ca) = &config.ca {
        let unreadable = |e: &dyn std::fmt::Display| Unusable(format!("ca: {}: {e}", ca.display()));
        let pem = std::fs::read(ca).map_err(|e| unreadable(&e))?;
        let certificate = Certificate::from_pem(&pem).map_err(|e| unreadable(&e))?;
        parameters = parameters.certificate_store(CertificateStore::None).add_root_certificate(certificate);
    }
    let parameters = parameters.build().map_err(|e| Unusable(format!("TLS: {e}")))?;
    Ok(if address.is_tls_at_once { Tls::Wrapper(parameters) } else { Tls::Required(parameters) })
}

impl Address {
    fn parse(text: &str) -> Result<Self, Unusable> {
        let unusable = |what: &str| Unusable(what.to_owned());
        let (scheme, rest) = text.split_once("://").ok_or_else(|| unusable("via has no ://"))?;
        let (rest, option) = rest.split_once('?').map_or((rest, None), |(rest, option)| (rest, Some(option)));
        let (user, place) = rest.rsplit_once('@').map_or((None, rest), |(user, place)| (Some(user), place));
        if user.is_some_and(|user| user.contains(':')) {
            return Err(unusable(
                "a password does not belong in via: put it into a file and name that in password_file",
            ));
        }
        let is_tls_at_once = scheme == "smtps";
        let (host, port) = match place.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().map_err(|_| unusable("the port in via is not a number"))?),
            None => (place, if is_tls_at_once { 465 } else { 587 }),
        };
        let is_bare = match option {
            None => false,
            Some("tls=off") if !is_tls_at_once && matches!(host, "127.0.0.1" | "localhost" | "[::1]") => true,
            Some("tls=off") => return Err(unusable("only a mail server on loopback may go without TLS")),
            Some(_) => return Err(unusable("via has an option that is not known; there is tls=off")),
        };
        if host.is_empty() {
            return Err(unusable("via names no host"));
        }
        let user = user.filter(|user| !user.is_empty()).map(|user| user.replace("%40", "@"));
        Ok(Address { is_tls_at_once, is_bare, user, host: host.to_owned(), port })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let read = |text: &str| Address::parse(text).map(|a| (a.is_tls_at_once, a.is_bare, a.user, a.host, a.port));
        let user = Some("bank@example.com".to_owned());
        let parsed = read("smtps://bank%40example.com@mail.example.com").expect("it is one");
        assert_eq!(parsed, (true, false, user, "mail.example.com".into(), 465));
        assert_eq!(read("smtp://mail.example.com").expect("it is one").4, 587);
        assert!(read("smtp://127.0.0.1:2525?tls=off").expect("it is one").1);
        for (text, words) in [
            ("smtp://user:secret@host", "password_file"),
            ("smtp://mail.example.com?tls=off", "loopback"),
            ("smtps://127.0.0.1?tls=off", "loopback"),
            ("smtp://host:port", "number"),
            ("smtp://", "host"),
            ("smtp://host?tls=maybe", "tls=off"),
        ] {
            let error = Address::parse(text).err().expect(text).to_string();
            assert!(error.contains(words) && !error.contains("secret"), "{text}: {error}");
        }
    }

    #[test]
    fn a_line_break_never_makes_another_header() {
        let from: Mailbox = "Bank <bank@example.com>".parse().expect("it is one");
        let message = |to: &str, subject: &str| Message { to: to.into(), subject: subject.into(), text: "x".into() };
        assert!(written(&from, &message("a@example.com", "Hello\r\nBcc: b@example.com")).is_err());
        assert!(written(&from, &message("a@example.com\r\nBcc: b@example.com", "Hello")).is_err());
        let mail = written(&from, &message("a@example.com", "Señal")).expect("it is one");
        assert!(String::from_utf8_lossy(&mail.formatted()).contains("=?utf-8?b?"));
    }
}
