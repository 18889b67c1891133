//! Devices: every row carries our MAC and is what the log says of it, and the log's every device
//! has its row.

use std::collections::HashMap;

use strongroom_ledger::leaf::{DeviceChange, DeviceCore, Kind};
use strongroom_sql::Connection;
use strongroom_store::identity::{self, DeviceRow};
use strongroom_store::log::{self, FactRow};

use super::{integrity, stream};
use crate::keyring::Keyring;
use crate::rows::Authenticated;
use crate::{Result, hex};

/// What the log says of a device.
struct Logged {
    registered: (i64, DeviceCore),
    revoked: Option<(i64, i64)>,
}

/// Checks all of them.
pub fn devices(connection: &mut dyn Connection, keys: &Keyring) -> Result<()> {
    let mut logged = logged(connection)?;
    stream(
        |each| identity::each_device(connection, each),
        |row: DeviceRow| {
            let at = format!("device {}", hex::encode(&row.id));
            row.check(keys).map_err(|_| integrity(format!("{at}: its row was changed (MAC)")))?;
            match logged.remove(&row.id) {
                Some(logged) if logged.says(&row) => Ok(()),
                Some(_) => Err(integrity(format!("{at}: its row is not what the log says"))),
                None => Err(integrity(format!("{at}: the log knows nothing of it"))),
            }
        },
    )?;
    match logged.keys().min() {
        Some(id) => Err(integrity(format!("device {}: its row is missing", hex::encode(id)))),
        None => Ok(()),
    }
}

fn logged(connection: &mut dyn Connection) -> Result<HashMap<[u8; 16], Logged>> {
    let mut devices: HashMap<[u8; 16], Logged> = HashMap::new();
    stream(
        |each| log::each_fact(connection, each),
        |fact: FactRow| {
            if fact.core.first().copied().and_then(Kind::of_core) != Some(Kind::Device) {
                return Ok(());
            }
            let bad = || integrity(format!("leaf {}: it is no device's", fact.position));
            let core = DeviceCore::decode(&fact.core).map_err(|_| bad())?;
            match (core.change, devices.get_mut(&core.device.0)) {
                (DeviceChange::Registered, None) => {
                    devices.insert(core.device.0, Logged { registered: (fact.position, core), revoked: None });
                }
                (DeviceChange::Revoked, Some(device)) if device.revoked.is_none() => {
                    device.revoked = Some((fact.position, core.time_us));
                }
                _ => return Err(bad()),
            }
            Ok(())
        },
    )?;
    Ok(devices)
}

impl Logged {
    fn says(&self, row: &DeviceRow) -> bool {
        let (position, core) = &self.registered;
        let registered = (*position, core.person.0, core.public_key.as_slice(), core.time_us);
        registered == (row.leaf, row.person, row.public_key.as_slice(), row.created_us)
            && self.revoked == row.revoked_leaf.zip(row.revoked_us)
    }
}
