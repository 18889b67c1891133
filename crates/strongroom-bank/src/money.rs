//! Orders that move money, on the writer's side: see everything a batch needs, decide each order
//! in turn against what the ones before it left, then write the whole batch set by set.

mod bulk;
pub mod hold;
mod posting;
mod seen;

pub use bulk::{Bulk, apply_bulk};
pub use posting::posted;
pub use seen::{Kept, Seen, see_accounts};

use std::collections::{HashMap, HashSet};

use strongroom_identity::role::Permission;
use strongroom_ledger::action::{Action, Asked, Decision, Terms, decide_order};
use strongroom_ledger::decide::{AccountView, Entry, Posting};
use strongroom_ledger::id::{AccountId, PersonId, TransferId};
use strongroom_ledger::leaf::{self, HoldState, PayeePart, PayerPart, PostingKind};
use strongroom_ledger::money::Currency;
use strongroom_ledger::refusal::Refusal;
use strongroom_store::Id;
use strongroom_store::accounts::{self, BalanceRow};
use strongroom_store::approvals::{self, ApprovalRow};
use strongroom_store::holds::{self, HoldEnd, HoldRow};
use strongroom_store::money::{self as store, EntryRow, OrderRow, TransferRow};

use posting::{Move, first_answers, post};
use seen::{distinct, keep_true};

use crate::factor::{NOBODY, step_up};
use crate::keyring::{Keyring, column};
use crate::rows::Authenticated;
use crate::tx::{Tx, fact_commitment};
use crate::{Error, Result};

/// A verified order, prepared outside the writer: its parts are hashed and sealed already.
pub struct Command {
    /// The posting's id, if it is made; the reservation's, if one is.
    pub transfer: TransferId,
    /// What it asks for.
    pub action: Action,
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
    pub posting: std::result::Result<Posting, Refusal>,
    /// A transfer of more than this waits for the bank's approval.
    pub approval_above: i64,
    /// What its posting or reservation keeps of it.
    pub parts: Parts,
}

/// The three parts of a leaf: the core's salt, and the others hashed and sealed.
#[derive(Clone, Debug, Default)]
pub struct Parts {
    /// Salt of the core part.
    pub core_salt: Id,
    /// Hash of the payer's part.
    pub payer_hash: [u8; 32],
    /// Hash of the payee's part.
    pub payee_hash: [u8; 32],
    /// The payer's part, sealed.
    pub payer: Option<Vec<u8>>,
    /// The payee's part, sealed.
    pub payee: Option<Vec<u8>>,
}

impl Parts {
    /// Hashes and seals the parts of the posting-to-be: the payer's under the payer's key, the
    /// payee's under the payee's; the bank's own side is sealed under the other party's, so that
    /// erasing a person erases everything written about them. The salts are the core's, the payer's, the payee's.
    pub(crate) fn seal(
        keys: &Keyring,
        transfer: TransferId,
        [payer_owner, payee_owner]: [Option<Id>; 2],
        salts: [Id; 3],
        payer: &PayerPart,
        payee: &PayeePart,
    ) -> Result<Self> {
        let (payer, payee) = (payer.encode(), payee.encode());
        let sealed = |owner: Option<Id>, column, salt: &Id, part: &[u8]| -> Result<Option<Vec<u8>>> {
            let Some(owner) = owner else { return Ok(Some(Vec::new())) };
            match keys.seal(Some(&owner), column, &transfer.0, &[salt.as_slice(), part].concat()) {
                // Who has been erased has closed accounts: the writer refuses, and seals nothing.
                Err(Error::Erased(_)) => Ok(Some(Vec::new())),
                sealed => sealed.map(Some),
            }
        };
        Ok(Parts {
            core_salt: salts[0],
            payer_hash: leaf::part_hash(leaf::PAYER, &salts[1], &payer),
            payee_hash: leaf::part_hash(leaf::PAYEE, &salts[2], &payee),
            payer: sealed(payer_owner.or(payee_owner), column::PAYER_PART, &salts[1], &payer)?,
            payee: sealed(payee_owner.or(payer_owner), column::PAYEE_PART, &salts[2], &payee)?,
        })
    }
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
    /// Where it stands.
    pub status: Status,
    /// Until when it is reserved.
    pub until_us: Option<i64>,
    /// The posting that it takes back.
    pub refers: Option<TransferId>,
}

