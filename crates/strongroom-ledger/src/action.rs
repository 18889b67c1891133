//! What an order asks for, and what the rules make of it: whose accounts it may name, how much moves without a second
//! person, how long money is reserved, who captures it. Pure, as [`crate::decide`] is, which has the rules of a posting.

use crate::decide::{AccountStatus, AccountView, Entry, Posting, capture, decide, reserve};
use crate::id::{PersonId, TransferId};
use crate::leaf::{HoldState, PostingKind};
use crate::order::HOLD_S_MAX;
use crate::refusal::Refusal;

/// What an order asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Money moves.
    Post(PostingKind),
    /// Money is reserved.
    Reserve {
        /// Who may capture it.
        capturer: PersonId,
        /// Until when; left out, a week.
        until_us: Option<i64>,
    },
    /// Reserved money moves, or a part of it.
    Capture(TransferId),
    /// Reserved money is free again.
    Release(TransferId),
    /// A posting is taken back.
    Reverse(TransferId),
}

impl Action {
    /// Whether a customer pays by it, so that a large sum needs more than their signature.
    pub fn pays(self) -> bool {
        matches!(self, Action::Post(PostingKind::Transfer) | Action::Reserve { .. })
    }
}

/// An order, by what the rules ask of it.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// What it asks for.
    pub action: Action,
    /// What is to move.
    pub posting: Posting,
    /// Who orders it.
    pub by: PersonId,
    /// Whether they may take postings of others back.
    pub may_reverse: bool,
    /// A transfer of more than this waits for the bank's approval.
    pub approval_above: i64,
    /// What it captures or releases, as it stands; none where there is nothing.
    pub reservation: Option<Reservation>,
    /// Whether what it takes back was taken back before.
    pub is_reversed: bool,
}

/// Money that is reserved for a capture, or was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reservation {
    /// Who may capture it.
    pub capturer: PersonId,
    /// Minor units.
    pub amount: i64,
    /// Until when.
    pub until_us: i64,
    /// Where it stands.
    pub state: HoldState,
}

/// What the rules allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The money moves.
    Post([Entry; 2]),
    /// It is reserved.
    Reserve(Terms),
    /// What was reserved moves, or a part of it; the rest is free.
    Capture([Entry; 2]),
    /// What was reserved is free.
    Release,
}

/// How a reservation begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Held for a capture, or waiting for approval.
    pub state: HoldState,
    /// Who may capture it; nobody while it waits for approval.
    pub capturer: PersonId,
    /// Until when.
    pub until_us: i64,
    /// How much is reserved on the account then.
    pub held: i64,
}

const WEEK_US: i64 = 7 * 24 * 3_600_000_000;
/// What is reserved without saying until when is free again after this.
const HOLD_US: i64 = WEEK_US;
/// A transfer waits so long for the bank's approval.
const APPROVAL_US: i64 = WEEK_US;
const NOBODY: PersonId = PersonId([0; 16]);

/// Decides an order: whose it is to give first, then its own rules and those of a posting.
pub fn decide_order(asked: &Asked, from: &AccountView, to: &AccountView, now_us: i64) -> Result<Decision, Refusal> {
    is_theirs_to_order(asked, from, to)?;
    let posting = &asked.posting;
    match asked.action {
        Action::Post(PostingKind::Transfer) if posting.amount > asked.approval_above => {
            let (held, until_us) = (reserve(posting, from, to)?, now_us + APPROVAL_US);
            Ok(Decision::Reserve(Terms { state: HoldState::Pending, capturer: NOBODY, until_us, held }))
        }
        Action::Post(_) => decide(posting, from, to).map(Decision::Post),
        Action::Reserve { capturer, until_us } => {
            let held = reserve(posting, from, to)?;
            // Who may capture it is the payer's choice: it is no way around the bank's approval.
            if posting.amount > asked.approval_above {
                return Err(Refusal::LimitExceeded);
            }
            let until_us = until_us.unwrap_or(now_us + HOLD_US);
            if until_us <= now_us || until_us > now_us + HOLD_S_MAX * 1_000_000 {
                return Err(Refusal::HoldTerms);
            }
            Ok(Decision::Reserve(Terms { state: HoldState::Held, capturer, until_us, held }))
        }
        Action::Capture(_) => {
            let reserved = open(asked, now_us)?.amount;
            capture(posting, from, to, reserved).map(Decision::Capture)
        }
        Action::Release(_) => open(asked, now_us).map(|_| Decision::Release),
        Action::Reverse(_) if asked.is_reversed => Err(Refusal::AlreadyReversed),
        Action::Reverse(_) => {
            // What is taken back goes whatever one order of the account may take.
            let from = AccountView { order_limit: None, ..*from };
            decide(posting, &from, to).map(Decision::Post)
        }
    }
}

