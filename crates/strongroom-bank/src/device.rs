//! Devices: keys that sign their owner's orders. Registering and revoking one is a leaf of the log.

use strongroom_crypto::random;
use strongroom_crypto::sign::PublicKey;
use strongroom_identity::credential;
use strongroom_ledger::id::{DeviceId, PersonId};
use strongroom_ledger::leaf::{self, DeviceChange, DeviceCore};
use strongroom_store::Id;
use strongroom_store::identity::{self, DeviceRow};

use crate::audit::Event;
use crate::keyring::column;
use crate::rows::Authenticated;
use crate::sessions::{self, Caller};
use crate::tx::Tx;
use crate::{Bank, Error, Result, clock, factor};

/// A device as its owner sees it.
#[derive(Clone, Debug)]
pub struct DeviceView {
    /// Its id: the `kid` of its signatures.
    pub id: DeviceId,
    /// The name its owner gave it.
    pub name: String,
    /// Its key.
    pub public_key: PublicKey,
    /// When it was registered.
    pub created_us: i64,
    /// When it was revoked.
    pub revoked_us: Option<i64>,
    /// The log position of its registration.
    pub leaf: i64,
}

/// Devices of one person that may sign at a time.
const DEVICES_MAX: usize = 50;

impl Bank {
    /// Registers a key of the caller's.
    pub async fn add_device(&self, caller: &Caller, name: &str, key: &PublicKey) -> Result<DeviceId> {
        let name = name.trim().to_owned();
        credential::check_label(&name, "Give the device a name of 1 to 64 plain characters.")?;
        let id = DeviceId::from_time(clock::now_us(), random::bytes());
        let salt: Id = random::bytes();
        let public_key = key.to_bytes();
        let sealed = self.keys.seal(Some(&caller.person), column::DEVICE_NAME, &id.0, name.as_bytes())?;
        let caller = caller.clone();
        self.change(move |tx| {
            let seen = sessions::see(tx.connection, tx.keys, &caller, tx.now_us)?;
            factor::step_up(seen.session.factor_us, tx.now_us)?;
            if identity::live_devices_of(tx.connection, &caller.person)?.len() >= DEVICES_MAX {
                let detail = format!("You have {DEVICES_MAX} devices: revoke one that you do not use first.");
                return Err(Error::Conflict { code: "too_many_devices", detail });
            }
            // Nothing below this line may fail.
            register(tx, id, PersonId(caller.person), &sealed, &public_key, salt)?;
            tx.audit(Event::by(&caller, "device.added").on(id.0))?;
            tx.notify(&caller.person, "A signing key was added", "A key that can sign transfers in your name was added at the bank just now. If it was not you, revoke it under Devices and tell the bank at once.")?;
            Ok(id)
        })
        .await
    }

    /// The caller's devices, oldest first.
    pub async fn devices(&self, caller: &Caller) -> Result<Vec<DeviceView>> {
        let (keys, caller, now_us) = (self.keys.clone(), caller.clone(), clock::now_us());
        self.read(move |c| {
            sessions::see(c, &keys, &caller, now_us)?;
            let rows = identity::devices_of(c, &caller.person)?;
            rows.iter()
                .filter(|row| row.check(&keys).is_ok())
                .map(|row| {
                    Ok(DeviceView {
                        id: DeviceId(row.id),
                        name: keys.unseal_text(Some(&row.person), column::DEVICE_NAME, &row.id, &row.name)?,
                        public_key: PublicKey::from_bytes(&row.public_key)
                            .map_err(|e| Error::Integrity(e.to_string()))?,
                        created_us: row.created_us,
                        revoked_us: row.revoked_us,
                        leaf: row.leaf,
                    })
                })
                .collect()
        })
        .await
    }

    /// Revokes one of the caller's devices; it cannot sign from the moment this answers.
    pub async fn revoke_device(&self, caller: &Caller, device: DeviceId) -> Result<()> {
        let salt: Id = random::bytes();
        let caller = caller.clone();
        self.change(move |tx| {
            sessions::see(tx.connection, tx.keys, &caller, tx.now_us)?;
            let row = identity::devices(tx.connection, &[device.0])?.pop();
            let row = row.filter(|r| r.person == caller.person && r.revoked_us.is_none()).ok_or(Error::NotFound)?;
            row.check(tx.keys).map_err(|_| Error::NotFound)?;
            // Nothing below this line may fail.
            revoke(tx, row, PersonId(caller.person), salt)?;
            tx.audit(Event::by(&caller, "device.revoked").on(device.0))
        })
        .await
    }
}

/// Revokes a device: a leaf of the log, and its row.
pub(crate) fn revoke(tx: &mut Tx<'_>, mut row: DeviceRow, by: PersonId, salt: Id) -> Result<()> {
    let (device, person, public_key) = (DeviceId(row.id), PersonId(row.person), row.public_key.clone());
    row.revoked_leaf = Some(append(tx, device, person, by, DeviceChange::Revoked, &public_key, salt));
    row.revoked_us = Some(tx.now_us);
    row.mac = row.expected(tx.keys);
    Ok(identity::revoke_device(tx.connection, &row)?)
}

/// Writes a person's device and its leaf.
pub(crate) fn register(
    tx: &mut Tx<'_>,
    id: DeviceId,
    person: PersonId,
    name: &[u8],
    public_key: &[u8],
    salt: Id,
) -> Result<()> {
    let leaf = append(tx, id, person, person, DeviceChange::Registered, public_key, salt);
    let mut row = DeviceRow {
        id: id.0,
        person: person.0,
        name: name.to_vec(),
        public_key: public_key.to_vec(),
        created_us: tx.now_us,
        revoked_us: None,
        leaf,
        revoked_leaf: None,
        mac: [0; 36],
    };
    row.mac = row.expected(tx.keys);
    Ok(identity::insert_device(tx.connection, &row)?)
}

fn append(
    tx: &mut Tx<'_>,
    device: DeviceId,
    person: PersonId,
    by: PersonId,
    change: DeviceChange,
    public_key: &[u8],
    salt: Id,
) -> i64 {
    let core = DeviceCore { device, person, change, public_key: public_key.to_vec(), time_us: tx.now_us, by };
    tx.append_fact(leaf::Kind::Device, device.0, salt, core.encode())
}
