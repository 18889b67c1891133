//! The decision whether money moves: a pure function of a posting and the two accounts as they
//! stand. Its refusals come in the order of [`Refusal`]'s numbers.

use crate::id::{AccountId, PersonId};
use crate::money::Currency;
use crate::refusal::Refusal;

/// What an account is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AccountKind {
    /// A customer's money.
    Customer = 1,
    /// Banknotes in the vault and at the tellers.
    Cash = 2,
    /// Fees and interest that the bank earned or owes.
    Fees = 3,
    /// Money whose place is not settled yet.
    Suspense = 4,
    /// Money on its way from or to other banks.
    Clearing = 5,
}

impl AccountKind {
    /// The kind with this number.
    pub fn from_number(number: i64) -> Option<Self> {
        use AccountKind::*;
        [Customer, Cash, Fees, Suspense, Clearing].into_iter().find(|kind| *kind as i64 == number)
    }

    /// Its name in answers.
    pub fn name(self) -> &'static str {
        match self {
            AccountKind::Customer => "customer",
            AccountKind::Cash => "cash",
            AccountKind::Fees => "fees",
            AccountKind::Suspense => "suspense",
            AccountKind::Clearing => "clearing",
        }
    }
}

/// Whether an account can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AccountStatus {
    /// Yes.
    Open = 1,
    /// Not now: nothing moves, in or out.
    Frozen = 2,
    /// Never again.
    Closed = 3,
}

impl AccountStatus {
    /// The status with this number.
    pub fn from_number(number: i64) -> Option<Self> {
        use AccountStatus::*;
        [Open, Frozen, Closed].into_iter().find(|status| *status as i64 == number)
    }

    /// Its name in answers.
    pub fn name(self) -> &'static str {
        match self {
            AccountStatus::Open => "open",
            AccountStatus::Frozen => "frozen",
            AccountStatus::Closed => "closed",
        }
    }

    /// The status with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        use AccountStatus::*;
        [Open, Frozen, Closed].into_iter().find(|status| status.name() == name)
    }
}

/// An account as it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountView {
    /// Its id.
    pub id: AccountId,
    /// The person who owns it; none for the bank's own.
    pub owner: Option<PersonId>,
    /// What it is for.
    pub kind: AccountKind,
    /// What it is counted in.
    pub currency: Currency,
    /// Whether it can be used.
    pub status: AccountStatus,
    /// Minor units.
    pub balance: i64,
    /// Minor units of it that are reserved.
    pub held: i64,
    /// A debit may not take what is not reserved below this; none for accounts without a limit.
    pub floor: Option<i64>,
    /// One order may not take more than this; none for accounts without such a limit.
    pub order_limit: Option<i64>,
    /// The newest posting that touched it.
    pub last_sequence: i64,
}

/// Money that is to move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Posting {
    /// The account debited.
    pub from: AccountId,
    /// The account credited.
    pub to: AccountId,
    /// Minor units.
    pub amount: i64,
    /// Of this currency.
    pub currency: Currency,
}

/// One account's side of a posting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The account.
    pub account: AccountId,
    /// Minor units; debits negative.
    pub amount: i64,
    /// Its balance afterwards.
    pub balance_after: i64,
}

/// Decides a posting. The two entries are the debit and the credit, and their sum is zero.
pub fn decide(posting: &Posting, from: &AccountView, to: &AccountView) -> Result<[Entry; 2], Refusal> {
    check(posting, from, to)?;
    let debited = from.balance.checked_sub(posting.amount).ok_or(Refusal::Overflow)?;
    let credited = to.balance.checked_add(posting.amount).ok_or(Refusal::Overflow)?;
    Ok([
        Entry { account: from.id, amount: -posting.amount, balance_after: debited },
        Entry { account: to.id, amount: posting.amount, balance_after: credited },
    ])
}

