//! Migrations: numbered, checksummed, recorded one statement at a time (MariaDB commits each DDL
//! statement by itself), so that a crash in the middle is continued at the next start.

use strongroom_crypto::digest::sha256;
use strongroom_sql::{Connection, Dialect, Result, Value};

/// The bank's tables, in the order in which they are made. Append only: a statement that has
/// been released is never edited, because its checksum is recorded in every bank.
const BANK: &[&str] = &[
    "CREATE TABLE meta (name {name} NOT NULL PRIMARY KEY, value {blob} NOT NULL)",
    "CREATE TABLE writer (id {int} NOT NULL PRIMARY KEY, epoch {int} NOT NULL, height {int} NOT NULL, batch {id} NOT NULL)",
    "CREATE TABLE people (id {id} NOT NULL PRIMARY KEY, username_index {id} NOT NULL UNIQUE, email_index {id}, phone_index {id}, national_id_index {id}, \
     status {int} NOT NULL, roles {name} NOT NULL, has_factor {int} NOT NULL, version {int} NOT NULL, created_us {int} NOT NULL, legal_hold_us {int}, \
     email_verified_us {int}, phone_verified_us {int}, \
     mac {mac} NOT NULL, password {blob} NOT NULL, username {blob} NOT NULL, full_name {blob}, email {blob}, phone {blob}, national_id {blob}, \
     date_of_birth {blob}, address {blob})",
    "CREATE INDEX people_status ON people (status)",
    "CREATE INDEX people_email ON people (email_index)",
    "CREATE INDEX people_phone ON people (phone_index)",
    "CREATE INDEX people_national_id ON people (national_id_index)",
    "CREATE TABLE enrolments (id {id} NOT NULL PRIMARY KEY, role {name} NOT NULL, expires_us {int} NOT NULL, used_us {int}, mac {mac} NOT NULL)",
    "CREATE TABLE factors (id {id} NOT NULL PRIMARY KEY, person {id} NOT NULL, kind {int} NOT NULL, secret {blob} NOT NULL, \
     name {blob}, confirmed_us {int}, last_step {int}, last_used_us {int}, created_us {int} NOT NULL, mac {mac} NOT NULL)",
    "CREATE INDEX factors_person ON factors (person)",
    "CREATE TABLE challenges (id {id} NOT NULL PRIMARY KEY, person {id} NOT NULL, purpose {int} NOT NULL, expires_us {int} NOT NULL, \
     tries {int} NOT NULL, sends {int} NOT NULL, data {blob}, mac {mac} NOT NULL)",
    "CREATE INDEX challenges_person ON challenges (person)",
    "CREATE TABLE sessions (id {id} NOT NULL PRIMARY KEY, person {id} NOT NULL, kind {int} NOT NULL, created_us {int} NOT NULL, \
     seen_us {int} NOT NULL, factor_us {int} NOT NULL, expires_us {int} NOT NULL, secret_hash {hash} NOT NULL, \
     previous_hash {hash}, rotated_us {int}, successor {blob}, ended_us {int}, mac {mac} NOT NULL)",
    "CREATE INDEX sessions_person ON sessions (person)",
    "CREATE TABLE devices (id {id} NOT NULL PRIMARY KEY, person {id} NOT NULL, name {blob} NOT NULL, public_key {key} NOT NULL, \
     created_us {int} NOT NULL, revoked_us {int}, leaf {int} NOT NULL, revoked_leaf {int}, mac {mac} NOT NULL)",
    "CREATE INDEX devices_person ON devices (person)",
    "CREATE TABLE accounts (id {id} NOT NULL PRIMARY KEY, owner {id}, kind {int} NOT NULL, currency {name} NOT NULL, \
     status {int} NOT NULL, floor {int}, order_limit {int}, created_us {int} NOT NULL, mac {mac} NOT NULL, number_index {id} NOT NULL UNIQUE, \
     number {blob} NOT NULL, name {blob} NOT NULL)",
    "CREATE INDEX accounts_owner ON accounts (owner)",
    "CREATE TABLE balances (account {id} NOT NULL PRIMARY KEY, balance {int} NOT NULL, held {int} NOT NULL, last_sequence {int} NOT NULL, mac {mac} NOT NULL){clustered}",
    "CREATE TABLE orders (person {id} NOT NULL, order_id {name} NOT NULL, body_hash {hash} NOT NULL, sequence {int} NOT NULL, refusal {name}, \
     time_us {int} NOT NULL, PRIMARY KEY (order_id, person)){clustered}",
    "CREATE TABLE transfers (sequence {int} NOT NULL PRIMARY KEY, id {id} NOT NULL UNIQUE, kind {int} NOT NULL, \
     from_account {id} NOT NULL, to_account {id} NOT NULL, amount {int} NOT NULL, currency {name} NOT NULL, time_us {int} NOT NULL, \
     person {id} NOT NULL, order_id {name} NOT NULL, order_hash {hash} NOT NULL, authority_kind {int} NOT NULL, authority {id} NOT NULL, \
     refers {id}, height {int} NOT NULL, core_salt {id} NOT NULL, payer_hash {hash} NOT NULL, payee_hash {hash} NOT NULL, \
     payer {blob}, payee {blob}, mac {mac} NOT NULL)",
    "CREATE TABLE entries (account {id} NOT NULL, sequence {int} NOT NULL, amount {int} NOT NULL, balance_after {int} NOT NULL, \
     PRIMARY KEY (account, sequence)){clustered}",
    "CREATE TABLE holds (id {id} NOT NULL PRIMARY KEY, sequence {int} NOT NULL UNIQUE, purpose {int} NOT NULL, from_account {id} NOT NULL, \
     to_account {id} NOT NULL, amount {int} NOT NULL, currency {name} NOT NULL, capturer {id} NOT NULL, until_us {int} NOT NULL, \
     time_us {int} NOT NULL, person {id} NOT NULL, order_id {name} NOT NULL, order_hash {hash} NOT NULL, device {id} NOT NULL, \
     core_salt {id} NOT NULL, payer_hash {hash} NOT NULL, payee_hash {hash} NOT NULL, state {int} NOT NULL, end_sequence {int}, \
     end_us {int}, end_amount {int}, end_person {id}, end_order {name}, end_kind {int}, end_authority {id}, end_hash {hash}, payer {blob}, payee {blob}, \
     mac {mac} NOT NULL)",
    "CREATE INDEX holds_end ON holds (end_sequence)",
    "CREATE INDEX holds_due ON holds (state, until_us)",
    "CREATE INDEX holds_from ON holds (from_account, state)",
    "CREATE TABLE reversals (original {id} NOT NULL PRIMARY KEY, reversal {id} NOT NULL)",
    "CREATE TABLE log_leaves (position {int} NOT NULL PRIMARY KEY, kind {int} NOT NULL, commitment {hash} NOT NULL)",
    "CREATE TABLE log_facts (position {int} NOT NULL PRIMARY KEY, subject {id} NOT NULL, salt {id} NOT NULL, core {blob} NOT NULL)",
    "CREATE TABLE log_tiles (level {int} NOT NULL, position {int} NOT NULL, hash {hash} NOT NULL, PRIMARY KEY (level, position)){clustered}",
    "CREATE TABLE blocks (height {int} NOT NULL PRIMARY KEY, previous {hash} NOT NULL, size {int} NOT NULL, time_us {int} NOT NULL, \
     note {blob} NOT NULL, hash {hash} NOT NULL)",
    "CREATE TABLE tries (id {id} NOT NULL PRIMARY KEY, count {int} NOT NULL, last_us {int} NOT NULL)",
    "CREATE INDEX tries_last ON tries (last_us)",
    "CREATE TABLE audit (position {int} NOT NULL PRIMARY KEY, id {id} NOT NULL UNIQUE, time_us {int} NOT NULL, event {name} NOT NULL, \
     person {id}, subject {id}, session {id}, detail_hash {hash} NOT NULL, detail {blob} NOT NULL, hash {hash} NOT NULL)",
    "CREATE TABLE outbox (id {id} NOT NULL PRIMARY KEY, person {id} NOT NULL, message {blob} NOT NULL, tries {int} NOT NULL, \
     due_us {int} NOT NULL, expires_us {int} NOT NULL)",
    "CREATE INDEX outbox_due ON outbox (due_us)",
    "CREATE INDEX outbox_person ON outbox (person)",
    "CREATE INDEX audit_person ON audit (person, position)",
    "CREATE TABLE roles (id {id} NOT NULL PRIMARY KEY, name {name} NOT NULL UNIQUE, is_staff {int} NOT NULL, permissions {blob} NOT NULL, mac {mac} NOT NULL)",
    "CREATE TABLE approvals (id {id} NOT NULL PRIMARY KEY, person {id} NOT NULL, request {blob} NOT NULL, created_us {int} NOT NULL, \
     expires_us {int} NOT NULL, status {int} NOT NULL, decided_by {id}, decided_us {int}, signature {blob}, mac {mac} NOT NULL)",
    "CREATE INDEX approvals_status ON approvals (status, id)",
    "CREATE TABLE bulks (id {id} NOT NULL PRIMARY KEY, person {id} NOT NULL, signed {blob} NOT NULL)",
    "CREATE INDEX bulks_person ON bulks (person, id)",
    "CREATE TABLE cosignatures (size {int} NOT NULL, witness {id} NOT NULL, note {blob} NOT NULL, line {blob} NOT NULL, \
     PRIMARY KEY (size, witness)){clustered}",
    "CREATE INDEX cosignatures_witness ON cosignatures (witness, size)",
];

