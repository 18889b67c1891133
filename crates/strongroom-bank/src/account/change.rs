//! What staff and owners change about an account: frozen and free again, closed for ever, and how far it may go.

use strongroom_identity::role::Permission;
use strongroom_ledger::action::{AccountChange, Unchanged};
use strongroom_ledger::decide::AccountKind;
use strongroom_ledger::id::AccountId;
use strongroom_store::accounts;

use super::{AccountDetails, with_balance};
use crate::audit::Event;
use crate::factor::step_up;
use crate::money::see_accounts;
use crate::rows::Authenticated;
use crate::sessions::{self, Caller};
use crate::{Bank, Error, Result};

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
            // Its owner may close it, and nothing else.
            if is_own && !change.only_closes() {
                return Err(Error::forbidden(
                    "forbidden",
                    "Only staff may do this, and not with accounts of their own.",
                ));
            }
            if row.kind != AccountKind::Customer as i64 {
                return Err(Error::forbidden("bank_account", "The bank's own accounts stay as they are."));
            }
            step_up(seen.session.factor_us, tx.now_us)?;
            let broken = || Error::Integrity("the account did not pass its check".into());
            let seen_now = see_accounts(tx.connection, tx.keys, &[id.0])?.0.remove(&id.0).ok_or_else(broken)?;
            let changed = change.of(&seen_now).map_err(refused)?;
            (row.floor, row.order_limit, row.status) = (changed.floor, changed.order_limit, changed.status as i64);
            row.mac = row.expected(tx.keys);
            accounts::update(tx.connection, &row)?;
            tx.audit(Event::by(&caller, "account.changed").on(id.0).noting(&in_words(&change)))?;
            with_balance(tx.connection, &keys, &row)
        })
        .await
    }
}

/// Cause and cure.
fn refused(why: Unchanged) -> Error {
    let conflict = |code, detail: &str| Error::Conflict { code, detail: detail.to_owned() };
    match why {
        Unchanged::Closed => conflict("account_closed", "The account is closed for ever."),
        Unchanged::NotEmpty => {
            conflict("account_not_empty", "Only an account that holds and reserves nothing can be closed.")
        }
        Unchanged::OverdraftUsed => conflict("overdraft_used", "The account is further below zero than this."),
        Unchanged::Overdraft => {
            Error::field("overdraft", "malformed", "Give how far below zero it may go: zero or more.")
        }
        Unchanged::OrderLimit => Error::field("order_limit", "malformed", "Give zero or more."),
    }
}

fn in_words(change: &AccountChange) -> String {
    let status = change.status.map(|status| format!("status {}", status.name()));
    let overdraft = change.overdraft.map(|overdraft| format!("overdraft {overdraft}"));
    let limit = change.order_limit.map(|limit| limit.map_or("order limit none".into(), |l| format!("order limit {l}")));
    [status, overdraft, limit].into_iter().flatten().collect::<Vec<_>>().join(", ")
}
