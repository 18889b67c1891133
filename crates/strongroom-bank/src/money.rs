//! Orders that move money, on the writer's side: see everything a batch needs, decide each order
//! in turn against what the ones before it left, then write the whole batch set by set.

use std::collections::HashMap;

use strongroom_identity::role::{Permission, Permissions};
use strongroom_ledger::decide::{AccountKind, AccountStatus, AccountView, Posting, decide};
use strongroom_ledger::id::{AccountId, DeviceId, PersonId, TransferId};
use strongroom_ledger::leaf::{self, Authority, PostingCore, PostingKind};
use strongroom_ledger::money::Currency;
use strongroom_ledger::refusal::Refusal;
use strongroom_store::accounts::{self, BalanceRow};
use strongroom_store::identity::{self, DeviceRow, PersonRow, SessionRow};
use strongroom_store::money::{self as store, EntryRow, OrderRow, TransferRow};
use strongroom_store::{Connection, Id};

use crate::keyring::Keyring;
use crate::rows::Authenticated;
use crate::tx::Tx;
use crate::{Error, Result, roles};

/// A verified order, prepared outside the writer: its parts are hashed and sealed already.
pub struct Command {
    /// The posting's id, if it is made.
    pub transfer: TransferId,
    /// What kind of posting it asks for.
    pub kind: PostingKind,
    /// Who orders it.
    pub person: Id,
    /// In which session.
    pub session: Id,
    /// By which device's signature.
    pub device: Id,
    /// The order's id.
    pub order_id: String,
    /// SHA-256 of the exact body.
    pub order_hash: [u8; 32],
    /// What is to move, or why it is refused already.
    pub intent: std::result::Result<Intent, Refusal>,
    /// Salt of the core part.
    pub core_salt: Id,
    /// Hash of the payer's part.
    pub payer_hash: [u8; 32],
    /// Hash of the payee's part.
    pub payee_hash: [u8; 32],
    /// The payer's part, sealed.
    pub payer: Vec<u8>,
    /// The payee's part, sealed.
    pub payee: Vec<u8>,
}

/// What is to move.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intent {
    /// The account debited.
    pub from: AccountId,
    /// The account credited.
    pub to: AccountId,
    /// Minor units.
    pub amount: i64,
    /// Of this currency.
    pub currency: Currency,
}

/// The answer to an order.
#[derive(Clone, Debug)]
pub struct Placed {
    /// The order was placed before; this is its first answer again.
    pub replay: bool,
    /// The posting, or the refusal that spent the id.
    pub outcome: std::result::Result<Posted, Refusal>,
}

/// What the first answer to an order says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posted {
    /// The posting's id.
    pub id: TransferId,
    /// The order's id.
    pub order_id: String,
    /// Its place in the log.
    pub sequence: i64,
    /// The kind of posting.
    pub kind: i64,
    /// The account debited.
    pub from: AccountId,
    /// The account credited.
    pub to: AccountId,
    /// Minor units.
    pub amount: i64,
    /// Of this currency.
    pub currency: Currency,
    /// When it was decided.
    pub time_us: i64,
}

/// Everything a batch of orders is decided on.
struct View {
    people: HashMap<Id, PersonRow>,
    permissions: HashMap<Id, Permissions>,
    sessions: HashMap<Id, SessionRow>,
    devices: HashMap<Id, DeviceRow>,
    accounts: HashMap<Id, AccountView>,
    /// Accounts whose rows do not carry our MAC.
    broken: Vec<Id>,
    orders: HashMap<(Id, String), OrderRow>,
    postings: HashMap<i64, Posted>,
}

/// What a batch of orders does.
#[derive(Default)]
struct Effects {
    orders: Vec<OrderRow>,
    transfers: Vec<TransferRow>,
    entries: Vec<EntryRow>,
    touched: Vec<Id>,
}

/// See, decide, do for the orders of one batch; answers are in the same order.
pub fn apply(tx: &mut Tx<'_>, commands: &[&Command]) -> strongroom_sql::Result<Vec<Result<Placed>>> {
    if commands.is_empty() {
        return Ok(Vec::new());
    }
    let mut view = View::see(tx.connection, tx.keys, commands)?;
    let mut effects = Effects::default();
    let answers = commands.iter().map(|command| place(tx, &mut view, &mut effects, command)).collect();
    effects.write(tx, &view)?;
    Ok(answers)
}

