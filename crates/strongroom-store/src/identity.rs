//! People, factors, challenges, sessions, devices and enrolments. Rows that grant power carry a
//! MAC over their key and every field that matters; the bank checks it at each reading.

use crate::log::insert;
use crate::{Connection, Id, Mac, Result};
use strongroom_sql::{Row, SelectKeys, Value};

/// What a person may do, and how they are found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersonRow {
    /// Their id.
    pub id: Id,
    /// 1 active, 2 locked by staff, 3 closed, 4 erased.
    pub status: i64,
    /// Role names, separated by commas.
    pub roles: String,
    /// Whether they have a second factor: without one a password can enrol the first.
    pub has_factor: bool,
    /// Counts the changes of this row.
    pub version: i64,
    /// When they signed up.
    pub created_us: i64,
    /// Until when the law keeps their data from being erased.
    pub legal_hold_us: Option<i64>,
    /// When they proved that they read what is sent to their e-mail address.
    pub email_verified_us: Option<i64>,
    /// The same of their phone number.
    pub phone_verified_us: Option<i64>,
    /// HMAC over the fields above.
    pub mac: Mac,
    /// The password's hash, sealed with the person's id as context.
    pub password: Vec<u8>,
}

/// A person's own data, each field sealed under the person's key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProfileRow {
    /// Sealed username.
    pub username: Vec<u8>,
    /// Sealed full name.
    pub full_name: Option<Vec<u8>>,
    /// Sealed e-mail address.
    pub email: Option<Vec<u8>>,
    /// Sealed phone number.
    pub phone: Option<Vec<u8>>,
    /// Sealed national id.
    pub national_id: Option<Vec<u8>>,
    /// Sealed date of birth.
    pub date_of_birth: Option<Vec<u8>>,
    /// Sealed postal address.
    pub address: Option<Vec<u8>>,
}

/// Blind indexes by which a person is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersonIndexes {
    /// Of the username's normal form; unique.
    pub username: Id,
    /// Of the e-mail address's normal form.
    pub email: Option<Id>,
    /// Of the phone number's normal form.
    pub phone: Option<Id>,
    /// Of the national id's normal form.
    pub national_id: Option<Id>,
}

/// Adds a person.
pub fn insert_person(
    connection: &mut dyn Connection,
    person: &PersonRow,
    indexes: &PersonIndexes,
    profile: &ProfileRow,
) -> Result<()> {
    let row = [
        Value::Bytes(&person.id),
        Value::Bytes(&indexes.username),
        optional_id(indexes.email.as_ref()),
        optional_id(indexes.phone.as_ref()),
        optional_id(indexes.national_id.as_ref()),
        Value::Int(person.status),
        Value::Text(&person.roles),
        Value::Int(person.has_factor.into()),
        Value::Int(person.version),
        Value::Int(person.created_us),
        person.legal_hold_us.map_or(Value::Null, Value::Int),
        person.email_verified_us.map_or(Value::Null, Value::Int),
        person.phone_verified_us.map_or(Value::Null, Value::Int),
        Value::Bytes(&person.mac),
        Value::Bytes(&person.password),
        Value::Bytes(&profile.username),
        optional(profile.full_name.as_deref()),
        optional(profile.email.as_deref()),
        optional(profile.phone.as_deref()),
        optional(profile.national_id.as_deref()),
        optional(profile.date_of_birth.as_deref()),
        optional(profile.address.as_deref()),
    ];
    let columns = &[
        "id",
        "username_index",
        "email_index",
        "phone_index",
        "national_id_index",
        "status",
        "roles",
        "has_factor",
        "version",
        "created_us",
        "legal_hold_us",
        "email_verified_us",
        "phone_verified_us",
        "mac",
        "password",
        "username",
        "full_name",
        "email",
        "phone",
        "national_id",
        "date_of_birth",
        "address",
    ];
    insert(connection, "people", columns, &[row])
}

fn optional(bytes: Option<&[u8]>) -> Value<'_> {
    bytes.map_or(Value::Null, Value::Bytes)
}

fn optional_id(id: Option<&Id>) -> Value<'_> {
    id.map_or(Value::Null, |id| Value::Bytes(id))
}

