//! Authentication of rows: each row that grants power or holds money carries an HMAC over its key
//! and fields, so that a cell or row copied by SQL is refused and logged.

use strongroom_crypto::mac::MacKey;
use strongroom_store::Mac;
use strongroom_store::accounts::{AccountRow, BalanceRow};
use strongroom_store::approvals::ApprovalRow;
use strongroom_store::factors::FactorRow;
use strongroom_store::holds::HoldRow;
use strongroom_store::identity::{ChallengeRow, DeviceRow, EnrolmentRow, PersonRow, SessionRow};
use strongroom_store::money::TransferRow;
use strongroom_store::roles::RoleRow;

use crate::keyring::Keyring;
use crate::{Error, Result};

/// A row with a MAC.
pub trait Authenticated {
    /// What the row is called in the log.
    const TABLE: &'static str;
    /// The key it is known by.
    fn id(&self) -> &[u8; 16];
    /// The MAC it carries.
    fn mac(&self) -> &Mac;
    /// The tag of its fields.
    fn tag(&self, key: &MacKey) -> [u8; 32];

    /// The MAC it should carry from now on.
    fn expected(&self, keys: &Keyring) -> Mac {
        keys.macs().write(|key| self.tag(key))
    }

    /// Accepts the row, or logs that it was tampered with.
    fn check(&self, keys: &Keyring) -> Result<()> {
        if keys.macs().check(self.mac(), |key| self.tag(key)) {
            return Ok(());
        }
        let id: String = self.id().iter().map(|b| format!("{b:02x}")).collect();
        tracing::error!(target: "strongroom::integrity", table = Self::TABLE, id, "a row does not carry this bank's MAC: it was copied or changed; refused");
        Err(Error::Integrity(format!("a row of {} was copied or changed", Self::TABLE)))
    }
}

/// An optional number as bytes that no other option gives.
fn optional(value: Option<i64>) -> [u8; 9] {
    let mut bytes = [0; 9];
    if let Some(value) = value {
        bytes[0] = 1;
        bytes[1..].copy_from_slice(&value.to_be_bytes());
    }
    bytes
}

impl Authenticated for PersonRow {
    const TABLE: &'static str = "people";
    fn id(&self) -> &[u8; 16] {
        &self.id
    }
    fn mac(&self) -> &Mac {
        &self.mac
    }
    fn tag(&self, key: &MacKey) -> [u8; 32] {
        let parts: [&[u8]; 9] = [
            &self.id,
            &self.status.to_be_bytes(),
            self.roles.as_bytes(),
            &[u8::from(self.has_factor)],
            &self.version.to_be_bytes(),
            &self.created_us.to_be_bytes(),
            &optional(self.legal_hold_us),
            &optional(self.email_verified_us),
            &optional(self.phone_verified_us),
        ];
        key.tag(Self::TABLE, &parts)
    }
}

impl Authenticated for FactorRow {
    const TABLE: &'static str = "factors";
    fn id(&self) -> &[u8; 16] {
        &self.id
    }
    fn mac(&self) -> &Mac {
        &self.mac
    }
    fn tag(&self, key: &MacKey) -> [u8; 32] {
        let parts: [&[u8]; 7] = [
            &self.id,
            &self.person,
            &self.kind.to_be_bytes(),
            &optional(self.confirmed_us),
            &optional(self.last_step),
            &optional(self.last_used_us),
            &self.created_us.to_be_bytes(),
        ];
        key.tag(Self::TABLE, &parts)
    }
}

impl Authenticated for RoleRow {
    const TABLE: &'static str = "roles";
    fn id(&self) -> &[u8; 16] {
        &self.id
    }
    fn mac(&self) -> &Mac {
        &self.mac
    }
    fn tag(&self, key: &MacKey) -> [u8; 32] {
        let parts: [&[u8]; 4] =
            [&self.id, self.name.as_bytes(), &[u8::from(self.is_staff)], self.permissions.as_bytes()];
        key.tag(Self::TABLE, &parts)
    }
}

impl Authenticated for ApprovalRow {
    const TABLE: &'static str = "approvals";
    fn id(&self) -> &[u8; 16] {
        &self.id
    }
    fn mac(&self) -> &Mac {
        &self.mac
    }
    fn tag(&self, key: &MacKey) -> [u8; 32] {
        let parts: [&[u8]; 9] = [
            &self.id,
            &self.person,
            &self.request,
            &self.created_us.to_be_bytes(),
            &self.expires_us.to_be_bytes(),
            &self.status.to_be_bytes(),
            self.decided_by.as_ref().map_or(&[], |id| id.as_slice()),
            &optional(self.decided_us),
            self.signature.as_deref().unwrap_or_default(),
        ];
        key.tag(Self::TABLE, &parts)
    }
}

impl Authenticated for EnrolmentRow {
    const TABLE: &'static str = "enrolments";
    fn id(&self) -> &[u8; 16] {
        &self.id
    }
    fn mac(&self) -> &Mac {
        &self.mac
    }
    fn tag(&self, key: &MacKey) -> [u8; 32] {
        key.tag(Self::TABLE, &[&self.id, self.role.as_bytes(), &self.expires_us.to_be_bytes()])
    }
}

impl Authenticated for ChallengeRow {
    const TABLE: &'static str = "challenges";
    fn id(&self) -> &[u8; 16] {
        &self.id
    }
    fn mac(&self) -> &Mac {
        &self.mac
    }
    fn tag(&self, key: &MacKey) -> [u8; 32] {
        let parts: [&[u8]; 4] = [&self.id, &self.person, &self.purpose.to_be_bytes(), &self.expires_us.to_be_bytes()];
        key.tag(Self::TABLE, &parts)
    }
}