impl View {
    fn see(connection: &mut dyn Connection, keys: &Keyring, commands: &[&Command]) -> strongroom_sql::Result<Self> {
        let people = identity::people(connection, &distinct(commands.iter().map(|c| c.person)))?;
        let sessions = identity::sessions(connection, &distinct(commands.iter().map(|c| c.session)))?;
        let devices = identity::devices(connection, &distinct(commands.iter().map(|c| c.device)))?;
        let wanted = distinct(commands.iter().filter_map(|c| c.intent.as_ref().ok()).flat_map(|i| [i.from.0, i.to.0]));
        let (accounts, broken) = see_accounts(connection, keys, &wanted)?;
        let ids: Vec<(Id, &str)> = commands.iter().map(|c| (c.person, c.order_id.as_str())).collect();
        let orders = store::orders(connection, &ids)?;
        let replayed: Vec<i64> = orders.iter().filter_map(|o| o.sequence).collect();
        let postings = if replayed.is_empty() { Vec::new() } else { store::by_sequences(connection, &replayed)? };
        let people = keep_true(people, keys);
        let permissions = see_permissions(connection, keys, people.values())?;
        Ok(View {
            people,
            permissions,
            sessions: keep_true(sessions, keys),
            devices: keep_true(devices, keys),
            accounts,
            broken,
            orders: orders.into_iter().map(|o| ((o.person, o.order_id.clone()), o)).collect(),
            postings: postings.iter().filter_map(|row| Some((row.sequence, posted(row)?))).collect(),
        })
    }

    /// Whether the caller may place this order now, by rows that carry our MAC.
    fn permit(&self, command: &Command, now_us: i64) -> Result<()> {
        let session = self.sessions.get(&command.session).ok_or(Error::Unauthenticated)?;
        let person = self.people.get(&command.person).ok_or(Error::Unauthenticated)?;
        let permissions = self.permissions.get(&person.id).ok_or(Error::Unauthenticated)?;
        if session.person != person.id || !crate::sessions::is_alive(session, person, permissions, now_us) {
            return Err(Error::Unauthenticated);
        }
        let needed = match command.kind {
            PostingKind::Deposit => Permission::CashDeposit,
            PostingKind::Withdrawal => Permission::CashWithdraw,
            _ => Permission::TransfersCreate,
        };
        if !permissions.allows(needed) {
            return Err(Error::forbidden("forbidden", "Your role does not allow this."));
        }
        match self.devices.get(&command.device) {
            Some(device) if device.person == person.id && device.revoked_us.is_none() => Ok(()),
            Some(_) => Err(Error::bad_signature("the signing device is revoked or another person's")),
            None => Err(Error::bad_signature("the signing device is not known")),
        }
    }

    /// The rules: ownership by kind of order, then the ledger's own.
    fn decide(
        &self,
        command: &Command,
    ) -> std::result::Result<(Intent, [strongroom_ledger::decide::Entry; 2]), Refusal> {
        let intent = command.intent.clone()?;
        if self.broken.contains(&intent.from.0) || self.broken.contains(&intent.to.0) {
            return Err(Refusal::AccountUnderReview);
        }
        let from = self.accounts.get(&intent.from.0).ok_or(Refusal::NotFound)?;
        let to = self.accounts.get(&intent.to.0).ok_or(Refusal::NotFound)?;
        let own = |account: &AccountView| account.owner == Some(PersonId(command.person));
        match command.kind {
            PostingKind::Transfer if !own(from) => return Err(Refusal::NotFound),
            PostingKind::Transfer if to.owner.is_none() => return Err(Refusal::NotFound),
            PostingKind::Deposit if own(to) => return Err(Refusal::OwnAccount),
            PostingKind::Deposit if to.owner.is_none() => return Err(Refusal::NotFound),
            _ => {}
        }
        let posting = Posting { from: intent.from, to: intent.to, amount: intent.amount, currency: intent.currency };
        decide(&posting, from, to).map(|entries| (intent, entries))
    }
}