const PERSON: &[&str] = &[
    "id",
    "status",
    "roles",
    "has_factor",
    "version",
    "created_us",
    "legal_hold_us",
    "email_verified_us",
    "phone_verified_us",
    "mac",
    "password",
];

/// Changes what a person may do.
pub fn update_person(connection: &mut dyn Connection, person: &PersonRow) -> Result<()> {
    connection.execute(
        "UPDATE people SET status = ?, roles = ?, has_factor = ?, version = ?, legal_hold_us = ?, email_verified_us = ?, \
         phone_verified_us = ?, mac = ? WHERE id = ?",
        &[
            Value::Int(person.status),
            Value::Text(&person.roles),
            Value::Int(person.has_factor.into()),
            Value::Int(person.version),
            person.legal_hold_us.map_or(Value::Null, Value::Int),
            person.email_verified_us.map_or(Value::Null, Value::Int),
            person.phone_verified_us.map_or(Value::Null, Value::Int),
            Value::Bytes(&person.mac),
            Value::Bytes(&person.id),
        ],
    )?;
    Ok(())
}

/// What changes of a person's data; what is none stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProfileChange {
    /// Sealed full name.
    pub full_name: Option<Vec<u8>>,
    /// Sealed e-mail address.
    pub email: Option<Vec<u8>>,
    /// Its blind index.
    pub email_index: Option<Id>,
    /// Sealed phone number.
    pub phone: Option<Vec<u8>>,
    /// Its blind index.
    pub phone_index: Option<Id>,
    /// Sealed postal address.
    pub address: Option<Vec<u8>>,
}

/// Changes a person's data.
pub fn change_profile(connection: &mut dyn Connection, person: &Id, change: &ProfileChange) -> Result<()> {
    let sql = "UPDATE people SET full_name = COALESCE(?, full_name), email = COALESCE(?, email), \
               email_index = COALESCE(?, email_index), phone = COALESCE(?, phone), \
               phone_index = COALESCE(?, phone_index), address = COALESCE(?, address) WHERE id = ?";
    let values = [
        optional(change.full_name.as_deref()),
        optional(change.email.as_deref()),
        optional_id(change.email_index.as_ref()),
        optional(change.phone.as_deref()),
        optional_id(change.phone_index.as_ref()),
        optional(change.address.as_deref()),
        Value::Bytes(person),
    ];
    connection.execute(sql, &values)?;
    Ok(())
}

/// Puts another hash of the same password in place. `false`: it has changed since it was read.
pub fn renew_password(connection: &mut dyn Connection, person: &Id, before: &[u8], sealed: &[u8]) -> Result<bool> {
    let sql = "UPDATE people SET password = ? WHERE id = ? AND password = ?";
    Ok(connection.execute(sql, &[Value::Bytes(sealed), Value::Bytes(person), Value::Bytes(before)])? == 1)
}

/// Takes away what a person told, how they are found and how they signed in. The username's index
/// must be something: a random one finds nobody.
pub fn blank_person(connection: &mut dyn Connection, person: &Id, nobody: &Id) -> Result<()> {
    let blank = "UPDATE people SET username_index = ?, email_index = NULL, phone_index = NULL, national_id_index = NULL, password = ?, username = ?, \
                 full_name = NULL, email = NULL, phone = NULL, national_id = NULL, date_of_birth = NULL, address = NULL WHERE id = ?";
    connection.execute(blank, &[Value::Bytes(nobody), Value::Bytes(&[]), Value::Bytes(&[]), Value::Bytes(person)])?;
    for sql in [
        "DELETE FROM factors WHERE person = ?",
        "DELETE FROM challenges WHERE person = ?",
        "DELETE FROM sessions WHERE person = ?",
        "DELETE FROM outbox WHERE person = ?",
    ] {
        connection.execute(sql, &[Value::Bytes(person)])?;
    }
    Ok(())
}

/// Everyone in a status.
pub fn with_status(connection: &mut dyn Connection, status: i64) -> Result<Vec<Id>> {
    let rows = connection.query("SELECT id FROM people WHERE status = ?", &[Value::Int(status)])?;
    rows.iter().map(|row| row.array::<16>(0)).collect()
}