/// Where a transfer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// The money moved.
    Posted,
    /// It is reserved.
    Held,
    /// It is reserved, and waits for the bank's approval.
    PendingApproval,
    /// It was reserved, and moved, or a part of it.
    Captured,
    /// It is not reserved any more, and did not move.
    Released,
    /// The same, because its time was over.
    Expired,
    /// The same, because the bank did not approve it or the payer withdrew it.
    Refused,
    /// It moved, and was taken back.
    Reversed,
}

impl Status {
    /// Its name in answers.
    pub fn name(self) -> &'static str {
        match self {
            Status::Posted => "posted",
            Status::Held => "held",
            Status::PendingApproval => "pending_approval",
            Status::Captured => "captured",
            Status::Released => "released",
            Status::Expired => "expired",
            Status::Refused => "refused",
            Status::Reversed => "reversed",
        }
    }
}

/// Everything a batch of orders is decided on.
#[derive(Default)]
struct View {
    seen: Seen,
    /// Accounts whose rows do not carry our MAC.
    broken: Vec<Id>,
    /// Orders that were placed before.
    orders: HashMap<(Id, String), OrderRow>,
    /// Orders that come more than once in this batch, and which of its effects the first has become.
    twins: HashMap<(Id, String), Option<usize>>,
    /// First answers, by the place that their orders have kept; those of this batch's postings are its effects.
    answers: HashMap<i64, Posted>,
    holds: HashMap<Id, HoldRow>,
    /// Postings that were taken back.
    reversed: HashSet<Id>,
}

/// What a batch of orders does.
#[derive(Default)]
struct Effects {
    orders: Vec<OrderRow>,
    transfers: Vec<TransferRow>,
    entries: Vec<EntryRow>,
    holds: Vec<HoldRow>,
    ended: Vec<(HoldRow, HoldEnd)>,
    reversals: Vec<(Id, Id)>,
    approvals: Vec<ApprovalRow>,
    touched: Vec<Id>,
}

/// What the rules allow, with the reservation that it is about.
enum Decided {
    Post(Posting, [Entry; 2]),
    Reserve(Posting, Terms),
    Capture(HoldRow, Posting, [Entry; 2]),
    Release(HoldRow, Currency),
}

/// See, decide, do for the orders of one batch; answers are in the same order.
pub fn apply(tx: &mut Tx<'_>, commands: &[&Command]) -> strongroom_sql::Result<Vec<Result<Placed>>> {
    if commands.is_empty() {
        return Ok(Vec::new());
    }
    let mut view = View::see(tx, commands)?;
    let mut effects = Effects::default();
    let answers = commands.iter().map(|command| place(tx, &mut view, &mut effects, command)).collect();
    effects.write(tx, &view)?;
    tx.seen = view.seen;
    Ok(answers)
}

/// Whether an order would be carried out now, if it was not before.
pub fn is_wanted(tx: &mut Tx<'_>, command: &Command) -> strongroom_sql::Result<bool> {
    let view = View::see(tx, &[command])?;
    Ok(view.orders.is_empty() && view.permit(command, tx.now_us).is_ok() && view.decide(command, tx.now_us).is_ok())
}