/// The keyring's tables; they live in a database of their own.
const KEYRING: &[&str] = &[
    "CREATE TABLE meta (name {name} NOT NULL PRIMARY KEY, value {blob} NOT NULL)",
    "CREATE TABLE wrapped_keys (series {id} NOT NULL, version {int} NOT NULL, purpose {name} NOT NULL, algorithm {name} NOT NULL, \
     state {int} NOT NULL, created_us {int} NOT NULL, changed_us {int} NOT NULL, uses {int} NOT NULL, pending {int} NOT NULL, \
     wrapped {blob} NOT NULL, PRIMARY KEY (purpose, series, version)){clustered}",
    "CREATE INDEX wrapped_keys_pending ON wrapped_keys (pending, purpose, series)",
];

/// Brings the bank's database to the newest schema. Safe to run again after a crash.
pub fn migrate_bank(connection: &mut dyn Connection, now_us: i64) -> Result<()> {
    migrate(connection, BANK, now_us)
}

/// Brings the keyring's database to the newest schema.
pub fn migrate_keyring(connection: &mut dyn Connection, now_us: i64) -> Result<()> {
    migrate(connection, KEYRING, now_us)
}

/// All tables of the bank, for sweeps and for the tests that prepare every statement.
pub fn bank_tables() -> impl Iterator<Item = &'static str> {
    BANK.iter().filter_map(|s| s.strip_prefix("CREATE TABLE ")).filter_map(|s| s.split(' ').next())
}