/// Decides what the bank approves, whole, as things are now; nobody approves what is paid from or to them.
pub fn decide_approval(
    posting: &Posting,
    by: PersonId,
    from: &AccountView,
    to: &AccountView,
) -> Result<[Entry; 2], Refusal> {
    if from.owner == Some(by) || to.owner == Some(by) {
        return Err(Refusal::OwnAccount);
    }
    capture(posting, from, to, posting.amount)
}

/// Whether this person may order it of these accounts; what is not theirs is not there.
fn is_theirs_to_order(asked: &Asked, from: &AccountView, to: &AccountView) -> Result<(), Refusal> {
    let own = |account: &AccountView| account.owner == Some(asked.by);
    let is_customers = |account: &AccountView| account.owner.is_some();
    let theirs = |is_theirs: bool| if is_theirs { Ok(()) } else { Err(Refusal::NotFound) };
    match asked.action {
        Action::Post(PostingKind::Deposit) if own(to) => Err(Refusal::OwnAccount),
        Action::Post(PostingKind::Deposit) => theirs(is_customers(to)),
        Action::Post(PostingKind::Withdrawal) if own(from) => Err(Refusal::OwnAccount),
        Action::Post(PostingKind::Withdrawal) => theirs(is_customers(from)),
        Action::Post(_) | Action::Reserve { .. } => theirs(own(from) && is_customers(to)),
        Action::Capture(_) | Action::Release(_) => {
            theirs(asked.reservation.is_some_and(|reservation| reservation.capturer == asked.by))
        }
        // Who was paid may give it back; staff may take it back, not from or for themselves.
        Action::Reverse(_) if own(from) => theirs(is_customers(to)),
        Action::Reverse(_) => {
            theirs(asked.may_reverse)?;
            if own(to) { Err(Refusal::OwnAccount) } else { Ok(()) }
        }
    }
}

/// A reservation that a capture is still good for. One that waits for approval is not.
fn open(asked: &Asked, now_us: i64) -> Result<Reservation, Refusal> {
    let is_open = |of: &Reservation| of.state == HoldState::Held && of.until_us > now_us;
    asked.reservation.filter(is_open).ok_or(Refusal::HoldEnded)
}

/// What is to be changed about an account; what is left out stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AccountChange {
    /// Open, frozen or closed.
    pub status: Option<AccountStatus>,
    /// How far below zero it may go, in minor units.
    pub overdraft: Option<i64>,
    /// How much one order may take, in minor units; `Some(None)` lifts the limit.
    pub order_limit: Option<Option<i64>>,
}

/// Why an account stays as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unchanged {
    /// It is closed for ever.
    Closed,
    /// It cannot be closed while it holds or reserves something.
    NotEmpty,
    /// It is further below zero than it may go then.
    OverdraftUsed,
    /// A negative overdraft.
    Overdraft,
    /// A negative limit.
    OrderLimit,
}

impl AccountChange {
    /// Whether it does nothing but close the account, which its owner may.
    pub fn only_closes(&self) -> bool {
        *self == AccountChange { status: Some(AccountStatus::Closed), ..AccountChange::default() }
    }

