//! Accounts: opening one, and what its owner sees of it.

mod change;
mod history;

pub use history::{BalanceAt, Statement, Total, Wanted, totals};

use strongroom_crypto::random;
use strongroom_identity::credential;
use strongroom_identity::role::Permission;
use strongroom_ledger::decide::{AccountKind, AccountStatus};
use strongroom_ledger::id::{AccountId, PersonId, TransferId};
use strongroom_ledger::leaf::{PayeePart, PayerPart};
use strongroom_ledger::money::Currency;
use strongroom_ledger::number::{self, NumberScheme};
use strongroom_ledger::order::{CashOrder, TransferOrder};
use strongroom_store::accounts::{self, AccountRow, BalanceRow};
use strongroom_store::money::{EntryRow, TransferRow};
use strongroom_store::{Connection, Id};

use crate::audit::Event;
use crate::keyring::indexes::Field;
use crate::keyring::{Keyring, column};
use crate::masked::last_four;
use crate::rows::Authenticated;
use crate::sessions::{self, Caller, Seen};
use crate::{Bank, Error, Result, clock, hex, staff};

/// An account as its owner sees it.
#[derive(Clone, Debug)]
pub struct AccountDetails {
    /// Its id.
    pub id: AccountId,
    /// Its number.
    pub number: String,
    /// `clabe` or `iban`.
    pub number_scheme: &'static str,
    /// The name its owner gave it.
    pub name: String,
    /// Its currency.
    pub currency: Currency,
    /// `open`, `frozen` or `closed`.
    pub status: &'static str,
    /// Minor units.
    pub balance: i64,
    /// Minor units of it that are reserved.
    pub held: i64,
    /// What may be spent, in minor units.
    pub available: i64,
    /// When it was opened.
    pub created_us: i64,
}

/// One line of an account.
#[derive(Clone, Debug)]
pub struct EntryDetails {
    /// The posting's sequence: also the cursor.
    pub sequence: i64,
    /// The posting.
    pub transfer: TransferId,
    /// The caller's own order id, if they ordered it.
    pub order_id: Option<String>,
    /// Minor units; debits negative.
    pub amount: i64,
    /// Minor units.
    pub balance_after: i64,
    /// When it was posted.
    pub time_us: i64,
    /// The private description.
    pub description: Option<String>,
    /// The account on the other side.
    pub counterparty: AccountId,
    /// What kind of posting.
    pub kind: i64,
}

/// The bank's part of a CLABE and of an IBAN.
const CLABE_BANK: u16 = 999;
const CLABE_BRANCH: u16 = 180;
const IBAN_COUNTRY: &str = "DE";
const IBAN_BANK: &str = "99999999";

impl Bank {
    /// Opens an account for the caller.
    pub async fn open_account(&self, caller: &Caller, currency: &str, name: &str) -> Result<AccountDetails> {
        let name = name.trim().to_owned();
        credential::check_label(&name, "Give the account a name of 1 to 64 plain characters.")?;
        if currency.parse::<Currency>().ok() != Some(self.currency) {
            let detail = format!("This bank holds accounts in {}.", self.currency);
            return Err(Error::field("currency", "currency_not_offered", &detail));
        }
        let id = AccountId::from_time(clock::now_us(), random::bytes());
        let rows = new_account(
            &self.keys,
            id,
            Some(caller.person),
            AccountKind::Customer,
            self.currency,
            self.numbers,
            &name,
            clock::now_us(),
        )?;
        let (keys, caller) = (self.keys.clone(), caller.clone());
        self.change(move |tx| {
            let seen = sessions::see(tx.connection, tx.keys, &caller, tx.now_us)?;
            if !seen.permissions.allows(Permission::AccountsOpen) {
                return Err(Error::forbidden("forbidden", "Your role does not allow opening accounts."));
            }
            if accounts::by_number(tx.connection, &[rows.0.number_index])?.is_some() {
                return Err(Error::Busy); // two random numbers met; the next try draws another
            }
            accounts::insert(tx.connection, &rows.0, &rows.1)?;
            tx.audit(Event::by(&caller, "account.opened").on(id.0))?;
            details(&keys, &rows.0, &rows.1)
        })
        .await
    }