/// People by id; missing ones are left out.
pub fn people(connection: &mut dyn Connection, ids: &[Id]) -> Result<Vec<PersonRow>> {
    select(connection, "people", PERSON, &["id"], ids, person_row)
}

/// A page of people, after one.
pub fn people_after(connection: &mut dyn Connection, after: &Id, limit: i64) -> Result<Vec<PersonRow>> {
    let sql = format!("SELECT {} FROM people WHERE id > ? ORDER BY id LIMIT ?", PERSON.join(", "));
    connection.query(&sql, &[Value::Bytes(after), Value::Int(limit)])?.iter().map(person_row).collect()
}

/// Everyone who is more than a customer.
pub fn staff(connection: &mut dyn Connection) -> Result<Vec<PersonRow>> {
    let sql = format!("SELECT {} FROM people WHERE roles <> 'customer' ORDER BY id", PERSON.join(", "));
    connection.query(&sql, &[])?.iter().map(person_row).collect()
}

/// The person with one of these blind indexes of their username.
pub fn person_by_username(connection: &mut dyn Connection, indexes: &[Id]) -> Result<Option<PersonRow>> {
    Ok(select(connection, "people", PERSON, &["username_index"], indexes, person_row)?.pop())
}

/// How a person is found, and the sealed values that it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Indexed {
    /// The person.
    pub id: Id,
    /// Their blind indexes.
    pub indexes: PersonIndexes,
    /// Sealed username; empty for who has been erased.
    pub username: Vec<u8>,
    /// Sealed e-mail address.
    pub email: Option<Vec<u8>>,
    /// Sealed phone number.
    pub phone: Option<Vec<u8>>,
    /// Sealed national id.
    pub national_id: Option<Vec<u8>>,
}

/// A page of people with their indexes, after a person.
pub fn indexed(connection: &mut dyn Connection, after: &Id, limit: i64) -> Result<Vec<Indexed>> {
    let sql = "SELECT id, username_index, email_index, phone_index, national_id_index, username, email, phone, national_id \
               FROM people WHERE id > ? ORDER BY id LIMIT ?";
    let rows = connection.query(sql, &[Value::Bytes(after), Value::Int(limit)])?;
    let read = |row: &Row| {
        Ok(Indexed {
            id: row.array::<16>(0)?,
            indexes: PersonIndexes {
                username: row.array::<16>(1)?,
                email: row.opt_array::<16>(2)?,
                phone: row.opt_array::<16>(3)?,
                national_id: row.opt_array::<16>(4)?,
            },
            username: row.bytes(5)?.to_vec(),
            email: row.opt_bytes(6)?.map(<[u8]>::to_vec),
            phone: row.opt_bytes(7)?.map(<[u8]>::to_vec),
            national_id: row.opt_bytes(8)?.map(<[u8]>::to_vec),
        })
    };
    rows.iter().map(read).collect()
}

/// Puts other indexes in place. `false`: they have changed since they were read.
pub fn set_indexes(connection: &mut dyn Connection, person: &Indexed, indexes: &PersonIndexes) -> Result<bool> {
    let changed = connection.execute(
        "UPDATE people SET username_index = ?, email_index = ?, phone_index = ?, national_id_index = ? \
         WHERE id = ? AND username_index = ?",
        &[
            Value::Bytes(&indexes.username),
            optional_id(indexes.email.as_ref()),
            optional_id(indexes.phone.as_ref()),
            optional_id(indexes.national_id.as_ref()),
            Value::Bytes(&person.id),
            Value::Bytes(&person.indexes.username),
        ],
    )?;
    Ok(changed == 1)
}