    /// The account as it is then.
    pub fn of(&self, account: &AccountView) -> Result<AccountView, Unchanged> {
        let mut changed = *account;
        if account.status == AccountStatus::Closed {
            return Err(Unchanged::Closed);
        }
        if self.status == Some(AccountStatus::Closed) && (account.balance != 0 || account.held != 0) {
            return Err(Unchanged::NotEmpty);
        }
        if let Some(overdraft) = self.overdraft {
            if overdraft < 0 {
                return Err(Unchanged::Overdraft);
            }
            if account.balance.saturating_sub(account.held) < -overdraft {
                return Err(Unchanged::OverdraftUsed);
            }
            changed.floor = Some(-overdraft);
        }
        if let Some(limit) = self.order_limit {
            if limit.is_some_and(|limit| limit < 0) {
                return Err(Unchanged::OrderLimit);
            }
            changed.order_limit = limit;
        }
        changed.status = self.status.unwrap_or(account.status);
        Ok(changed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::AccountKind;
    use crate::id::AccountId;
    use crate::money::Currency;

    const ANA: PersonId = PersonId([1; 16]);
    const BEN: PersonId = PersonId([2; 16]);
    const TELLER: PersonId = PersonId([3; 16]);
    const NOW_US: i64 = 1_000_000_000;
    const REFERRED: TransferId = TransferId([9; 16]);

    fn account(id: u8, owner: Option<PersonId>, balance: i64) -> AccountView {
        AccountView {
            id: AccountId([id; 16]),
            owner,
            kind: if owner.is_some() { AccountKind::Customer } else { AccountKind::Cash },
            currency: Currency::USD,
            status: AccountStatus::Open,
            balance,
            held: 0,
            floor: owner.map(|_| 0),
            order_limit: None,
            last_sequence: 0,
        }
    }

    fn asked(action: Action, by: PersonId, from: &AccountView, to: &AccountView, amount: i64) -> Asked {
        let posting = Posting { from: from.id, to: to.id, amount, currency: Currency::USD };
        let (may_reverse, is_reversed) = (by == TELLER, false);
        Asked { action, posting, by, may_reverse, approval_above: 100, reservation: None, is_reversed }
    }

    /// Who may order what of whose accounts.
    #[test]
    fn what_is_not_theirs_is_not_there() {
        let (ana, ben) = (account(1, Some(ANA), 500), account(2, Some(BEN), 500));
        let (cash, tellers) = (account(3, None, 0), account(4, Some(TELLER), 500));
        let (transfer, deposit, withdrawal) = (
            Action::Post(PostingKind::Transfer),
            Action::Post(PostingKind::Deposit),
            Action::Post(PostingKind::Withdrawal),
        );
        let reverse = Action::Reverse(REFERRED);
        let hold = Action::Reserve { capturer: BEN, until_us: None };
        for (action, by, from, to, expected) in [
            (transfer, ANA, &ana, &ben, None),
            (transfer, BEN, &ana, &ben, Some(Refusal::NotFound)),
            (transfer, ANA, &ana, &cash, Some(Refusal::NotFound)),
            (hold, ANA, &ana, &ben, None),
            (hold, BEN, &ana, &ben, Some(Refusal::NotFound)),
            (hold, ANA, &ana, &cash, Some(Refusal::NotFound)),
            (deposit, TELLER, &cash, &ana, None),
            (deposit, TELLER, &cash, &tellers, Some(Refusal::OwnAccount)),
            (withdrawal, TELLER, &ana, &cash, None),
            (withdrawal, TELLER, &tellers, &cash, Some(Refusal::OwnAccount)),
            (withdrawal, TELLER, &cash, &ana, Some(Refusal::NotFound)),
            (reverse, BEN, &ben, &ana, None),
            (reverse, BEN, &ben, &cash, Some(Refusal::NotFound)),
            (reverse, ANA, &ben, &ana, Some(Refusal::NotFound)),
            (reverse, TELLER, &ben, &ana, None),
            (reverse, TELLER, &ben, &cash, None),
            (reverse, TELLER, &ben, &tellers, Some(Refusal::OwnAccount)),
        ] {
            let decided = decide_order(&asked(action, by, from, to, 10), from, to, NOW_US);
            assert_eq!(decided.err(), expected, "{action:?} by {by:?} from {:?} to {:?}", from.id, to.id);
        }
    }

    #[test]
    fn a_large_transfer_waits_and_a_large_reservation_is_no_way_around() {
        let (ana, ben) = (account(1, Some(ANA), 500), account(2, Some(BEN), 0));
        let order = |action, amount| decide_order(&asked(action, ANA, &ana, &ben, amount), &ana, &ben, NOW_US);
        let transfer = Action::Post(PostingKind::Transfer);
        assert!(matches!(order(transfer, 100), Ok(Decision::Post(_))), "up to the limit nobody is asked");
        let terms = Terms { state: HoldState::Pending, capturer: NOBODY, until_us: NOW_US + WEEK_US, held: 101 };
        assert_eq!(order(transfer, 101), Ok(Decision::Reserve(terms)));
        assert_eq!(order(transfer, 501), Err(Refusal::InsufficientFunds), "funds come before approval");
        let hold = |until_us| Action::Reserve { capturer: ANA, until_us };
        assert_eq!(order(hold(None), 101), Err(Refusal::LimitExceeded));
        let terms = Terms { state: HoldState::Held, capturer: ANA, until_us: NOW_US + WEEK_US, held: 100 };
        assert_eq!(order(hold(None), 100), Ok(Decision::Reserve(terms)));
        let most = NOW_US + HOLD_S_MAX * 1_000_000;
        for (until_us, is_fine) in [(NOW_US, false), (NOW_US + 1, true), (most, true), (most + 1, false)] {
            let decided = order(hold(Some(until_us)), 1);
            assert_eq!(decided.err(), (!is_fine).then_some(Refusal::HoldTerms), "{until_us}");
        }
        let posting = asked(transfer, ANA, &ana, &ben, 101).posting;
        let waiting = AccountView { held: 101, balance: 101, ..ana };
        assert!(decide_approval(&posting, TELLER, &waiting, &ben).is_ok());
        for party in [ANA, BEN] {
            assert_eq!(decide_approval(&posting, party, &waiting, &ben), Err(Refusal::OwnAccount));
        }
    }

    #[test]
    fn a_reservation_is_for_who_is_named_and_ends_once() {
        let (ana, ben) = (AccountView { held: 60, ..account(1, Some(ANA), 60) }, account(2, Some(BEN), 0));
        let held = Reservation { capturer: BEN, amount: 60, until_us: NOW_US + 1, state: HoldState::Held };
        let order = |action, by, reservation, amount| {
            let asked = Asked { reservation, ..asked(action, by, &ana, &ben, amount) };
            decide_order(&asked, &ana, &ben, NOW_US)
        };
        let (capture, release) = (Action::Capture(REFERRED), Action::Release(REFERRED));
        assert!(matches!(order(capture, BEN, Some(held), 60), Ok(Decision::Capture(_))));
        assert_eq!(order(capture, BEN, Some(held), 61), Err(Refusal::CaptureTooLarge));
        assert_eq!(order(release, BEN, Some(held), 60), Ok(Decision::Release));
        for action in [capture, release] {
            assert_eq!(order(action, ANA, Some(held), 60), Err(Refusal::NotFound), "the payer is not named");
            assert_eq!(order(action, BEN, None, 60), Err(Refusal::NotFound));
            let late = Reservation { until_us: NOW_US, ..held };
            assert_eq!(order(action, BEN, Some(late), 60), Err(Refusal::HoldEnded));
            for number in 2..=6 {
                let state = HoldState::from_number(number).unwrap();
                let other = Reservation { state, ..held };
                assert_eq!(order(action, BEN, Some(other), 60), Err(Refusal::HoldEnded), "{state:?}");
            }
        }
        let again = Asked { is_reversed: true, ..asked(Action::Reverse(REFERRED), BEN, &ben, &ana, 1) };
        assert_eq!(decide_order(&again, &ben, &ana, NOW_US), Err(Refusal::AlreadyReversed));
        let tight = AccountView { order_limit: Some(1), ..account(2, Some(BEN), 50) };
        let back = asked(Action::Reverse(REFERRED), BEN, &tight, &ana, 50);
        assert!(decide_order(&back, &tight, &ana, NOW_US).is_ok(), "whatever one order may take");
    }

    #[test]
    fn accounts_are_changed_within_what_they_hold() {
        let account = AccountView { held: 3, ..account(1, Some(ANA), 5) };
        let empty = AccountView { balance: 0, held: 0, ..account };
        let status = |status| AccountChange { status: Some(status), ..AccountChange::default() };
        let closes = status(AccountStatus::Closed);
        assert!(closes.only_closes() && !status(AccountStatus::Frozen).only_closes());
        assert!(!AccountChange { overdraft: Some(0), ..closes }.only_closes());
        assert_eq!(closes.of(&account), Err(Unchanged::NotEmpty));
        assert_eq!(
            closes.of(&AccountView { balance: 0, ..account }),
            Err(Unchanged::NotEmpty),
            "what is reserved counts"
        );
        let closed = closes.of(&empty).unwrap();
        assert_eq!(closed.status, AccountStatus::Closed);
        assert_eq!(status(AccountStatus::Open).of(&closed), Err(Unchanged::Closed));
        let limits = AccountChange { overdraft: Some(7), order_limit: Some(Some(4)), ..AccountChange::default() };
        let limited = limits.of(&account).unwrap();
        assert_eq!((limited.floor, limited.order_limit, limited.status), (Some(-7), Some(4), AccountStatus::Open));
        let lifted = AccountChange { order_limit: Some(None), ..AccountChange::default() };
        assert_eq!(lifted.of(&limited).unwrap().order_limit, None);
        let none = AccountChange { overdraft: Some(0), ..AccountChange::default() };
        assert_eq!(none.of(&AccountView { balance: 2, ..account }), Err(Unchanged::OverdraftUsed));
        for (change, why) in [
            (AccountChange { overdraft: Some(-1), ..AccountChange::default() }, Unchanged::Overdraft),
            (AccountChange { order_limit: Some(Some(-1)), ..AccountChange::default() }, Unchanged::OrderLimit),
        ] {
            assert_eq!(change.of(&account), Err(why));
        }
        assert_eq!(AccountChange::default().of(&account), Ok(account));
    }
}