    /// The caller's accounts, oldest first, after a cursor; another person's, masked, for who reads the books.
    pub async fn accounts(
        &self,
        caller: &Caller,
        owner: Option<PersonId>,
        after: Option<AccountId>,
        limit: i64,
    ) -> Result<Vec<AccountDetails>> {
        if let Some(owner) = owner.filter(|owner| owner.0 != caller.person) {
            self.note_look(caller, &BOOKS, "accounts.seen", Some(owner.0)).await?;
        }
        let (keys, caller, now_us) = (self.keys.clone(), caller.clone(), clock::now_us());
        self.read(move |c| {
            let seen = sessions::see(c, &keys, &caller, now_us)?;
            let owner = owner.map_or(caller.person, |owner| owner.0);
            if owner != caller.person {
                staff::allow(&seen, &[Permission::BooksRead])?;
            }
            let rows = accounts::of_owner(c, &owner, &after.map_or([0; 16], |a| a.0), limit)?;
            let accounts = rows.iter().map(|row| with_balance(c, &keys, row));
            accounts.map(|account| Ok(for_eyes(&caller, owner, account?))).collect()
        })
        .await
    }

    /// One of the caller's accounts.
    pub async fn account(&self, caller: &Caller, id: AccountId) -> Result<AccountDetails> {
        self.note_account(caller, id).await?;
        let (keys, caller, now_us) = (self.keys.clone(), caller.clone(), clock::now_us());
        self.read(move |c| {
            let seen = sessions::see(c, &keys, &caller, now_us)?;
            let row = readable(c, &keys, &seen, id)?;
            Ok(for_eyes(&caller, row.owner.unwrap_or_default(), with_balance(c, &keys, &row)?))
        })
        .await
    }
}

impl Bank {
    /// Writes down that somebody looks at an account that is not theirs. Who owns one never changes, so that
    /// looking at one's own costs nothing more.
    async fn note_account(&self, caller: &Caller, id: AccountId) -> Result<()> {
        match self.owner(id.0).await? {
            Some(owner) if owner == caller.person => Ok(()),
            _ => match self.note_look(caller, &BOOKS, "account.seen", Some(id.0)).await {
                // Who may not is answered as for one that is not there.
                Err(Error::Forbidden { .. }) => Err(Error::NotFound),
                noted => noted,
            },
        }
    }
}

/// Who may look at what is not theirs.
const BOOKS: [Permission; 1] = [Permission::BooksRead];

/// An account of the caller's, or any for who reads the books; anyone else's is not there.
fn readable(connection: &mut dyn Connection, keys: &Keyring, seen: &Seen, id: AccountId) -> Result<AccountRow> {
    let reads_all = seen.permissions.allows(Permission::BooksRead);
    let row = accounts::by_ids(connection, &[id.0], false)?.pop();
    let row = row.filter(|row| reads_all || row.owner == Some(seen.person.id)).ok_or(Error::NotFound)?;
    row.check(keys)?;
    Ok(row)
}

/// Masked for everyone but the owner.
fn for_eyes(caller: &Caller, owner: Id, account: AccountDetails) -> AccountDetails {
    match owner == caller.person {
        true => account,
        false => AccountDetails { number: last_four(&account.number), name: last_four(""), ..account },
    }
}

fn with_balance(connection: &mut dyn Connection, keys: &Keyring, row: &AccountRow) -> Result<AccountDetails> {
    row.check(keys)?;
    let balance = accounts::balances(connection, &[row.id], false)?.pop();
    let balance = balance.ok_or_else(|| Error::Integrity("an account has no balance".into()))?;
    balance.check(keys)?;
    details(keys, row, &balance)
}

fn details(keys: &Keyring, row: &AccountRow, balance: &BalanceRow) -> Result<AccountDetails> {
    let number = keys.unseal_text(row.owner.as_ref(), column::ACCOUNT_NUMBER, &row.id, &row.number)?;
    Ok(AccountDetails {
        id: AccountId(row.id),
        number_scheme: if number.starts_with(|c: char| c.is_ascii_alphabetic()) { "iban" } else { "clabe" },
        number,
        name: keys.unseal_text(row.owner.as_ref(), column::ACCOUNT_NAME, &row.id, &row.name)?,
        currency: row.currency.parse().map_err(|_| Error::Integrity("an account's currency is unknown".into()))?,
        status: AccountStatus::from_number(row.status).map_or("frozen", |s| s.name()),
        balance: balance.balance,
        held: balance.held,
        available: balance.balance.saturating_sub(balance.held).saturating_sub(row.floor.unwrap_or(0)),
        created_us: row.created_us,
    })
}

/// A line of an account, with the description its owner may read: from the order they signed, or
/// from the copy that was made for them.
fn entry(keys: &Keyring, caller: &Caller, entry: &EntryRow, row: &TransferRow) -> Result<EntryDetails> {
    Ok(EntryDetails {
        sequence: entry.sequence,
        transfer: TransferId(row.id),
        order_id: (row.person == caller.person).then(|| row.order_id.clone()),
        amount: entry.amount,
        balance_after: entry.balance_after,
        time_us: row.time_us,
        description: words(keys, &caller.person, row, entry.amount < 0).unwrap_or_default().description,
        counterparty: AccountId(if entry.amount < 0 { row.to } else { row.from }),
        kind: row.kind,
    })
}