/// Decides a reservation: what holds for a posting holds for it. Answers how much is reserved on the account then.
pub fn reserve(posting: &Posting, from: &AccountView, to: &AccountView) -> Result<i64, Refusal> {
    check(posting, from, to)?;
    from.held.checked_add(posting.amount).ok_or(Refusal::Overflow)
}

/// Decides the posting of a whole reservation or of a part of it; the rest is free again.
pub fn capture(posting: &Posting, from: &AccountView, to: &AccountView, reserved: i64) -> Result<[Entry; 2], Refusal> {
    if posting.amount > reserved {
        return Err(Refusal::CaptureTooLarge);
    }
    let freed = from.held.checked_sub(reserved).ok_or(Refusal::Overflow)?;
    // The limit for one order held when it was given.
    decide(posting, &AccountView { held: freed, order_limit: None, ..*from }, to)
}

/// What holds for money that moves now, and for money that is to move later.
fn check(posting: &Posting, from: &AccountView, to: &AccountView) -> Result<(), Refusal> {
    if posting.from != from.id || posting.to != to.id {
        return Err(Refusal::NotFound);
    }
    if posting.amount <= 0 {
        return Err(Refusal::AmountNotPositive);
    }
    if posting.from == posting.to {
        return Err(Refusal::SameAccount);
    }
    if from.currency != posting.currency || to.currency != posting.currency {
        return Err(Refusal::CurrencyMismatch);
    }
    let either_is = |status| from.status == status || to.status == status;
    if either_is(AccountStatus::Closed) {
        return Err(Refusal::AccountClosed);
    }
    if either_is(AccountStatus::Frozen) {
        return Err(Refusal::AccountFrozen);
    }
    // In wider numbers, so that no amount comes round to the other side.
    let free = i128::from(from.balance) - i128::from(from.held) - i128::from(posting.amount);
    if from.floor.is_some_and(|floor| free < i128::from(floor)) {
        return Err(Refusal::InsufficientFunds);
    }
    if from.order_limit.is_some_and(|limit| posting.amount > limit) {
        return Err(Refusal::LimitExceeded);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn account(id: u8, balance: i64) -> AccountView {
        AccountView {
            id: AccountId([id; 16]),
            owner: Some(PersonId([id; 16])),
            kind: AccountKind::Customer,
            currency: Currency::USD,
            status: AccountStatus::Open,
            balance,
            held: 0,
            floor: Some(0),
            order_limit: None,
            last_sequence: 0,
        }
    }

    fn posting(amount: i64) -> Posting {
        Posting { from: AccountId([1; 16]), to: AccountId([2; 16]), amount, currency: Currency::USD }
    }

    #[test]
    fn money_moves_from_one_account_to_the_other() {
        let entries = decide(&posting(30), &account(1, 100), &account(2, 5)).unwrap();
        assert_eq!(entries.map(|e| (e.amount, e.balance_after)), [(-30, 70), (30, 35)]);
        assert!(decide(&posting(100), &account(1, 100), &account(2, 0)).is_ok(), "to the last cent");
    }

    /// Every cause a posting can have against it, switched on one by one from the last to the
    /// first: the answer must always be the one switched on last, which has the lowest number.
    #[test]
    fn the_refusal_with_the_lowest_number_is_given() {
        type Spoil = fn(&mut Posting, &mut AccountView, &mut AccountView);
        let causes: [(Refusal, Spoil); 9] = [
            (Refusal::Overflow, |_, _, to| to.balance = i64::MAX),
            (Refusal::LimitExceeded, |_, from, _| from.order_limit = Some(9)),
            (Refusal::InsufficientFunds, |_, from, _| from.held = 91),
            (Refusal::AccountFrozen, |_, _, to| to.status = AccountStatus::Frozen),
            (Refusal::AccountClosed, |_, from, _| from.status = AccountStatus::Closed),
            (Refusal::CurrencyMismatch, |_, _, to| to.currency = Currency::EUR),
            (Refusal::SameAccount, |posting, from, to| {
                *to = *from;
                posting.to = posting.from;
            }),
            (Refusal::AmountNotPositive, |posting, _, _| posting.amount = 0),
            (Refusal::NotFound, |_, from, _| from.id = AccountId([9; 16])),
        ];
        let (mut order, mut from, mut to) = (posting(10), account(1, 100), account(2, 0));
        assert!(decide(&order, &from, &to).is_ok());
        for (refusal, spoil) in causes {
            spoil(&mut order, &mut from, &mut to);
            assert_eq!(decide(&order, &from, &to), Err(refusal));
        }
        assert!(causes.map(|(refusal, _)| refusal).is_sorted_by(|a, b| a > b));
    }

    #[test]
    fn a_reservation_counts_against_the_floor_and_is_captured_at_most_once_in_whole() {
        let (mut from, to) = (account(1, 100), account(2, 5));
        from.held = reserve(&posting(80), &from, &to).unwrap();
        assert_eq!(decide(&posting(30), &from, &to), Err(Refusal::InsufficientFunds));
        assert_eq!(reserve(&posting(21), &from, &to), Err(Refusal::InsufficientFunds));
        assert!(decide(&posting(20), &from, &to).is_ok());
        assert_eq!(capture(&posting(81), &from, &to, 80), Err(Refusal::CaptureTooLarge));
        assert_eq!(capture(&posting(80), &from, &to, 80).unwrap()[0].balance_after, 20);
        assert_eq!(capture(&posting(1), &from, &to, 80).unwrap()[1].balance_after, 6, "a part");
        assert_eq!(capture(&posting(0), &from, &to, 80), Err(Refusal::AmountNotPositive));
        let frozen = AccountView { status: AccountStatus::Frozen, ..to };
        assert_eq!(capture(&posting(80), &from, &frozen, 80), Err(Refusal::AccountFrozen), "checked again");
        assert_eq!(capture(&posting(1), &AccountView { held: i64::MIN, ..from }, &to, 1), Err(Refusal::Overflow));
    }

    #[test]
    fn each_side_counts() {
        for (status, refusal) in
            [(AccountStatus::Closed, Refusal::AccountClosed), (AccountStatus::Frozen, Refusal::AccountFrozen)]
        {
            let bad = |id| AccountView { status, ..account(id, 100) };
            assert_eq!(decide(&posting(1), &bad(1), &account(2, 0)), Err(refusal));
            assert_eq!(decide(&posting(1), &account(1, 100), &bad(2)), Err(refusal));
        }
        let euro = |id| AccountView { currency: Currency::EUR, ..account(id, 100) };
        assert_eq!(decide(&posting(1), &euro(1), &account(2, 0)), Err(Refusal::CurrencyMismatch));
        assert_eq!(decide(&posting(1), &euro(1), &euro(2)), Err(Refusal::CurrencyMismatch));
        assert_eq!(decide(&posting(1), &account(1, 9), &account(3, 0)), Err(Refusal::NotFound));
    }

    #[test]
    fn arithmetic_at_the_edges_never_wraps() {
        let cash = |balance| AccountView { floor: None, owner: None, kind: AccountKind::Cash, ..account(1, balance) };
        assert_eq!(decide(&posting(1), &cash(i64::MIN), &account(2, 0)), Err(Refusal::Overflow));
        assert_eq!(decide(&posting(i64::MAX), &cash(-2), &account(2, 0)), Err(Refusal::Overflow));
        assert!(decide(&posting(i64::MAX), &cash(-1), &account(2, 0)).is_ok());
        assert_eq!(decide(&posting(i64::MAX), &account(1, -2), &account(2, 0)), Err(Refusal::InsufficientFunds));
        assert_eq!(decide(&posting(1), &account(1, 9), &account(2, i64::MAX)), Err(Refusal::Overflow));
    }

    #[test]
    fn numbers_of_kinds_and_statuses_lead_back() {
        for number in 1..=5 {
            assert_eq!(AccountKind::from_number(number).map(|k| k as i64), Some(number));
        }
        for number in 1..=3 {
            assert_eq!(AccountStatus::from_number(number).map(|s| s as i64), Some(number));
        }
        assert!(AccountKind::from_number(0).is_none() && AccountStatus::from_number(4).is_none());
    }

    /// The dumb model: balances in `i128`, rules in the words of the contract.
    fn model(posting: &Posting, from: &AccountView, to: &AccountView) -> Option<(i128, i128)> {
        let (a, b) = (i128::from(from.balance), i128::from(to.balance));
        let amount = i128::from(posting.amount);
        let counts = |n: i128| i64::try_from(n).is_ok();
        let fine = from.id != to.id
            && amount > 0
            && [from.currency, to.currency] == [posting.currency; 2]
            && [from.status, to.status] == [AccountStatus::Open; 2]
            && from.floor.is_none_or(|floor| a - i128::from(from.held) - amount >= i128::from(floor))
            && from.order_limit.is_none_or(|limit| amount <= i128::from(limit))
            && counts(a - amount)
            && counts(b + amount);
        fine.then_some((a - amount, b + amount))
    }

    fn any_account() -> impl Strategy<Value = AccountView> {
        let balance = prop_oneof![-200..500i64, any::<i64>()];
        let floor = prop_oneof![Just(Some(0)), Just(None), (-100..100i64).prop_map(Some)];
        let status = prop_oneof![8 => Just(AccountStatus::Open), 1 => Just(AccountStatus::Frozen), 1 => Just(AccountStatus::Closed)];
        let currency = prop_oneof![8 => Just(Currency::USD), 1 => Just(Currency::EUR)];
        let held = prop_oneof![3 => Just(0), 1 => 0..300i64];
        let order_limit = prop_oneof![3 => Just(None), 1 => (0..600i64).prop_map(Some)];
        let all = (1..4u8, balance, floor, status, currency, held, order_limit);
        all.prop_map(|(id, balance, floor, status, currency, held, order_limit)| AccountView {
            held,
            order_limit,
            floor,
            status,
            currency,
            ..account(id, balance)
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]
        #[test]
        fn it_agrees_with_the_model(from in any_account(), to in any_account(), amount in prop_oneof![-5..600i64, any::<i64>()]) {
            let posting = Posting { from: from.id, to: to.id, amount, currency: Currency::USD };
            let decided = decide(&posting, &from, &to);
            prop_assert_eq!(decided.is_ok(), model(&posting, &from, &to).is_some());
            if let (Ok([debit, credit]), Some((a, b))) = (decided, model(&posting, &from, &to)) {
                prop_assert_eq!(i128::from(debit.amount) + i128::from(credit.amount), 0);
                prop_assert_eq!((i128::from(debit.balance_after), i128::from(credit.balance_after)), (a, b));
                prop_assert!(from.floor.is_none_or(|floor| debit.balance_after - from.held >= floor));
            }
        }

        #[test]
        fn a_run_of_postings_keeps_the_sum_and_the_floors(
            start in proptest::collection::vec(0..1000i64, 4),
            run in proptest::collection::vec((0..4usize, 0..4usize, -10..400i64), 0..200),
        ) {
            let mut accounts: Vec<AccountView> = start.iter().enumerate().map(|(n, balance)| account(n as u8, *balance)).collect();
            let sum: i64 = start.iter().sum();
            for (from, to, amount) in run {
                let posting = Posting { from: accounts[from].id, to: accounts[to].id, amount, currency: Currency::USD };
                if let Ok([debit, credit]) = decide(&posting, &accounts[from], &accounts[to]) {
                    accounts[from].balance = debit.balance_after;
                    accounts[to].balance = credit.balance_after;
                }
                prop_assert_eq!(accounts.iter().map(|a| a.balance).sum::<i64>(), sum);
                prop_assert!(accounts.iter().all(|a| a.balance >= 0));
            }
        }
    }
}