impl Authenticated for SessionRow {
    const TABLE: &'static str = "sessions";
    fn id(&self) -> &[u8; 16] {
        &self.id
    }
    fn mac(&self) -> &Mac {
        &self.mac
    }
    fn tag(&self, key: &MacKey) -> [u8; 32] {
        let parts: [&[u8]; 11] = [
            &self.id,
            &self.person,
            &self.kind.to_be_bytes(),
            &self.created_us.to_be_bytes(),
            &self.seen_us.to_be_bytes(),
            &self.factor_us.to_be_bytes(),
            &self.expires_us.to_be_bytes(),
            &self.secret_hash,
            self.previous_hash.as_ref().map_or(&[], |h| h.as_slice()),
            &optional(self.rotated_us),
            &optional(self.ended_us),
        ];
        key.tag(Self::TABLE, &parts)
    }
}

impl Authenticated for DeviceRow {
    const TABLE: &'static str = "devices";
    fn id(&self) -> &[u8; 16] {
        &self.id
    }
    fn mac(&self) -> &Mac {
        &self.mac
    }
    fn tag(&self, key: &MacKey) -> [u8; 32] {
        let parts: [&[u8]; 7] = [
            &self.id,
            &self.person,
            &self.public_key,
            &self.created_us.to_be_bytes(),
            &optional(self.revoked_us),
            &self.leaf.to_be_bytes(),
            &optional(self.revoked_leaf),
        ];
        key.tag(Self::TABLE, &parts)
    }
}

impl Authenticated for AccountRow {
    const TABLE: &'static str = "accounts";
    fn id(&self) -> &[u8; 16] {
        &self.id
    }
    fn mac(&self) -> &Mac {
        &self.mac
    }
    fn tag(&self, key: &MacKey) -> [u8; 32] {
        let parts: [&[u8]; 9] = [
            &self.id,
            self.owner.as_ref().map_or(&[], |o| o.as_slice()),
            &self.kind.to_be_bytes(),
            self.currency.as_bytes(),
            &self.status.to_be_bytes(),
            &optional(self.floor),
            &optional(self.order_limit),
            &self.created_us.to_be_bytes(),
            &self.number_index,
        ];
        key.tag(Self::TABLE, &parts)
    }
}

impl Authenticated for BalanceRow {
    const TABLE: &'static str = "balances";
    fn id(&self) -> &[u8; 16] {
        &self.account
    }
    fn mac(&self) -> &Mac {
        &self.mac
    }
    fn tag(&self, key: &MacKey) -> [u8; 32] {
        let parts: [&[u8]; 4] =
            [&self.account, &self.balance.to_be_bytes(), &self.held.to_be_bytes(), &self.last_sequence.to_be_bytes()];
        key.tag(Self::TABLE, &parts)
    }
}

impl Authenticated for TransferRow {
    const TABLE: &'static str = "transfers";
    fn id(&self) -> &[u8; 16] {
        &self.id
    }
    fn mac(&self) -> &Mac {
        &self.mac
    }
    fn tag(&self, key: &MacKey) -> [u8; 32] {
        let parts: [&[u8]; 18] = [
            &self.sequence.to_be_bytes(),
            &self.id,
            &self.kind.to_be_bytes(),
            &self.from,
            &self.to,
            &self.amount.to_be_bytes(),
            self.currency.as_bytes(),
            &self.time_us.to_be_bytes(),
            &self.person,
            self.order_id.as_bytes(),
            &self.order_hash,
            &self.authority_kind.to_be_bytes(),
            &self.authority,
            self.refers.as_ref().map_or(&[], |r| r.as_slice()),
            &self.height.to_be_bytes(),
            &self.core_salt,
            &self.payer_hash,
            &self.payee_hash,
        ];
        key.tag(Self::TABLE, &parts)
    }
}

impl Authenticated for HoldRow {
    const TABLE: &'static str = "holds";
    fn id(&self) -> &[u8; 16] {
        &self.id
    }
    fn mac(&self) -> &Mac {
        &self.mac
    }
    fn tag(&self, key: &MacKey) -> [u8; 32] {
        let end = self.end.as_ref().map_or(Vec::new(), |end| {
            let parts: [&[u8]; 8] = [
                end.order_id.as_deref().unwrap_or_default().as_bytes(),
                &end.sequence.to_be_bytes(),
                &end.time_us.to_be_bytes(),
                &end.amount.to_be_bytes(),
                &end.person,
                &end.authority_kind.to_be_bytes(),
                &end.authority,
                &end.order_hash,
            ];
            parts.concat()
        });
        let parts: [&[u8]; 19] = [
            &self.id,
            &self.sequence.to_be_bytes(),
            &self.purpose.to_be_bytes(),
            &self.from,
            &self.to,
            &self.amount.to_be_bytes(),
            self.currency.as_bytes(),
            &self.capturer,
            &self.until_us.to_be_bytes(),
            &self.time_us.to_be_bytes(),
            &self.person,
            self.order_id.as_bytes(),
            &self.order_hash,
            &self.device,
            &self.core_salt,
            &self.payer_hash,
            &self.payee_hash,
            &self.state.to_be_bytes(),
            &end,
        ];
        key.tag(Self::TABLE, &parts)
    }
}
