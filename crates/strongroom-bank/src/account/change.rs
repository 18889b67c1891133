//! What staff and owners change about an account: frozen and free again, closed for ever, and how far it may go.

use strongroom_identity::role::Permission;
use strongroom_ledger::decide::{AccountKind, AccountStatus};
use strongroom_ledger::id::AccountId;
use strongroom_store::accounts;

use super::{AccountDetails, details};
use crate::audit::Event;
use crate::factor::step_up;
use crate::rows::Authenticated;
use crate::sessions::{self, Caller};
use crate::{Bank, Error, Result};

/// What is to be changed; what is left out stays.
#[derive(Clone, Debug, Default)]
pub struct AccountChange {
    /// `open`, `frozen` or `closed`.
    pub status: Option<AccountStatus>,
    /// How far below zero it may go, in minor units.
    pub overdraft: Option<i64>,
    /// How much one order may take, in minor units; `Some(None)` lifts the limit.
    pub order_limit: Option<Option<i64>>,
}

impl Bank {
    /// Changes an account. Its owner may close it; everything else is for staff, and not for their own.
    pub async fn change_account(
        &self,
        caller: &Caller,
        id: AccountId,
        change: AccountChange,
    ) -> Result<AccountDetails> {
        let (keys, caller) = (self.keys.clone(), caller.clone());
        self.change(move |tx| {
            let seen = sessions::see(tx.connection, tx.keys, &caller, tx.now_us)?;
            let row = accounts::by_ids(tx.connection, &[id.0], true)?.pop();
            let is_own = row.as_ref().is_some_and(|row| row.owner == Some(caller.person));
            let is_staff = seen.permissions.allows(Permission::AccountsChange);
            let mut row = row.filter(|_| is_own || is_staff).ok_or(Error::NotFound)?;
            row.check(tx.keys)?;
            let closes_only = change.status == Some(AccountStatus::Closed)
                && change.overdraft.is_none()
                && change.order_limit.is_none();
            if !(is_own && closes_only) && (is_own || !is_staff) {
                return Err(Error::forbidden(
                    "forbidden",
                    "Only staff may do this, and not with accounts of their own.",
                ));
            }
            if row.kind != AccountKind::Customer as i64 {
                return Err(Error::forbidden("bank_account", "The bank's own accounts stay as they are."));
            }
            step_up(seen.session.factor_us, tx.now_us)?;
            let balance = accounts::balances(tx.connection, &[id.0], true)?.pop();
            let balance = balance.ok_or_else(|| Error::Integrity("an account has no balance".into()))?;
            balance.check(tx.keys)?;
            let conflict = |code, detail: &str| Err(Error::Conflict { code, detail: detail.to_owned() });
            if row.status == AccountStatus::Closed as i64 {
                return conflict("account_closed", "The account is closed for ever.");
            }
            if change.status == Some(AccountStatus::Closed) && (balance.balance != 0 || balance.held != 0) {
                return conflict("account_not_empty", "Only an account that holds and reserves nothing can be closed.");
            }
            if let Some(overdraft) = change.overdraft {
                if overdraft < 0 {
                    return Err(Error::field(
                        "overdraft",
                        "malformed",
                        "Give how far below zero it may go: zero or more.",
                    ));
                }
                if balance.balance.saturating_sub(balance.held) < -overdraft {
                    return conflict("overdraft_used", "The account is further below zero than this.");
                }
                row.floor = Some(-overdraft);
            }
            if let Some(limit) = change.order_limit {
                if limit.is_some_and(|limit| limit < 0) {
                    return Err(Error::field("order_limit", "malformed", "Give zero or more."));
                }
                row.order_limit = limit;
            }
            row.status = change.status.map_or(row.status, |status| status as i64);
            row.mac = row.expected(tx.keys);
            accounts::update(tx.connection, &row)?;
            tx.audit(Event::by(&caller, "account.changed").on(id.0).noting(&in_words(&change)))?;
            details(&keys, &row, &balance)
        })
        .await
    }
}

fn in_words(change: &AccountChange) -> String {
    let status = change.status.map(|status| format!("status {}", status.name()));
    let overdraft = change.overdraft.map(|overdraft| format!("overdraft {overdraft}"));
    let limit = change.order_limit.map(|limit| limit.map_or("order limit none".into(), |l| format!("order limit {l}")));
    [status, overdraft, limit].into_iter().flatten().collect::<Vec<_>>().join(", ")
}