/// Decides one order and notes its effects; the view then shows what it left.
fn place(tx: &mut Tx<'_>, view: &mut View, effects: &mut Effects, command: &Command) -> Result<Placed> {
    view.permit(command, tx.now_us)?;
    let key = (command.person, command.order_id.clone());
    if let Some(spent) = view.orders.get(&key) {
        return replay(view, spent, command);
    }
    let decided = view.decide(command);
    // Nothing below this line may fail.
    let outcome = match decided {
        Ok((intent, entries)) => Ok(post(tx, view, effects, command, &intent, &entries)),
        Err(refusal) => Err(refusal),
    };
    let order = OrderRow {
        person: command.person,
        order_id: command.order_id.clone(),
        body_hash: command.order_hash,
        sequence: outcome.as_ref().ok().map(|p: &Posted| p.sequence),
        refusal: outcome.as_ref().err().map(|r| r.code().to_owned()),
        time_us: tx.now_us,
    };
    effects.orders.push(order.clone());
    view.orders.insert(key, order);
    Ok(Placed { replay: false, outcome })
}

/// The same id with the same body gives the first answer again; with another body, a conflict.
fn replay(view: &View, spent: &OrderRow, command: &Command) -> Result<Placed> {
    if spent.body_hash != command.order_hash {
        return Err(Error::Conflict {
            code: "order_id_conflict",
            detail: "This order_id was used before with another body. Use a new order_id for a new order.".into(),
        });
    }
    let outcome = match (&spent.sequence, &spent.refusal) {
        (Some(sequence), _) => match view.postings.get(sequence) {
            Some(posted) => Ok(posted.clone()),
            None => return Err(Error::Integrity("a spent order has no posting".into())),
        },
        (None, Some(code)) => Err(Refusal::from_code(code).unwrap_or(Refusal::NotFound)),
        (None, None) => return Err(Error::Integrity("a spent order has no outcome".into())),
    };
    Ok(Placed { replay: true, outcome })
}

/// Moves the money in the view and notes the rows that say so.
fn post(
    tx: &mut Tx<'_>,
    view: &mut View,
    effects: &mut Effects,
    command: &Command,
    intent: &Intent,
    entries: &[strongroom_ledger::decide::Entry; 2],
) -> Posted {
    let sequence = tx.next_position();
    let authority = match command.kind {
        PostingKind::Transfer => Authority::CustomerDevice(DeviceId(command.device)),
        _ => Authority::StaffDevice(DeviceId(command.device)),
    };
    let core = PostingCore {
        transfer: command.transfer,
        sequence: sequence as u64,
        kind: command.kind,
        from: intent.from,
        to: intent.to,
        amount: intent.amount,
        currency: intent.currency,
        time_us: tx.now_us,
        authority,
        order_sha256: command.order_hash,
        refers: None,
    };
    let core_hash = leaf::part_hash(leaf::CORE, &command.core_salt, &core.encode());
    tx.append(
        leaf::Kind::Posting,
        leaf::commitment(leaf::Kind::Posting, &core_hash, &command.payer_hash, &command.payee_hash),
    );
    let (authority_kind, authority) = authority.parts();
    let mut row = TransferRow {
        sequence,
        id: command.transfer.0,
        kind: command.kind as i64,
        from: intent.from.0,
        to: intent.to.0,
        amount: intent.amount,
        currency: intent.currency.to_string(),
        time_us: tx.now_us,
        person: command.person,
        order_id: command.order_id.clone(),
        order_hash: command.order_hash,
        authority_kind: i64::from(authority_kind),
        authority,
        refers: None,
        height: tx.height,
        core_salt: command.core_salt,
        payer_hash: command.payer_hash,
        payee_hash: command.payee_hash,
        payer: Some(command.payer.clone()),
        payee: Some(command.payee.clone()),
        mac: [0; 36],
    };
    row.mac = row.expected(tx.keys);
    for entry in entries {
        if let Some(account) = view.accounts.get_mut(&entry.account.0) {
            account.balance = entry.balance_after;
            account.last_sequence = sequence;
        }
        effects.touched.push(entry.account.0);
        effects.entries.push(EntryRow {
            account: entry.account.0,
            sequence,
            amount: entry.amount,
            balance_after: entry.balance_after,
        });
    }
    let posted = Posted {
        id: command.transfer,
        order_id: command.order_id.clone(),
        sequence,
        kind: row.kind,
        from: intent.from,
        to: intent.to,
        amount: intent.amount,
        currency: intent.currency,
        time_us: tx.now_us,
    };
    effects.transfers.push(row);
    view.postings.insert(sequence, posted.clone());
    posted
}

