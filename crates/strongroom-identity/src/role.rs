//! Roles and what they allow. Permissions are data: one table, asked in one place.

/// Something that a role may allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Permission {
    /// Open accounts of one's own.
    AccountsOpen,
    /// Order transfers from one's own accounts.
    TransfersCreate,
    /// Pay cash into customers' accounts.
    CashDeposit,
    /// Pay cash out of customers' accounts.
    CashWithdraw,
    /// Approve what others submitted.
    ApprovalsDecide,
    /// Invite staff.
    PeopleInvite,
    /// Lock and unlock people.
    PeopleLock,
    /// Work with keys.
    KeysUse,
    /// Read everything, masked.
    BooksRead,
}

use Permission::*;

/// The built-in roles.
const ROLES: &[(&str, bool, &[Permission])] = &[
    ("customer", false, &[AccountsOpen, TransfersCreate]),
    ("teller", true, &[CashDeposit, CashWithdraw]),
    ("manager", true, &[CashDeposit, CashWithdraw, ApprovalsDecide, PeopleLock]),
    ("admin", true, &[PeopleInvite, PeopleLock, KeysUse]),
    ("auditor", true, &[BooksRead]),
];

/// What someone's roles allow together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Permissions {
    allowed: Vec<Permission>,
    is_staff: bool,
}

impl Permissions {
    /// Of role names separated by commas. An unknown name allows nothing.
    pub fn named(roles: &str) -> Self {
        let mut permissions = Permissions::default();
        for (_, is_staff, allowed) in ROLES.iter().filter(|(name, ..)| roles.split(',').any(|r| r.trim() == *name)) {
            permissions.is_staff |= is_staff;
            permissions.allowed.extend_from_slice(allowed);
        }
        permissions
    }

    /// Whether it is allowed.
    pub fn allows(&self, permission: Permission) -> bool {
        self.allowed.contains(&permission)
    }

    /// Whether any of the roles is the bank's own staff.
    pub fn is_staff(&self) -> bool {
        self.is_staff
    }
}

/// Whether a role of this name exists.
pub fn exists(name: &str) -> bool {
    ROLES.iter().any(|(role, ..)| *role == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_allows_what_its_row_says() {
        let customer = Permissions::named("customer");
        assert!(customer.allows(TransfersCreate) && !customer.allows(CashDeposit) && !customer.is_staff());
        let teller = Permissions::named("teller");
        assert!(teller.allows(CashDeposit) && !teller.allows(TransfersCreate) && teller.is_staff());
        let both = Permissions::named("customer,teller");
        assert!(both.allows(TransfersCreate) && both.allows(CashDeposit) && both.is_staff());
        for nothing in ["", "root", "Customer", "tellers"] {
            assert_eq!(Permissions::named(nothing), Permissions::default());
        }
        assert!(!Permissions::named("admin").allows(BooksRead));
    }
}