fn select<T>(
    connection: &mut dyn Connection,
    table: &'static str,
    columns: &'static [&'static str],
    key: &'static [&'static str],
    ids: &[Id],
    read: fn(&Row) -> Result<T>,
) -> Result<Vec<T>> {
    let keys: Vec<[Value<'_>; 1]> = ids.iter().map(|id| [Value::Bytes(id)]).collect();
    let keys: Vec<&[Value<'_>]> = keys.iter().map(|k| k.as_slice()).collect();
    connection.select_keys(&SelectKeys { columns, table, key, lock: false }, &keys)?.iter().map(read).collect()
}

fn person_row(row: &Row) -> Result<PersonRow> {
    Ok(PersonRow {
        id: row.array::<16>(0)?,
        status: row.int(1)?,
        roles: row.text(2)?.to_owned(),
        has_factor: row.int(3)? != 0,
        version: row.int(4)?,
        created_us: row.int(5)?,
        legal_hold_us: row.opt_int(6)?,
        email_verified_us: row.opt_int(7)?,
        phone_verified_us: row.opt_int(8)?,
        mac: row.array::<36>(9)?,
        password: row.bytes(10)?.to_vec(),
    })
}

/// All people, one by one.
pub fn each_person(connection: &mut dyn Connection, each: &mut dyn FnMut(PersonRow) -> Result<()>) -> Result<()> {
    let sql = format!("SELECT {} FROM people ORDER BY id", PERSON.join(", "));
    connection.query_each(&sql, &[], &mut |row| each(person_row(row)?))
}

/// All sessions, one by one.
pub fn each_session(connection: &mut dyn Connection, each: &mut dyn FnMut(SessionRow) -> Result<()>) -> Result<()> {
    let sql = format!("SELECT {} FROM sessions ORDER BY id", SESSION.join(", "));
    connection.query_each(&sql, &[], &mut |row| each(session_row(row)?))
}

/// A person's sealed data.
pub fn profile(connection: &mut dyn Connection, person: &Id) -> Result<Option<ProfileRow>> {
    let sql = "SELECT username, full_name, email, phone, national_id, date_of_birth, address FROM people WHERE id = ?";
    let rows = connection.query(sql, &[Value::Bytes(person)])?;
    let Some(row) = rows.first() else { return Ok(None) };
    let field = |i: usize| -> Result<Option<Vec<u8>>> { Ok(row.opt_bytes(i)?.map(<[u8]>::to_vec)) };
    Ok(Some(ProfileRow {
        username: row.bytes(0)?.to_vec(),
        full_name: field(1)?,
        email: field(2)?,
        phone: field(3)?,
        national_id: field(4)?,
        date_of_birth: field(5)?,
        address: field(6)?,
    }))
}

/// An invitation to enrol under a role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnrolmentRow {
    /// The first 16 bytes of the code's SHA-256.
    pub id: Id,
    /// The role it gives.
    pub role: String,
    /// When it ends.
    pub expires_us: i64,
    /// When it was taken.
    pub used_us: Option<i64>,
    /// HMAC over id, role and end.
    pub mac: Mac,
}

/// Adds an invitation.
pub fn insert_enrolment(connection: &mut dyn Connection, enrolment: &EnrolmentRow) -> Result<()> {
    let row = [
        Value::Bytes(&enrolment.id),
        Value::Text(&enrolment.role),
        Value::Int(enrolment.expires_us),
        enrolment.used_us.map_or(Value::Null, Value::Int),
        Value::Bytes(&enrolment.mac),
    ];
    insert(connection, "enrolments", &["id", "role", "expires_us", "used_us", "mac"], &[row])
}

/// An invitation by the hash of its code.
pub fn enrolment(connection: &mut dyn Connection, id: &Id) -> Result<Option<EnrolmentRow>> {
    let rows = connection
        .query("SELECT id, role, expires_us, used_us, mac FROM enrolments WHERE id = ?", &[Value::Bytes(id)])?;
    let Some(row) = rows.first() else { return Ok(None) };
    Ok(Some(EnrolmentRow {
        id: row.array::<16>(0)?,
        role: row.text(1)?.to_owned(),
        expires_us: row.int(2)?,
        used_us: row.opt_int(3)?,
        mac: row.array::<36>(4)?,
    }))
}

/// Marks an invitation as taken.
pub fn use_enrolment(connection: &mut dyn Connection, id: &Id, used_us: i64) -> Result<()> {
    connection.execute("UPDATE enrolments SET used_us = ? WHERE id = ?", &[Value::Int(used_us), Value::Bytes(id)])?;
    Ok(())
}

/// A half-finished sign-in or enrolment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChallengeRow {
    /// The first 16 bytes of the token's SHA-256.
    pub id: Id,
    /// Who gave the right password.
    pub person: Id,
    /// What it is good for, by number.
    pub purpose: i64,
    /// When it ends.
    pub expires_us: i64,
    /// Codes tried so far.
    pub tries: i64,
    /// Codes sent so far.
    pub sends: i64,
    /// What the answer is compared with, sealed for this row: a code that was sent, or the like.
    pub data: Option<Vec<u8>>,
    /// HMAC over id, person, purpose and end.
    pub mac: Mac,
}