impl View {
    fn see(tx: &mut Tx<'_>, commands: &[&Command]) -> strongroom_sql::Result<Self> {
        let mut seen = std::mem::take(&mut tx.seen);
        let (connection, keys) = (&mut *tx.connection, tx.keys);
        let broken = seen.read(connection, keys, commands)?;
        let ids: Vec<(Id, &str)> = commands.iter().map(|c| (c.person, c.order_id.as_str())).collect();
        let orders = store::orders(connection, &ids)?;
        let spent: Vec<i64> = orders.iter().filter(|o| o.refusal.is_none()).map(|o| o.sequence).collect();
        let answers = first_answers(connection, keys, &spent)?;
        let (mut held, mut reversed) = (Vec::new(), Vec::new());
        for command in commands {
            match command.action {
                Action::Capture(id) | Action::Release(id) => held.push(id.0),
                Action::Reverse(id) => reversed.push(id.0),
                Action::Post(_) | Action::Reserve { .. } => {}
            }
        }
        let (held, reversed) = (distinct(held.into_iter()), distinct(reversed.into_iter()));
        let holds = if held.is_empty() { Vec::new() } else { holds::by_ids(connection, &held, true)? };
        let reversed = if reversed.is_empty() { Vec::new() } else { holds::reversals(connection, &reversed)? };
        Ok(View {
            seen,
            broken,
            orders: orders.into_iter().map(|o| ((o.person, o.order_id.clone()), o)).collect(),
            twins: twins(ids),
            answers,
            holds: keep_true(holds, keys),
            reversed: reversed.into_iter().map(|(original, _)| original).collect(),
        })
    }

    /// The order that has spent this one's id, in an earlier batch or in this one.
    fn spent<'a>(&'a self, effects: &'a Effects, command: &Command) -> Option<&'a OrderRow> {
        if self.orders.is_empty() && self.twins.is_empty() {
            return None;
        }
        let key = (command.person, command.order_id.clone());
        self.orders.get(&key).or_else(|| effects.orders.get((*self.twins.get(&key)?)?))
    }

    fn twin(&mut self, command: &Command) -> Option<&mut Option<usize>> {
        if self.twins.is_empty() {
            return None;
        }
        self.twins.get_mut(&(command.person, command.order_id.clone()))
    }

    /// Whether the caller may place this order now, by rows that carry our MAC.
    fn permit(&self, command: &Command, now_us: i64) -> Result<()> {
        let session = self.seen.sessions.get(&command.session).ok_or(Error::Unauthenticated)?;
        let person = self.seen.people.get(&command.person).ok_or(Error::Unauthenticated)?;
        let permissions = self.seen.permissions.get(&person.id).ok_or(Error::Unauthenticated)?;
        if session.person != person.id || !crate::sessions::is_alive(session, person, permissions, now_us) {
            return Err(Error::Unauthenticated);
        }
        let needed: &[Permission] = match command.action {
            Action::Post(PostingKind::Deposit) => &[Permission::CashDeposit],
            Action::Post(PostingKind::Withdrawal) => &[Permission::CashWithdraw],
            Action::Reverse(_) => &[Permission::TransfersCreate, Permission::TransfersReverse],
            _ => &[Permission::TransfersCreate],
        };
        if !needed.iter().any(|permission| permissions.allows(*permission)) {
            return Err(Error::forbidden("forbidden", "Your role does not allow this."));
        }
        match self.seen.devices.get(&command.device) {
            Some(device) if device.person == person.id && device.revoked_us.is_none() => Ok(()),
            Some(_) => Err(Error::bad_signature("the signing device is revoked or another person's")),
            None => Err(Error::bad_signature("the signing device is not known")),
        }
    }

    /// A large sum asks for a factor given again: a session that was left open moves little.
    fn is_fresh_enough(&self, command: &Command, now_us: i64) -> Result<()> {
        let is_large = command.posting.as_ref().is_ok_and(|posting| posting.amount > command.approval_above);
        match self.seen.sessions.get(&command.session) {
            Some(session) if command.action.pays() && is_large => step_up(session.factor_us, now_us),
            _ => Ok(()),
        }
    }

