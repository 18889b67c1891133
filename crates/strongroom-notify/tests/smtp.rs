//! Mail through a real server on loopback: it arrives whole, and goes nowhere without the right TLS.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use strongroom_notify::{Mail, MailConfig, Message, NotSent};
use strongroom_testkit::Authority;
use tempfile::TempDir;

struct Server {
    process: Child,
    port: u16,
    folder: TempDir,
}

impl Server {
    fn start(mode: &str, authority: &Authority) -> Self {
        let folder = TempDir::new().expect("a folder can be made");
        let issued = authority.issue(&["127.0.0.1", "localhost"]);
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).expect("it can be written");
            path
        };
        let (certificate, key) = (file("server.pem", &issued.certificate_pem), file("server.key", &issued.key_pem));
        authority.write(&folder.path().join("ca.pem"));
        file("password", "a mail password\n");
        let python = std::env::var_os("STRONGROOM_TEST_PYTHON").unwrap_or_else(|| "python3".into());
        let mut command = Command::new(python);
        command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/smtpd.py")).arg(mode).args([&certificate, &key]);
        let mut process = command
            .arg(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python can be run: `cargo xtask test` finds one that has aiosmtpd");
        let mut line = String::new();
        BufReader::new(process.stdout.take().expect("it is piped")).read_line(&mut line).expect("it speaks");
        let port = line.trim().parse().unwrap_or_else(|_| panic!("the mail server did not start"));
        Server { process, port, folder }
    }

    fn mail(&self, via: &str, ca: Option<&Path>, password: &str) -> Mail {
        let via = via.replace("PORT", &self.port.to_string());
        let from = "Strongroom <bank@example.com>".into();
        let config = MailConfig { via, from, password_file: None, ca: ca.map(Path::to_owned) };
        Mail::new(&config, self.folder.path(), Some(password.to_owned())).expect("it can be set up")
    }

    fn ca(&self) -> std::path::PathBuf {
        self.folder.path().join("ca.pem")
    }

    fn kept(&self) -> Vec<String> {
        let files = std::fs::read_dir(self.folder.path()).expect("the folder is there");
        let mails = files
            .filter_map(|file| Some(file.ok()?.path()))
            .filter(|path| path.extension().is_some_and(|e| e == "eml"));
        mails
            .map(|path| String::from_utf8(std::fs::read(path).expect("it can be read")).expect("mail is text"))
            .collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn message() -> Message {
    Message {
        to: "Ana Núñez <ana@example.com>".into(),
        subject: "Su código".into(),
        text: "Tu código: 1234 5678\n\n.Una línea con punto\nñandú".into(),
    }
}

#[test]
fn checklist_14_a_mail_arrives_whole_over_either_kind_of_tls() {
    let authority = Authority::new("mail authority");
    for (mode, via) in [("starttls", "smtp://bank@127.0.0.1:PORT"), ("tls", "smtps://bank@127.0.0.1:PORT")] {
        let server = Server::start(mode, &authority);
        server
            .mail(via, Some(&server.ca()), "a mail password")
            .send(&message())
            .unwrap_or_else(|e| panic!("{mode}: {e}"));
        let kept = server.kept();
        assert_eq!(kept.len(), 1);
        assert!(kept[0].contains("ana@example.com") && kept[0].contains("bank@example.com"), "{}", kept[0]);
        assert!(kept[0].to_lowercase().contains("=?utf-8?b?y8ozzglnbw==?="), "{}", kept[0]);
        let says_it =
            kept[0].contains("quoted-printable") && kept[0].contains("1234 5678") || kept[0].contains("base64");
        assert!(says_it, "{}", kept[0]);
    }
}

#[test]
fn checklist_14_nothing_is_said_without_the_right_tls() {
    let (authority, other) = (Authority::new("mail authority"), Authority::new("another authority"));
    let server = Server::start("starttls", &authority);
    other.write(&server.folder.path().join("other.pem"));
    let via = "smtp://bank@127.0.0.1:PORT";
    let untrusted = server.mail(via, Some(&server.folder.path().join("other.pem")), "a mail password");
    assert!(matches!(untrusted.send(&message()), Err(NotSent::Later(_))), "another authority");
    assert!(matches!(server.mail(via, None, "a mail password").send(&message()), Err(NotSent::Later(_))), "the web's");
    assert!(server.mail(via, Some(&server.ca()), "another password").send(&message()).is_err(), "a wrong password");
    let bare = Server::start("bare", &authority);
    let refused = bare.mail("smtp://127.0.0.1:PORT", Some(&bare.ca()), "").send(&message());
    assert!(refused.is_err(), "a server without STARTTLS");
    assert!(server.kept().is_empty() && bare.kept().is_empty(), "no mail went out");
    bare.mail("smtp://127.0.0.1:PORT?tls=off", None, "")
        .send(&message())
        .expect("loopback may go without, when said so");
    assert_eq!(bare.kept().len(), 1);
}