/// Adds a challenge.
pub fn insert_challenge(connection: &mut dyn Connection, challenge: &ChallengeRow) -> Result<()> {
    let row = [
        Value::Bytes(&challenge.id),
        Value::Bytes(&challenge.person),
        Value::Int(challenge.purpose),
        Value::Int(challenge.expires_us),
        Value::Int(challenge.tries),
        Value::Int(challenge.sends),
        optional(challenge.data.as_deref()),
        Value::Bytes(&challenge.mac),
    ];
    insert(connection, "challenges", CHALLENGE, &[row])
}

const CHALLENGE: &[&str] = &["id", "person", "purpose", "expires_us", "tries", "sends", "data", "mac"];

/// A challenge by the hash of its token.
pub fn challenge(connection: &mut dyn Connection, id: &Id) -> Result<Option<ChallengeRow>> {
    let sql = format!("SELECT {} FROM challenges WHERE id = ?", CHALLENGE.join(", "));
    let rows = connection.query(&sql, &[Value::Bytes(id)])?;
    let Some(row) = rows.first() else { return Ok(None) };
    Ok(Some(ChallengeRow {
        id: row.array::<16>(0)?,
        person: row.array::<16>(1)?,
        purpose: row.int(2)?,
        expires_us: row.int(3)?,
        tries: row.int(4)?,
        sends: row.int(5)?,
        data: row.opt_bytes(6)?.map(<[u8]>::to_vec),
        mac: row.array::<36>(7)?,
    }))
}

/// Counts a try against a challenge.
pub fn count_try(connection: &mut dyn Connection, id: &Id, tries: i64) -> Result<()> {
    connection.execute("UPDATE challenges SET tries = ? WHERE id = ?", &[Value::Int(tries), Value::Bytes(id)])?;
    Ok(())
}

/// Removes a challenge that was met, and all that have ended.
pub fn end_challenge(connection: &mut dyn Connection, id: &Id, now_us: i64) -> Result<()> {
    connection
        .execute("DELETE FROM challenges WHERE id = ? OR expires_us < ?", &[Value::Bytes(id), Value::Int(now_us)])?;
    Ok(())
}

/// Removes all challenges of a person, and all that have ended.
pub fn end_challenges_of(connection: &mut dyn Connection, person: &Id, now_us: i64) -> Result<()> {
    let sql = "DELETE FROM challenges WHERE person = ? OR expires_us < ?";
    connection.execute(sql, &[Value::Bytes(person), Value::Int(now_us)])?;
    Ok(())
}

/// Removes a person's challenges of one purpose. `false`: there were none.
pub fn end_challenges_for(connection: &mut dyn Connection, person: &Id, purpose: i64) -> Result<bool> {
    let sql = "DELETE FROM challenges WHERE person = ? AND purpose = ?";
    Ok(connection.execute(sql, &[Value::Bytes(person), Value::Int(purpose)])? > 0)
}

/// Gives a challenge another end.
pub fn extend_challenge(connection: &mut dyn Connection, id: &Id, expires_us: i64, mac: &Mac) -> Result<()> {
    let sql = "UPDATE challenges SET expires_us = ?, mac = ? WHERE id = ?";
    connection.execute(sql, &[Value::Int(expires_us), Value::Bytes(mac), Value::Bytes(id)])?;
    Ok(())
}

/// Keeps what a challenge's answer is compared with, and how often a code was sent for it.
pub fn set_challenge_data(connection: &mut dyn Connection, id: &Id, sends: i64, data: &[u8]) -> Result<()> {
    let sql = "UPDATE challenges SET sends = ?, data = ? WHERE id = ?";
    connection.execute(sql, &[Value::Int(sends), Value::Bytes(data), Value::Bytes(id)])?;
    Ok(())
}