    /// What the ledger's rules say to it, as its accounts and what it refers to stand.
    fn decide(&self, command: &Command, now_us: i64) -> std::result::Result<Decided, Refusal> {
        let posting = command.posting?;
        if self.broken.contains(&posting.from.0) || self.broken.contains(&posting.to.0) {
            return Err(Refusal::AccountUnderReview);
        }
        let from = self.seen.accounts.get(&posting.from.0).ok_or(Refusal::NotFound)?;
        let to = self.seen.accounts.get(&posting.to.0).ok_or(Refusal::NotFound)?;
        let hold = match command.action {
            Action::Capture(id) | Action::Release(id) => self.holds.get(&id.0),
            _ => None,
        };
        let permissions = self.seen.permissions.get(&command.person);
        let asked = Asked {
            action: command.action,
            posting,
            by: PersonId(command.person),
            may_reverse: permissions.is_some_and(|p| p.allows(Permission::TransfersReverse)),
            approval_above: command.approval_above,
            reservation: hold.and_then(hold::reservation),
            is_reversed: matches!(command.action, Action::Reverse(original) if self.reversed.contains(&original.0)),
        };
        match (decide_order(&asked, from, to, now_us)?, hold) {
            (Decision::Post(entries), _) => Ok(Decided::Post(posting, entries)),
            (Decision::Reserve(terms), _) => Ok(Decided::Reserve(posting, terms)),
            (Decision::Capture(entries), Some(hold)) => Ok(Decided::Capture(hold.clone(), posting, entries)),
            (Decision::Release, Some(hold)) => Ok(Decided::Release(hold.clone(), posting.currency)),
            (Decision::Capture(_) | Decision::Release, None) => Err(Refusal::NotFound),
        }
    }
}

/// Decides one order and notes its effects; the view then shows what it left.
fn place(tx: &mut Tx<'_>, view: &mut View, effects: &mut Effects, command: &Command) -> Result<Placed> {
    place_decided(tx, view, effects, command, None)
}

/// The same, where it is refused already for the sake of others.
fn place_decided(
    tx: &mut Tx<'_>,
    view: &mut View,
    effects: &mut Effects,
    command: &Command,
    refused: Option<Refusal>,
) -> Result<Placed> {
    view.permit(command, tx.now_us)?;
    if let Some(spent) = view.spent(effects, command) {
        return replay(view, effects, spent, command);
    }
    if refused.is_none() {
        view.is_fresh_enough(command, tx.now_us)?;
    }
    let decided = refused.map_or_else(|| view.decide(command, tx.now_us), Err);
    // Nothing below this line may fail.
    let outcome = decided.map(|decided| match decided {
        Decided::Post(posting, entries) => {
            if let Action::Reverse(original) = command.action {
                view.reversed.insert(original.0);
                effects.reversals.push((original.0, command.transfer.0));
            }
            let payer = view.seen.accounts.get(&posting.from.0).and_then(|account| account.owner);
            let moved = Move::of(command, posting, payer == Some(PersonId(command.person)));
            post(tx, view, effects, &moved, &entries)
        }
        Decided::Reserve(posting, terms) => hold::begin(tx, view, effects, command, &posting, &terms),
        Decided::Capture(hold, posting, entries) => {
            let end = hold::Ending::by_customer(command);
            let posted = hold::capture(tx, view, effects, hold, posting, &entries, &end);
            Posted { order_id: command.order_id.clone(), ..posted }
        }
        Decided::Release(hold, currency) => {
            let end = hold::Ending::by_customer(command);
            let ended = hold::release(tx, view, effects, hold, HoldState::Released, &end);
            Posted { order_id: command.order_id.clone(), ..hold::in_currency(&ended, currency) }
        }
    });
    // An order keeps the place of the leaf that it made.
    let place = match (&outcome, &command.action) {
        (Err(refusal), _) => refuse(tx, command, *refusal),
        (Ok(posted), Action::Capture(id) | Action::Release(id)) => {
            view.holds.get(&id.0).and_then(|hold| hold.end.as_ref()).map_or(posted.sequence, |end| end.sequence)
        }
        (Ok(posted), _) => posted.sequence,
    };
    // What was posted at once stands among the effects; whatever else was answered is kept for who asks again.
    if let Ok(posted) = outcome.as_ref()
        && effects.transfers.last().is_none_or(|row| row.sequence != place)
    {
        view.answers.insert(place, posted.clone());
    }
    if let Some(first) = view.twin(command) {
        *first = Some(effects.orders.len());
    }
    effects.orders.push(OrderRow {
        person: command.person,
        order_id: command.order_id.clone(),
        body_hash: command.order_hash,
        sequence: place,
        refusal: outcome.as_ref().err().map(|r| r.code().to_owned()),
        time_us: tx.now_us,
    });
    Ok(Placed { replay: false, outcome })
}

