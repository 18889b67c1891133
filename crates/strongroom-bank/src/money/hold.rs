//! Reservations on the writer's side: they begin with a customer's order, and end once: captured by who was named
//! for it, approved or refused by the bank, released, or because their time was over. Each end is a leaf of its own.

use strongroom_ledger::action::{Reservation, Terms, decide_approval};
use strongroom_ledger::decide::{Entry, Posting};
use strongroom_ledger::id::{AccountId, DeviceId, PersonId, TransferId};
use strongroom_ledger::leaf::{self, Authority, HoldCore, HoldState, PostingKind};
use strongroom_ledger::money::Currency;
use strongroom_ledger::refusal::Refusal;
use strongroom_store::Id;
use strongroom_store::holds::{self, HoldEnd, HoldRow};
use strongroom_store::identity;

use super::seen::{Seen, distinct, see_accounts};
use super::{Command, Effects, Move, Parts, Posted, Status, View, post};
use crate::factor::NOBODY;
use crate::rows::Authenticated;
use crate::tx::Tx;
use crate::{Error, Result, approvals};

/// The bank's rule by which what was reserved is free again when its time is over.
const EXPIRY: Authority = Authority::Rule(1);
/// Reservations that end in one batch because their time is over.
const DUE_AT_ONCE: i64 = 200;
const OPEN: [i64; 2] = [HoldState::Held as i64, HoldState::Pending as i64];

/// By whose will a reservation ends.
pub(crate) struct Ending {
    pub(crate) person: Id,
    /// The id of their order, if it is one.
    pub(crate) order_id: Option<String>,
    pub(crate) authority: Authority,
    pub(crate) order_hash: [u8; 32],
}

impl Ending {
    /// By a customer's signed order.
    pub(super) fn by_customer(command: &Command) -> Self {
        let authority = Authority::CustomerDevice(DeviceId(command.device));
        Ending {
            person: command.person,
            order_id: Some(command.order_id.clone()),
            authority,
            order_hash: command.order_hash,
        }
    }
}

/// Reserves the money in the view and notes the rows that say so.
pub(super) fn begin(
    tx: &mut Tx<'_>,
    view: &mut View,
    effects: &mut Effects,
    command: &Command,
    posting: &Posting,
    terms: &Terms,
) -> Posted {
    let parts = command.parts.clone();
    let mut row = HoldRow {
        id: command.transfer.0,
        sequence: tx.next_position(),
        purpose: terms.state as i64,
        from: posting.from.0,
        to: posting.to.0,
        amount: posting.amount,
        currency: posting.currency.to_string(),
        capturer: terms.capturer.0,
        until_us: terms.until_us,
        time_us: tx.now_us,
        person: command.person,
        order_id: command.order_id.clone(),
        order_hash: command.order_hash,
        device: command.device,
        core_salt: parts.core_salt,
        payer_hash: parts.payer_hash,
        payee_hash: parts.payee_hash,
        state: terms.state as i64,
        end: None,
        payer: parts.payer,
        payee: parts.payee,
        mac: [0; 36],
    };
    row.mac = row.expected(tx.keys);
    if let Some(commitment) = begin_commitment(&row) {
        tx.append(leaf::Kind::Hold, commitment);
    }
    if let Some(account) = view.seen.accounts.get_mut(&posting.from.0) {
        account.held = terms.held;
    }
    effects.touched.push(posting.from.0);
    if terms.state == HoldState::Pending {
        effects.approvals.push(approvals::transfer_request(tx, &row, posting));
    }
    let answer = in_currency(&row, posting.currency);
    view.holds.insert(row.id, row.clone());
    effects.holds.push(row);
    answer
}

/// Posts a reservation, or a part of it.
pub(super) fn capture(
    tx: &mut Tx<'_>,
    view: &mut View,
    effects: &mut Effects,
    hold: HoldRow,
    posting: Posting,
    entries: &[Entry; 2],
    ending: &Ending,
) -> Posted {
    let ended = end(tx, view, effects, hold, HoldState::Captured, posting.amount, ending);
    let parts = Parts {
        core_salt: ended.core_salt,
        payer_hash: ended.payer_hash,
        payee_hash: ended.payee_hash,
        payer: ended.payer.clone(),
        payee: ended.payee.clone(),
    };
    let moved = Move {
        transfer: TransferId(ended.id),
        kind: PostingKind::Transfer,
        posting,
        authority: Authority::CustomerDevice(DeviceId(ended.device)),
        person: ended.person,
        order_id: &ended.order_id,
        order_hash: ended.order_hash,
        refers: Some(TransferId(ended.id)),
        parts: &parts,
        status: Status::Captured,
    };
    post(tx, view, effects, &moved, entries)
}