/// A signed-in person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRow {
    /// Its id.
    pub id: Id,
    /// Whose it is.
    pub person: Id,
    /// 1 API (refresh token), 2 browser (cookie).
    pub kind: i64,
    /// When it began.
    pub created_us: i64,
    /// When it was last used.
    pub seen_us: i64,
    /// When a factor was last given.
    pub factor_us: i64,
    /// When it ends at the latest.
    pub expires_us: i64,
    /// SHA-256 of the refresh token's or cookie's secret.
    pub secret_hash: [u8; 32],
    /// The one before, for a retry within seconds.
    pub previous_hash: Option<[u8; 32]>,
    /// When the secret was last changed.
    pub rotated_us: Option<i64>,
    /// The present secret, sealed, for the same retry.
    pub successor: Option<Vec<u8>>,
    /// When it was ended.
    pub ended_us: Option<i64>,
    /// HMAC over all fields above but `successor`.
    pub mac: Mac,
}

const SESSION: &[&str] = &[
    "id",
    "person",
    "kind",
    "created_us",
    "seen_us",
    "factor_us",
    "expires_us",
    "secret_hash",
    "previous_hash",
    "rotated_us",
    "successor",
    "ended_us",
    "mac",
];

/// Adds a session.
pub fn insert_session(connection: &mut dyn Connection, session: &SessionRow) -> Result<()> {
    let row = [
        Value::Bytes(&session.id),
        Value::Bytes(&session.person),
        Value::Int(session.kind),
        Value::Int(session.created_us),
        Value::Int(session.seen_us),
        Value::Int(session.factor_us),
        Value::Int(session.expires_us),
        Value::Bytes(&session.secret_hash),
        session.previous_hash.as_ref().map_or(Value::Null, |h| Value::Bytes(h)),
        session.rotated_us.map_or(Value::Null, Value::Int),
        optional(session.successor.as_deref()),
        session.ended_us.map_or(Value::Null, Value::Int),
        Value::Bytes(&session.mac),
    ];
    insert(connection, "sessions", SESSION, &[row])
}

/// Writes a session's changed fields.
pub fn update_session(connection: &mut dyn Connection, session: &SessionRow) -> Result<()> {
    connection.execute(
        "UPDATE sessions SET seen_us = ?, factor_us = ?, secret_hash = ?, previous_hash = ?, rotated_us = ?, successor = ?, ended_us = ?, mac = ? WHERE id = ?",
        &[
            Value::Int(session.seen_us),
            Value::Int(session.factor_us),
            Value::Bytes(&session.secret_hash),
            session.previous_hash.as_ref().map_or(Value::Null, |h| Value::Bytes(h)),
            session.rotated_us.map_or(Value::Null, Value::Int),
            optional(session.successor.as_deref()),
            session.ended_us.map_or(Value::Null, Value::Int),
            Value::Bytes(&session.mac),
            Value::Bytes(&session.id),
        ],
    )?;
    Ok(())
}

/// Sessions by id; missing ones are left out.
pub fn sessions(connection: &mut dyn Connection, ids: &[Id]) -> Result<Vec<SessionRow>> {
    select(connection, "sessions", SESSION, &["id"], ids, session_row)
}

/// A person's sessions that have not ended, newest first.
pub fn sessions_of(connection: &mut dyn Connection, person: &Id, now_us: i64) -> Result<Vec<SessionRow>> {
    let sql = format!(
        "SELECT {} FROM sessions WHERE person = ? AND ended_us IS NULL AND expires_us > ? ORDER BY id DESC",
        SESSION.join(", ")
    );
    connection.query(&sql, &[Value::Bytes(person), Value::Int(now_us)])?.iter().map(session_row).collect()
}

fn session_row(row: &Row) -> Result<SessionRow> {
    Ok(SessionRow {
        id: row.array::<16>(0)?,
        person: row.array::<16>(1)?,
        kind: row.int(2)?,
        created_us: row.int(3)?,
        seen_us: row.int(4)?,
        factor_us: row.int(5)?,
        expires_us: row.int(6)?,
        secret_hash: row.array::<32>(7)?,
        previous_hash: row.opt_array::<32>(8)?,
        rotated_us: row.opt_int(9)?,
        successor: row.opt_bytes(10)?.map(<[u8]>::to_vec),
        ended_us: row.opt_int(11)?,
        mac: row.array::<36>(12)?,
    })
}