fn migrate(connection: &mut dyn Connection, statements: &[&str], now_us: i64) -> Result<()> {
    let dialect = connection.dialect();
    let record = render(
        "CREATE TABLE IF NOT EXISTS migrations (number {int} NOT NULL PRIMARY KEY, checksum {hash} NOT NULL, applied_us {int} NOT NULL)",
        dialect,
    );
    connection.execute(&record, &[])?;
    let done = connection.query("SELECT number, checksum FROM migrations ORDER BY number", &[])?;
    for (number, statement) in statements.iter().enumerate() {
        let checksum = sha256(statement.as_bytes());
        match done.get(number) {
            Some(row) if row.array::<32>(1)? == checksum => continue,
            Some(_) => {
                return Err(strongroom_sql::Error::other(format!(
                    "migration {number} was recorded with another checksum: this database was made by a different program version; \
                     use the version that made it, or one that is newer"
                )));
            }
            None => apply(connection, dialect, number, statement, &checksum, now_us)?,
        }
    }
    Ok(())
}

/// Runs one statement and records it. A table that exists already was made just before a crash.
fn apply(
    connection: &mut dyn Connection,
    dialect: Dialect,
    number: usize,
    statement: &str,
    checksum: &[u8; 32],
    now_us: i64,
) -> Result<()> {
    let sql = render(statement, dialect).replacen("CREATE TABLE ", "CREATE TABLE IF NOT EXISTS ", 1).replacen(
        "CREATE INDEX ",
        "CREATE INDEX IF NOT EXISTS ",
        1,
    );
    connection.execute(&sql, &[])?;
    connection.execute(
        "INSERT INTO migrations (number, checksum, applied_us) VALUES (?, ?, ?)",
        &[Value::Int(number as i64), Value::Bytes(checksum), Value::Int(now_us)],
    )?;
    Ok(())
}

/// Fills the portable type names in.
fn render(statement: &str, dialect: Dialect) -> String {
    let clustered = if dialect == Dialect::Sqlite { " WITHOUT ROWID" } else { "" };
    statement
        .replace("{id}", &dialect.id())
        .replace("{hash}", &dialect.bytes(32))
        .replace("{mac}", &dialect.bytes(36))
        .replace("{key}", &dialect.bytes(128))
        .replace("{blob}", &dialect.blob())
        .replace("{int}", &dialect.int())
        .replace("{name}", &dialect.text(64))
        .replace("{clustered}", clustered)
}
