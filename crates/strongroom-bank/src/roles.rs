//! Roles that a bank has made beside the built-in ones. They are rows that carry a MAC, and change only by
//! requests that a second person approves.

use strongroom_identity::role::{self, Permission, Permissions, Role};
use strongroom_store::Connection;
use strongroom_store::roles::{self as store, RoleRow};

use crate::keyring::Keyring;
use crate::rows::Authenticated;
use crate::sessions::{self, Caller};
use crate::tx::Tx;
use crate::{Bank, Error, Result, clock};

impl Bank {
    /// The built-in roles, then the bank's own by name. For staff.
    pub async fn roles(&self, caller: &Caller) -> Result<Vec<Role>> {
        let (keys, caller, now_us) = (self.keys.clone(), caller.clone(), clock::now_us());
        self.read(move |c| {
            let seen = sessions::see(c, &keys, &caller, now_us)?;
            if !seen.permissions.is_staff() {
                return Err(Error::forbidden("forbidden", "Your role does not allow this."));
            }
            let own = store::all(c)?;
            Ok(role::built_in().chain(own.iter().filter(|row| row.check(&keys).is_ok()).map(view)).collect())
        })
        .await
    }
}

/// What role names allow now. A role whose row was written by SQL is an error.
pub(crate) fn permissions(connection: &mut dyn Connection, keys: &Keyring, roles: &str) -> Result<Permissions> {
    let mut permissions = Permissions::named(roles);
    for name in role::custom(roles) {
        if let Some(row) = store::by_name(connection, name)? {
            row.check(keys)?;
            permissions = permissions.and(&view(&row));
        }
    }
    Ok(permissions)
}

/// Whether a role of this name can be given to someone.
pub(crate) fn is_there(connection: &mut dyn Connection, keys: &Keyring, name: &str) -> Result<bool> {
    if role::exists(name) {
        return Ok(true);
    }
    Ok(store::by_name(connection, name)?.is_some_and(|row| row.check(keys).is_ok()))
}

/// Makes a role, or gives one other permissions.
pub(crate) fn define(tx: &mut Tx<'_>, id: strongroom_store::Id, role: &Role) -> Result<()> {
    let names: Vec<&str> = role.permissions.iter().map(|permission| permission.name()).collect();
    let mut row =
        RoleRow { id, name: role.name.clone(), is_staff: role.is_staff, permissions: names.join(" "), mac: [0; 36] };
    row.mac = row.expected(tx.keys);
    Ok(store::put(tx.connection, &row)?)
}

fn view(row: &RoleRow) -> Role {
    Role {
        name: row.name.clone(),
        is_staff: row.is_staff,
        permissions: row.permissions.split(' ').filter_map(Permission::from_name).collect(),
    }
}