/// Notes in the log that an order was refused. Answers the place.
fn refuse(tx: &mut Tx<'_>, command: &Command, refusal: Refusal) -> i64 {
    let commitment =
        refusal_commitment(&command.person, &command.order_id, &command.order_hash, refusal.code(), tx.now_us);
    tx.append(leaf::Kind::Refusal, commitment)
}

/// The leaf of an order that was refused.
pub(crate) fn refusal_commitment(
    person: &Id,
    order_id: &str,
    order_hash: &[u8; 32],
    code: &str,
    time_us: i64,
) -> [u8; 32] {
    let core = leaf::RefusalCore {
        person: PersonId(*person),
        time_us,
        order_sha256: *order_hash,
        order_id: order_id.to_owned(),
        code: code.to_owned(),
    };
    fact_commitment(leaf::Kind::Refusal, &NOBODY, &core.encode())
}

/// The same id with the same body gives the first answer again; with another body, a conflict.
fn replay(view: &View, effects: &Effects, spent: &OrderRow, command: &Command) -> Result<Placed> {
    if spent.body_hash != command.order_hash {
        return Err(Error::Conflict {
            code: "order_id_conflict",
            detail: "This order_id was used before with another body. Use a new order_id for a new order.".into(),
        });
    }
    let outcome = match &spent.refusal {
        Some(code) => Err(Refusal::from_code(code).unwrap_or(Refusal::NotFound)),
        None => match view.answers.get(&spent.sequence).cloned().or_else(|| effects.posted_at(spent.sequence)) {
            // A capture answers what the payer's order made; the id is that of the order that captured.
            Some(posted) => Ok(Posted { order_id: command.order_id.clone(), ..posted }),
            None => return Err(Error::Integrity("a spent order has no posting".into())),
        },
    };
    Ok(Placed { replay: true, outcome })
}

/// Orders that come more than once.
fn twins(mut ids: Vec<(Id, &str)>) -> HashMap<(Id, String), Option<usize>> {
    ids.sort_unstable();
    let again = ids.windows(2).filter(|pair| pair[0] == pair[1]);
    again.map(|pair| ((pair[0].0, pair[0].1.to_owned()), None)).collect()
}

impl Effects {
    /// What an order of this batch was answered, by its posting's place.
    fn posted_at(&self, sequence: i64) -> Option<Posted> {
        let at = self.transfers.binary_search_by_key(&sequence, |row| row.sequence).ok()?;
        posted(&self.transfers[at])
    }

    fn write(mut self, tx: &mut Tx<'_>, view: &View) -> strongroom_sql::Result<()> {
        store::insert_orders(tx.connection, &self.orders)?;
        store::insert_transfers(tx.connection, &self.transfers)?;
        store::insert_entries(tx.connection, &self.entries)?;
        if !self.holds.is_empty() {
            holds::insert_holds(tx.connection, &self.holds)?;
        }
        for (hold, end) in &self.ended {
            holds::end(tx.connection, hold, end)?;
        }
        if !self.reversals.is_empty() {
            holds::insert_reversals(tx.connection, &self.reversals)?;
        }
        for approval in &self.approvals {
            approvals::add(tx.connection, approval)?;
        }
        self.touched.sort_unstable();
        self.touched.dedup();
        let balances: Vec<BalanceRow> = self
            .touched
            .iter()
            .filter_map(|id| view.seen.accounts.get(id))
            .map(|account| balance_row(tx.keys, account))
            .collect();
        if balances.is_empty() { Ok(()) } else { accounts::set_balances(tx.connection, &balances) }
    }
}

/// A balance row with its MAC.
fn balance_row(keys: &Keyring, account: &AccountView) -> BalanceRow {
    let AccountView { id, balance, held, last_sequence, .. } = *account;
    let mut row = BalanceRow { account: id.0, balance, held, last_sequence, mac: [0; 36] };
    row.mac = row.expected(keys);
    row
}
