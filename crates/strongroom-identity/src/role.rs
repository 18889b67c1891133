//! Roles and what they allow. Permissions are data: one table, asked in one place.

macro_rules! permissions {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        /// Something that a role may allow.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Permission { $($(#[$doc])* $name,)* }

        impl Permission {
            /// All of them.
            pub const ALL: &[Permission] = &[$(Permission::$name,)*];

            /// Its name, as roles and people write it.
            pub fn name(self) -> &'static str {
                match self { $(Permission::$name => $text,)* }
            }

            /// The permission of this name.
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|permission| permission.name() == name)
            }
        }
    };
}

permissions! {
    /// Open accounts of one's own.
    AccountsOpen = "accounts.open";
    /// Order transfers from one's own accounts.
    TransfersCreate = "transfers.create";
    /// Take postings of others back.
    TransfersReverse = "transfers.reverse";
    /// Freeze accounts, close them, and set their limits.
    AccountsChange = "accounts.change";
    /// Pay cash into customers' accounts.
    CashDeposit = "cash.deposit";
    /// Pay cash out of customers' accounts.
    CashWithdraw = "cash.withdraw";
    /// Approve what others submitted.
    ApprovalsDecide = "approvals.decide";
    /// Invite staff.
    PeopleInvite = "people.invite";
    /// Lock and unlock people.
    PeopleLock = "people.lock";
    /// See people, their identifiers masked.
    PeopleRead = "people.read";
    /// Have a masked identifier shown, for a reason that is kept.
    PeopleReveal = "people.reveal";
    /// Ask for changes of roles, and for service accounts.
    RolesChange = "roles.change";
    /// Ask for the destruction of keys.
    KeysUse = "keys.use";
    /// Read everything, masked.
    BooksRead = "books.read";
}

use Permission::*;

/// A role: a name and what it allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// Its name.
    pub name: String,
    /// Whether it is of the bank's own staff.
    pub is_staff: bool,
    /// What it allows.
    pub permissions: Vec<Permission>,
}

/// The built-in roles. A service account's own allows nothing: what it may do stands in another one.
const ROLES: &[(&str, bool, &[Permission])] = &[
    ("customer", false, &[AccountsOpen, TransfersCreate]),
    ("teller", true, &[CashDeposit, CashWithdraw, PeopleRead]),
    (
        "manager",
        true,
        &[
            CashDeposit,
            CashWithdraw,
            ApprovalsDecide,
            PeopleLock,
            PeopleRead,
            PeopleReveal,
            TransfersReverse,
            AccountsChange,
        ],
    ),
    ("admin", true, &[PeopleInvite, PeopleLock, RolesChange, KeysUse]),
    ("auditor", true, &[BooksRead]),
    (SERVICE, true, &[]),
];

/// The role of a service account.
pub const SERVICE: &str = "service";

/// Longest name of a role; a person's roles stand together in 64 characters.
const NAME_CHARS: std::ops::RangeInclusive<usize> = 3..=24;

/// The built-in roles, in the order in which they are shown.
pub fn built_in() -> impl Iterator<Item = Role> {
    ROLES.iter().map(|(name, is_staff, permissions)| Role {
        name: (*name).to_owned(),
        is_staff: *is_staff,
        permissions: permissions.to_vec(),
    })
}

/// Those names among a person's roles that are not built in.
pub fn custom(roles: &str) -> impl Iterator<Item = &str> {
    roles.split(',').map(str::trim).filter(|name| !name.is_empty() && !exists(name))
}

/// Whether a role may be called so: lower-case letters, digits and hyphens, and not like a built-in one.
pub fn may_be_named(name: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    NAME_CHARS.contains(&name.len()) && name.chars().all(is_plain) && !exists(name)
}

/// What someone's roles allow together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Permissions {
    allowed: Vec<Permission>,
    is_staff: bool,
}

impl Permissions {
    /// Of built-in role names separated by commas. An unknown name allows nothing.
    pub fn named(roles: &str) -> Self {
        let mut permissions = Permissions::default();
        for (_, is_staff, allowed) in ROLES.iter().filter(|(name, ..)| roles.split(',').any(|r| r.trim() == *name)) {
            permissions.is_staff |= is_staff;
            permissions.allowed.extend_from_slice(allowed);
        }
        permissions
    }

    /// With another role beside them.
    pub fn and(mut self, role: &Role) -> Self {
        self.is_staff |= role.is_staff;
        self.allowed.extend_from_slice(&role.permissions);
        self
    }

    /// Without what only people may do.
    pub fn for_a_program(mut self) -> Self {
        const FOR_PEOPLE: [Permission; 6] =
            [ApprovalsDecide, PeopleInvite, PeopleLock, PeopleReveal, RolesChange, KeysUse];
        self.allowed.retain(|permission| !FOR_PEOPLE.contains(permission));
        self
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

/// Whether a built-in role of this name exists.
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
        let admin_reads = [PeopleRead, PeopleReveal, BooksRead].iter().any(|p| Permissions::named("admin").allows(*p));
        assert!(!admin_reads, "an administrator cannot read customers' data");
        for permission in Permission::ALL {
            assert_eq!(Permission::from_name(permission.name()), Some(*permission));
        }
        let clerk = Role { name: "clerk".into(), is_staff: true, permissions: vec![PeopleRead] };
        let both = Permissions::named("customer,clerk").and(&clerk);
        assert!(both.allows(PeopleRead) && both.allows(AccountsOpen) && both.is_staff());
        assert_eq!(custom("customer,clerk, helper").collect::<Vec<_>>(), ["clerk", "helper"]);
        for (name, may) in [
            ("clerk", true),
            ("night-shift-2", true),
            ("admin", false),
            ("Clerk", false),
            ("a,b", false),
            ("ab", false),
        ] {
            assert_eq!(may_be_named(name), may, "{name}");
        }
    }
}