impl Effects {
    fn write(mut self, tx: &mut Tx<'_>, view: &View) -> strongroom_sql::Result<()> {
        store::insert_orders(tx.connection, &self.orders)?;
        store::insert_transfers(tx.connection, &self.transfers)?;
        store::insert_entries(tx.connection, &self.entries)?;
        self.touched.sort_unstable();
        self.touched.dedup();
        let balances: Vec<BalanceRow> = self
            .touched
            .iter()
            .filter_map(|id| view.accounts.get(id))
            .map(|account| balance_row(tx.keys, account.id.0, account.balance, account.last_sequence))
            .collect();
        if balances.is_empty() { Ok(()) } else { accounts::set_balances(tx.connection, &balances) }
    }
}

/// A balance row with its MAC.
pub fn balance_row(keys: &Keyring, account: Id, balance: i64, last_sequence: i64) -> BalanceRow {
    let mut row = BalanceRow { account, balance, last_sequence, mac: [0; 36] };
    row.mac = row.expected(keys);
    row
}

/// The posting that a row describes, as its first answer said it.
pub fn posted(row: &TransferRow) -> Option<Posted> {
    Some(Posted {
        id: TransferId(row.id),
        order_id: row.order_id.clone(),
        sequence: row.sequence,
        kind: row.kind,
        from: AccountId(row.from),
        to: AccountId(row.to),
        amount: row.amount,
        currency: row.currency.parse().ok()?,
        time_us: row.time_us,
    })
}

/// What each person's roles allow now.
fn see_permissions<'a>(
    connection: &mut dyn Connection,
    keys: &Keyring,
    people: impl Iterator<Item = &'a PersonRow>,
) -> strongroom_sql::Result<HashMap<Id, Permissions>> {
    let mut seen = HashMap::new();
    for person in people {
        match roles::permissions(connection, keys, &person.roles) {
            Ok(permissions) => drop(seen.insert(person.id, permissions)),
            Err(Error::Database(e)) => return Err(e),
            // A role that was written by SQL allows nothing.
            Err(_) => {}
        }
    }
    Ok(seen)
}

/// Accounts with their balances, and those whose rows do not carry our MAC.
pub fn see_accounts(
    connection: &mut dyn Connection,
    keys: &Keyring,
    ids: &[Id],
) -> strongroom_sql::Result<(HashMap<Id, AccountView>, Vec<Id>)> {
    let rows = accounts::by_ids(connection, ids, true)?;
    let balances: HashMap<Id, BalanceRow> =
        accounts::balances(connection, ids, true)?.into_iter().map(|b| (b.account, b)).collect();
    let mut views = HashMap::with_capacity(rows.len());
    let mut broken = Vec::new();
    for row in rows {
        let balance = balances.get(&row.id).filter(|b| b.check(keys).is_ok());
        let currency = row.currency.parse::<Currency>();
        match (row.check(keys), balance, currency) {
            (Ok(()), Some(balance), Ok(currency)) => {
                let view = AccountView {
                    id: AccountId(row.id),
                    owner: row.owner.map(PersonId),
                    kind: AccountKind::from_number(row.kind).unwrap_or(AccountKind::Suspense),
                    currency,
                    status: AccountStatus::from_number(row.status).unwrap_or(AccountStatus::Frozen),
                    balance: balance.balance,
                    floor: row.floor,
                    last_sequence: balance.last_sequence,
                };
                views.insert(row.id, view);
            }
            _ => broken.push(row.id),
        }
    }
    Ok((views, broken))
}

fn distinct(ids: impl Iterator<Item = Id>) -> Vec<Id> {
    let mut ids: Vec<Id> = ids.collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// Rows that carry our MAC, by id; the others are logged and treated as absent.
fn keep_true<R: Authenticated>(rows: Vec<R>, keys: &Keyring) -> HashMap<Id, R> {
    rows.into_iter().filter(|row| row.check(keys).is_ok()).map(|row| (*row.id(), row)).collect()
}