/// Frees what was reserved; nothing moves.
pub(super) fn release(
    tx: &mut Tx<'_>,
    view: &mut View,
    effects: &mut Effects,
    hold: HoldRow,
    state: HoldState,
    ending: &Ending,
) -> HoldRow {
    end(tx, view, effects, hold, state, 0, ending)
}

fn end(
    tx: &mut Tx<'_>,
    view: &mut View,
    effects: &mut Effects,
    mut hold: HoldRow,
    state: HoldState,
    amount: i64,
    ending: &Ending,
) -> HoldRow {
    let (authority_kind, authority) = ending.authority.parts();
    let end = HoldEnd {
        sequence: tx.next_position(),
        time_us: tx.now_us,
        amount,
        person: ending.person,
        order_id: ending.order_id.clone(),
        authority_kind: i64::from(authority_kind),
        authority,
        order_hash: ending.order_hash,
    };
    hold.state = state as i64;
    hold.end = Some(end.clone());
    hold.mac = hold.expected(tx.keys);
    if let Some(commitment) = end_commitment(&hold) {
        tx.append(leaf::Kind::Hold, commitment);
    }
    if let Some(account) = view.seen.accounts.get_mut(&hold.from) {
        account.held -= hold.amount;
    }
    effects.touched.push(hold.from);
    view.holds.insert(hold.id, hold.clone());
    effects.ended.push((hold.clone(), end));
    hold
}

/// The leaf with which a reservation begins; none for a row that says nothing of a reservation.
pub(crate) fn begin_commitment(row: &HoldRow) -> Option<[u8; 32]> {
    let core = leaf::part_hash(leaf::CORE, &row.core_salt, &begin_core(row)?.encode());
    Some(leaf::commitment(leaf::Kind::Hold, &core, &row.payer_hash, &row.payee_hash))
}

/// The core of that leaf.
pub(crate) fn begin_core(row: &HoldRow) -> Option<HoldCore> {
    Some(HoldCore {
        state: HoldState::from_number(row.purpose)?,
        sequence: row.sequence as u64,
        amount: row.amount,
        time_us: row.time_us,
        authority: Authority::CustomerDevice(DeviceId(row.device)),
        order_sha256: row.order_hash,
        ..core_of(row)?
    })
}

/// The leaf with which it ended.
pub(crate) fn end_commitment(row: &HoldRow) -> Option<[u8; 32]> {
    let core = leaf::part_hash(leaf::CORE, &row.core_salt, &end_core(row)?.encode());
    Some(leaf::commitment(leaf::Kind::Hold, &core, &leaf::ABSENT, &leaf::ABSENT))
}

/// The core of that leaf.
pub(crate) fn end_core(row: &HoldRow) -> Option<HoldCore> {
    let end = row.end.as_ref()?;
    Some(HoldCore {
        state: HoldState::from_number(row.state)?,
        sequence: end.sequence as u64,
        amount: end.amount,
        time_us: end.time_us,
        authority: Authority::from_parts(end.authority_kind, end.authority)?,
        order_sha256: end.order_hash,
        ..core_of(row)?
    })
}

fn core_of(row: &HoldRow) -> Option<HoldCore> {
    Some(HoldCore {
        transfer: TransferId(row.id),
        sequence: 0,
        state: HoldState::Held,
        from: AccountId(row.from),
        to: AccountId(row.to),
        amount: 0,
        currency: row.currency.parse().ok()?,
        capturer: PersonId(row.capturer),
        until_us: row.until_us,
        time_us: 0,
        authority: EXPIRY,
        order_sha256: [0; 32],
    })
}

/// What the order was answered that began it.
pub(super) fn first_answer(row: &HoldRow) -> Option<Posted> {
    Some(Posted { status: status(row.purpose), ..seen(row)? })
}

/// A reservation as it stands; what was posted of it is to be looked for among the postings.
pub(crate) fn seen(row: &HoldRow) -> Option<Posted> {
    Some(in_currency(row, row.currency.parse().ok()?))
}

pub(super) fn in_currency(row: &HoldRow, currency: Currency) -> Posted {
    Posted {
        id: TransferId(row.id),
        order_id: row.order_id.clone(),
        sequence: row.sequence,
        kind: PostingKind::Transfer as i64,
        from: AccountId(row.from),
        to: AccountId(row.to),
        amount: row.amount,
        currency,
        time_us: row.time_us,
        status: status(row.state),
        until_us: Some(row.until_us),
        refers: None,
    }
}

/// What the rules ask of it.
pub(super) fn reservation(row: &HoldRow) -> Option<Reservation> {
    let (capturer, state) = (PersonId(row.capturer), HoldState::from_number(row.state)?);
    Some(Reservation { capturer, amount: row.amount, until_us: row.until_us, state })
}

fn status(state: i64) -> Status {
    match HoldState::from_number(state) {
        Some(HoldState::Held) => Status::Held,
        Some(HoldState::Pending) => Status::PendingApproval,
        Some(HoldState::Captured) => Status::Captured,
        Some(HoldState::Released) => Status::Released,
        Some(HoldState::Expired) => Status::Expired,
        Some(HoldState::Refused) | None => Status::Refused,
    }
}