/// What a posting's party may read of the order: the payer what they signed, the payee the copy
/// that was made for them.
#[derive(Default)]
pub(crate) struct Words {
    /// What for.
    pub description: Option<String>,
    /// The account credited, as the payer wrote it.
    pub to: Option<String>,
}

/// The words of a posting for one of its parties.
pub(crate) fn words(keys: &Keyring, party: &Id, row: &TransferRow, is_payer: bool) -> Result<Words> {
    let sealed = if is_payer { row.payer.as_deref() } else { row.payee.as_deref() };
    words_of(keys, party, &row.id, sealed, is_payer)
}

/// The same of a sealed part.
pub(crate) fn words_of(
    keys: &Keyring,
    party: &Id,
    transfer: &Id,
    sealed: Option<&[u8]>,
    is_payer: bool,
) -> Result<Words> {
    let not_empty = |text: Option<String>| text.filter(|t| !t.is_empty());
    if !is_payer {
        let part = open_part(keys, party, column::PAYEE_PART, transfer, sealed)?;
        let Some((_, part)) = part else { return Ok(Words::default()) };
        let part = PayeePart::decode(&part).map_err(|e| Error::Integrity(e.to_string()))?;
        return Ok(Words { description: not_empty(Some(part.description)), to: None });
    }
    let part = open_part(keys, party, column::PAYER_PART, transfer, sealed)?;
    let Some((_, part)) = part else { return Ok(Words::default()) };
    let part = PayerPart::decode(&part).map_err(|e| Error::Integrity(e.to_string()))?;
    Ok(match (TransferOrder::parse(&part.order), CashOrder::parse(&part.order)) {
        (Ok(order), _) => Words { description: not_empty(order.description), to: Some(order.to) },
        (_, Ok(order)) => Words { description: not_empty(order.reference), to: Some(order.account) },
        _ => Words::default(),
    })
}

/// A sealed part as (salt, content); none when it is gone.
pub(crate) fn open_part(
    keys: &Keyring,
    owner: &Id,
    column: strongroom_crypto::sealed::ColumnId,
    row: &Id,
    sealed: Option<&[u8]>,
) -> Result<Option<(Id, Vec<u8>)>> {
    let Some(sealed) = sealed.filter(|s| !s.is_empty()) else { return Ok(None) };
    let part = keys.unseal(Some(owner), column, row, sealed)?;
    let (salt, content) = part.split_at_checked(16).ok_or_else(|| Error::Integrity("a part has no salt".into()))?;
    let mut id = [0; 16];
    id.copy_from_slice(salt);
    Ok(Some((id, content.to_vec())))
}

/// The rows of a new account, with a number drawn at random.
#[allow(clippy::too_many_arguments)] // each is a different fact of the row
pub(crate) fn new_account(
    keys: &Keyring,
    id: AccountId,
    owner: Option<Id>,
    kind: AccountKind,
    currency: Currency,
    scheme: NumberScheme,
    name: &str,
    now_us: i64,
) -> Result<(AccountRow, BalanceRow)> {
    let serial = u64::from_be_bytes(random::bytes());
    let number = match scheme {
        NumberScheme::Clabe => number::clabe(CLABE_BANK, CLABE_BRANCH, serial % 100_000_000_000),
        NumberScheme::Iban => number::iban(IBAN_COUNTRY, &format!("{IBAN_BANK}{:010}", serial % 10_000_000_000)),
    };
    let mut row = AccountRow {
        id: id.0,
        owner,
        kind: kind as i64,
        currency: currency.to_string(),
        status: AccountStatus::Open as i64,
        floor: (kind == AccountKind::Customer).then_some(0),
        order_limit: None,
        created_us: now_us,
        mac: [0; 36],
        number_index: keys.indexes().index(Field::Number, &number),
        number: keys.seal(owner.as_ref(), column::ACCOUNT_NUMBER, &id.0, number.as_bytes())?,
        name: keys.seal(owner.as_ref(), column::ACCOUNT_NAME, &id.0, name.as_bytes())?,
    };
    row.mac = row.expected(keys);
    tracing::debug!(account = hex::encode(&id.0), "account prepared");
    let mut balance = BalanceRow { account: id.0, balance: 0, held: 0, last_sequence: -1, mac: [0; 36] };
    balance.mac = balance.expected(keys);
    Ok((row, balance))
}
