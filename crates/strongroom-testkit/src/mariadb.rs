//! A MariaDB server in a temporary folder, gone when its owner is gone.

use crate::Authority;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;
use strongroom_sql::{Dialect, MariaDbUrl, Role, Tls, Url, quote};
use tempfile::TempDir;

/// A running MariaDB server: TLS, one user with a password, one database `bank`.
///
/// A shell watches over it and kills it as soon as this process lets go of the shell's standard
/// input: on drop, at the end of the tests, and also when the tests are killed.
pub struct MariaDb {
    guardian: Child,
    folder: PathBuf,
    port: u16,
    password: String,
}

/// Runs the server beside itself until standard input ends, then kills it and removes its folder.
const GUARDIAN: &str = r#"
folder="$1"; shift
"$@" </dev/null >"$folder/server.log" 2>&1 &
server=$!
read -r _
kill -9 "$server" 2>/dev/null
wait "$server" 2>/dev/null
rm -rf "$folder"
"#;

const USER: &str = "bank";
const READY_TRIES_MAX: u32 = 1_200;
const READY_PAUSE: Duration = Duration::from_millis(50);

impl MariaDb {
    /// The server that all tests of this process share.
    pub fn shared() -> &'static MariaDb {
        static SHARED: OnceLock<MariaDb> = OnceLock::new();
        SHARED.get_or_init(MariaDb::start)
    }

    /// Starts a server with durable settings.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts a server with further options, as in `--innodb-flush-log-at-trx-commit=2`.
    pub fn start_with(options: &[&str]) -> Self {
        let folder = TempDir::with_prefix("strongroom-mariadb-").expect("a temporary folder can be made").keep();
        let password = random_hex();
        install(&folder);
        write_certificates(&folder);
        write_first_statements(&folder, &password);
        let port = free_port();
        let guardian = spawn(&folder, port, options);
        let server = MariaDb { guardian, folder, port, password };
        server.wait_until_ready();
        server.create_database("bank");
        server
    }

    /// The database `bank`, over loopback without TLS.
    pub fn url(&self) -> Url {
        self.database("bank", Tls::Off)
    }

    /// The database `bank` over TLS, the server's certificate verified.
    pub fn tls_url(&self) -> Url {
        self.database("bank", Tls::Verified(self.ca_file()))
    }

    /// The user's password.
    pub fn password(&self) -> &str {
        &self.password
    }

    /// The authority that issued the server's certificate.
    pub fn ca_file(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    /// Where the server keeps its files.
    pub fn data_dir(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Makes an empty database; one of that name is thrown away first.
    pub fn create_database(&self, name: &str) -> Url {
        let mut connection =
            strongroom_sql::open(&self.database("mysql", Tls::Off), Some(&self.password), Role::Writer)
                .expect("the test server accepts its user");
        let sql = format!("CREATE OR REPLACE DATABASE {}", quote(name, Dialect::MariaDb));
        connection.execute(&sql, &[]).expect("the test server makes a database");
        self.database(name, Tls::Off)
    }

    fn database(&self, name: &str, tls: Tls) -> Url {
        Url::MariaDb(MariaDbUrl {
            user: USER.to_owned(),
            host: "127.0.0.1".to_owned(),
            port: self.port,
            database: name.to_owned(),
            tls,
        })
    }

    fn wait_until_ready(&self) {
        let url = self.database("mysql", Tls::Off);
        for _ in 0..READY_TRIES_MAX {
            if strongroom_sql::open(&url, Some(&self.password), Role::Reader).is_ok() {
                return;
            }
            std::thread::sleep(READY_PAUSE);
        }
        let log = std::fs::read_to_string(self.folder.join("server.log")).unwrap_or_default();
        panic!("mariadbd did not become ready within a minute; its log:\n{log}");
    }
}

impl Drop for MariaDb {
    fn drop(&mut self) {
        drop(self.guardian.stdin.take());
        let _ = self.guardian.wait();
    }
}

/// Makes the system tables.
fn install(folder: &Path) {
    let mut command = Command::new(program("mariadb-install-db"));
    command.arg("--no-defaults").arg(format!("--datadir={}", folder.join("data").display())).args([
        "--auth-root-authentication-method=normal",
        "--skip-test-db",
        "--skip-name-resolve",
    ]);
    if is_root(folder) {
        command.arg("--user=root");
    }
    let output = command.output().expect("mariadb-install-db can be run");
    assert!(
        output.status.success(),
        "mariadb-install-db failed:\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

fn write_certificates(folder: &Path) {
    let authority = Authority::new("Strongroom test authority");
    let server = authority.issue(&["localhost", "127.0.0.1"]);
    authority.write(&folder.join("ca.pem"));
    std::fs::write(folder.join("server.pem"), server.certificate_pem).expect("the certificate can be written");
    std::fs::write(folder.join("server-key.pem"), server.key_pem).expect("the key can be written");
}

/// What the server runs before it listens.
fn write_first_statements(folder: &Path, password: &str) {
    let sql = format!(
        "CREATE USER '{USER}'@'%' IDENTIFIED BY '{password}';\n\
         GRANT ALL PRIVILEGES ON *.* TO '{USER}'@'%';\n"
    );
    std::fs::write(folder.join("first.sql"), sql).expect("the first statements can be written");
}

fn spawn(folder: &Path, port: u16, options: &[&str]) -> Child {
    let option = |name: &str, file: &str| format!("--{name}={}", folder.join(file).display());
    let mut command = Command::new("sh");
    command.args(["-c", GUARDIAN, "guardian"]).arg(folder).arg(program("mariadbd"));
    command.args(["--no-defaults", "--bind-address=127.0.0.1", "--skip-name-resolve", "--skip-log-bin"]);
    command.args(["--innodb-flush-log-at-trx-commit=1", "--innodb-buffer-pool-size=128M", "--performance-schema=off"]);
    command.args(["--innodb-log-file-size=128M", "--max-connections=500", "--character-set-server=utf8mb4"]);
    command.arg(format!("--port={port}"));
    command.args([
        option("datadir", "data"),
        option("socket", "s"),
        option("pid-file", "pid"),
        option("init-file", "first.sql"),
        option("ssl-ca", "ca.pem"),
        option("ssl-cert", "server.pem"),
        option("ssl-key", "server-key.pem"),
    ]);
    if is_root(folder) {
        command.arg("--user=root");
    }
    command.args(options).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    // its own process group: Ctrl-C on the tests must not kill the guardian before it cleans up
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    command.spawn().expect("a shell can be run")
}

/// Finds a server program, which Debian keeps outside an ordinary user's PATH.
fn program(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin"].map(PathBuf::from))
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
        .unwrap_or_else(|| {
            panic!("{name} is not installed; run `cargo xtask test`, or on Debian `apt-get install mariadb-server`")
        })
}

fn is_root(own_folder: &Path) -> bool {
    let folder = std::fs::metadata(own_folder).expect("the temporary folder is there");
    std::os::unix::fs::MetadataExt::uid(&folder) == 0
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    listener.local_addr().expect("a bound socket has an address").port()
}

fn random_hex() -> String {
    let mut bytes = [0; 16];
    let mut source = std::fs::File::open("/dev/urandom").expect("the system has randomness");
    std::io::Read::read_exact(&mut source, &mut bytes).expect("randomness does not end");
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