/// A reservation that waits for the bank's approval.
pub(crate) fn pending(tx: &mut Tx<'_>, id: TransferId) -> Result<HoldRow> {
    let hold = holds::by_ids(tx.connection, &[id.0], true)?.pop().ok_or(Error::NotFound)?;
    hold.check(tx.keys)?;
    if hold.state != HoldState::Pending as i64 || hold.until_us <= tx.now_us {
        return Err(Error::Refused(Refusal::HoldEnded));
    }
    Ok(hold)
}

/// Posts what the bank approves: every rule is asked again, as things are now. Nothing is written on a refusal.
pub(crate) fn approve(tx: &mut Tx<'_>, hold: HoldRow, ending: &Ending) -> Result<Posted> {
    let device = identity::devices(tx.connection, &[hold.device])?.pop();
    if !device.is_some_and(|row| row.revoked_us.is_none() && row.check(tx.keys).is_ok()) {
        let detail = "The device that ordered it was revoked since: refuse it, and let it be ordered anew.".to_owned();
        return Err(Error::Conflict { code: "request_void", detail });
    }
    let mut view = View::of_holds(tx, std::slice::from_ref(&hold))?;
    let broken = || Error::Integrity("a reservation's currency is unknown".into());
    let posting = Posting {
        from: AccountId(hold.from),
        to: AccountId(hold.to),
        amount: hold.amount,
        currency: hold.currency.parse().map_err(|_| broken())?,
    };
    let party = |id: &Id| view.seen.accounts.get(id).ok_or(Error::Refused(Refusal::AccountUnderReview));
    let (from, to) = (party(&hold.from)?, party(&hold.to)?);
    let entries = decide_approval(&posting, PersonId(ending.person), from, to).map_err(Error::Refused)?;
    let mut effects = Effects::default();
    let posted = capture(tx, &mut view, &mut effects, hold, posting, &entries, ending);
    effects.write(tx, &view)?;
    Ok(posted)
}

/// Frees what the bank does not approve, or what the payer withdraws.
pub(crate) fn refuse(tx: &mut Tx<'_>, hold: HoldRow, ending: &Ending) -> Result<()> {
    let mut view = View::of_holds(tx, std::slice::from_ref(&hold))?;
    if !view.seen.accounts.contains_key(&hold.from) {
        return Err(Error::Refused(Refusal::AccountUnderReview));
    }
    let mut effects = Effects::default();
    release(tx, &mut view, &mut effects, hold, HoldState::Refused, ending);
    Ok(effects.write(tx, &view)?)
}

/// Whether the time of some reservation is over.
pub(crate) fn is_any_due(connection: &mut dyn strongroom_sql::Connection, now_us: i64) -> Result<bool> {
    Ok(!holds::due(connection, OPEN, now_us, 1, 0)?.is_empty())
}

/// Ends reservations whose time is over. Answers how many.
pub(crate) fn expire(tx: &mut Tx<'_>) -> Result<usize> {
    let (mut count, mut passed) = (0, 0);
    // What cannot be ended, since its row or its account is under review, keeps no other waiting.
    while count == 0 {
        let ids = holds::due(tx.connection, OPEN, tx.now_us, DUE_AT_ONCE, passed)?;
        if ids.is_empty() {
            break;
        }
        passed += ids.len() as i64;
        count = expire_these(tx, &ids)?;
    }
    Ok(count)
}

fn expire_these(tx: &mut Tx<'_>, ids: &[Id]) -> Result<usize> {
    let rows = holds::by_ids(tx.connection, ids, true)?;
    // A row that was written by SQL frees nothing.
    let due: Vec<HoldRow> = rows.into_iter().filter(|row| row.check(tx.keys).is_ok()).collect();
    let mut view = View::of_holds(tx, &due)?;
    let mut effects = Effects::default();
    let ending = Ending { person: NOBODY, order_id: None, authority: EXPIRY, order_hash: [0; 32] };
    let mut count = 0;
    for hold in due {
        if view.seen.accounts.contains_key(&hold.from) {
            release(tx, &mut view, &mut effects, hold, HoldState::Expired, &ending);
            count += 1;
        }
    }
    effects.write(tx, &view)?;
    Ok(count)
}

impl View {
    /// The accounts of these reservations, and nothing else.
    fn of_holds(tx: &mut Tx<'_>, holds: &[HoldRow]) -> Result<Self> {
        let wanted = distinct(holds.iter().flat_map(|hold| [hold.from, hold.to]));
        let (accounts, broken) = see_accounts(tx.connection, tx.keys, &wanted)?;
        Ok(View { seen: Seen { accounts, ..Seen::default() }, broken, ..View::default() })
    }
}