/// A key that may sign a person's orders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceRow {
    /// Its id.
    pub id: Id,
    /// Whose it is.
    pub person: Id,
    /// Sealed name.
    pub name: Vec<u8>,
    /// The public key, with its algorithm.
    pub public_key: Vec<u8>,
    /// When it was registered.
    pub created_us: i64,
    /// When it was revoked.
    pub revoked_us: Option<i64>,
    /// The log leaf of its registration.
    pub leaf: i64,
    /// The log leaf of its revocation.
    pub revoked_leaf: Option<i64>,
    /// HMAC over all fields above but the name.
    pub mac: Mac,
}

const DEVICE: &[&str] =
    &["id", "person", "name", "public_key", "created_us", "revoked_us", "leaf", "revoked_leaf", "mac"];

/// Adds a device.
pub fn insert_device(connection: &mut dyn Connection, device: &DeviceRow) -> Result<()> {
    let row = [
        Value::Bytes(&device.id),
        Value::Bytes(&device.person),
        Value::Bytes(&device.name),
        Value::Bytes(&device.public_key),
        Value::Int(device.created_us),
        device.revoked_us.map_or(Value::Null, Value::Int),
        Value::Int(device.leaf),
        device.revoked_leaf.map_or(Value::Null, Value::Int),
        Value::Bytes(&device.mac),
    ];
    insert(connection, "devices", DEVICE, &[row])
}

/// Marks a device as revoked.
pub fn revoke_device(connection: &mut dyn Connection, device: &DeviceRow) -> Result<()> {
    connection.execute(
        "UPDATE devices SET revoked_us = ?, revoked_leaf = ?, mac = ? WHERE id = ?",
        &[
            device.revoked_us.map_or(Value::Null, Value::Int),
            device.revoked_leaf.map_or(Value::Null, Value::Int),
            Value::Bytes(&device.mac),
            Value::Bytes(&device.id),
        ],
    )?;
    Ok(())
}

/// Devices by id; missing ones are left out.
pub fn devices(connection: &mut dyn Connection, ids: &[Id]) -> Result<Vec<DeviceRow>> {
    select(connection, "devices", DEVICE, &["id"], ids, device_row)
}

/// All devices, one by one.
pub fn each_device(connection: &mut dyn Connection, each: &mut dyn FnMut(DeviceRow) -> Result<()>) -> Result<()> {
    let sql = format!("SELECT {} FROM devices ORDER BY id", DEVICE.join(", "));
    connection.query_each(&sql, &[], &mut |row| each(device_row(row)?))
}

/// A person's devices, oldest first.
pub fn devices_of(connection: &mut dyn Connection, person: &Id) -> Result<Vec<DeviceRow>> {
    let sql = format!("SELECT {} FROM devices WHERE person = ? ORDER BY id LIMIT 200", DEVICE.join(", "));
    connection.query(&sql, &[Value::Bytes(person)])?.iter().map(device_row).collect()
}

/// All of a person's devices that are not revoked.
pub fn live_devices_of(connection: &mut dyn Connection, person: &Id) -> Result<Vec<DeviceRow>> {
    let sql = format!("SELECT {} FROM devices WHERE person = ? AND revoked_us IS NULL ORDER BY id", DEVICE.join(", "));
    connection.query(&sql, &[Value::Bytes(person)])?.iter().map(device_row).collect()
}

fn device_row(row: &Row) -> Result<DeviceRow> {
    Ok(DeviceRow {
        id: row.array::<16>(0)?,
        person: row.array::<16>(1)?,
        name: row.bytes(2)?.to_vec(),
        public_key: row.bytes(3)?.to_vec(),
        created_us: row.int(4)?,
        revoked_us: row.opt_int(5)?,
        leaf: row.int(6)?,
        revoked_leaf: row.opt_int(7)?,
        mac: row.array::<36>(8)?,
    })
}
