//! The dumb shadow: what the contract says of orders, in numbers too wide to overflow and with nothing batched,
//! cached or optimised. It shares no code with the rules.

use std::collections::BTreeMap;

/// Who: three customers, and a teller.
pub const PEOPLE: usize = 4;
pub const TELLER: usize = 3;
/// Six customers' accounts, two each, and the bank's cash.
pub const ACCOUNTS: usize = 7;
pub const CASH: usize = 6;
/// Above this a transfer waits for approval.
pub const APPROVAL_ABOVE: i64 = 5_000;
pub const APPROVAL_US: i64 = 7 * 24 * 3_600_000_000;

/// An order, by names that only the simulator uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    Transfer { from: usize, to: usize, amount: i64 },
    Deposit { to: usize, amount: i64 },
    Hold { from: usize, to: usize, amount: i64, capturer: usize, until_us: i64 },
    Capture { transfer: u64, amount: Option<i64> },
    Release { transfer: u64 },
    Reverse { transfer: u64 },
}

/// An order with who gave it, and what it was called.
#[derive(Clone, Debug)]
pub struct Item {
    pub person: usize,
    /// The order's id.
    pub id: u64,
    /// What it makes is called so.
    pub name: u64,
    pub order: Order,
    /// What stood under the transfer's name when it was given.
    pub known: Option<(usize, usize, i64)>,
}

/// What an order was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Done { status: &'static str, amount: i64 },
    Refused(&'static str),
    Conflict,
    Forbidden,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    pub balance: i128,
    pub held: i128,
    pub is_frozen: bool,
    pub floor: Option<i128>,
}

#[derive(Clone, Debug)]
pub struct Hold {
    pub from: usize,
    pub to: usize,
    pub amount: i64,
    pub capturer: Option<usize>,
    pub until_us: i64,
    pub is_open: bool,
}

#[derive(Clone, Debug)]
struct Posting {
    from: usize,
    to: usize,
    amount: i64,
    is_reversal: bool,
    is_reversed: bool,
}

/// The books, as a child would keep them.
#[derive(Clone, Debug)]
pub struct Shadow {
    pub accounts: Vec<Account>,
    pub holds: BTreeMap<u64, Hold>,
    postings: BTreeMap<u64, Posting>,
    orders: BTreeMap<(usize, u64), (Order, Answer)>,
}

pub fn owner(account: usize) -> Option<usize> {
    if account == CASH { None } else { Some(account / 2) }
}

impl Shadow {
    pub fn new() -> Self {
        let customers = Account { balance: 0, held: 0, is_frozen: false, floor: Some(0) };
        let mut accounts = vec![customers; ACCOUNTS];
        accounts[CASH].floor = None;
        Shadow { accounts, holds: BTreeMap::new(), postings: BTreeMap::new(), orders: BTreeMap::new() }
    }

    pub fn postings(&self) -> usize {
        self.postings.len()
    }

    pub fn is_spent(&self, person: usize, id: u64) -> bool {
        self.orders.contains_key(&(person, id))
    }

    pub fn spent(&self) -> usize {
        self.orders.len()
    }

    /// What stands under a transfer's name: payer, payee, amount.
    pub fn stands(&self, transfer: u64, reverse: bool) -> Option<(usize, usize, i64)> {
        if reverse {
            let posting = self.postings.get(&transfer).filter(|p| !p.is_reversal)?;
            return Some((posting.from, posting.to, posting.amount));
        }
        if let Some(hold) = self.holds.get(&transfer) {
            return Some((hold.from, hold.to, hold.amount));
        }
        self.postings.get(&transfer).filter(|p| !p.is_reversal).map(|p| (p.from, p.to, p.amount))
    }

    /// Places linked orders: all are carried out, or none. What spoils them is refused for its own reason, the others
    /// for its sake.
    pub fn place_linked(&mut self, items: &[Item], now_us: i64) -> Vec<(Answer, bool)> {
        let mut dry = self.clone();
        let mut answers = Vec::new();
        let mut spoilt = None;
        for (at, item) in items.iter().enumerate() {
            let (answer, is_replay) = dry.place(item.person, item.id, item.name, &item.order, item.known, now_us);
            match &answer {
                Answer::Done { .. } => {}
                Answer::Refused(why) if !is_replay => spoilt = Some((at, Some(*why))),
                _ => spoilt = Some((at, None)),
            }
            answers.push((answer, is_replay));
            if spoilt.is_some() {
                break;
            }
        }
        let Some((first, why)) = spoilt else {
            *self = dry;
            return answers;
        };
        let place = |(at, item): (usize, &Item)| {
            let refused = if at == first { why } else { Some("linked_refused") };
            self.place_or_refuse(item, refused, now_us)
        };
        items.iter().enumerate().map(place).collect()
    }

    fn place_or_refuse(&mut self, item: &Item, refused: Option<&'static str>, now_us: i64) -> (Answer, bool) {
        let Item { person, id, name, order, known } = item;
        let is_spent = self.orders.contains_key(&(*person, *id));
        match refused {
            Some(why) if !is_spent && self.may(*person, order) => {
                let answer = Answer::Refused(why);
                self.orders.insert((*person, *id), (order.clone(), answer.clone()));
                (answer, false)
            }
            _ => self.place(*person, *id, *name, order, *known, now_us),
        }
    }

    fn may(&self, person: usize, order: &Order) -> bool {
        match order {
            Order::Deposit { .. } => person == TELLER,
            _ => person != TELLER,
        }
    }

    /// Places an order. `known` is what stood under the transfer's name when it was given.
    pub fn place(
        &mut self,
        person: usize,
        id: u64,
        name: u64,
        order: &Order,
        known: Option<(usize, usize, i64)>,
        now_us: i64,
    ) -> (Answer, bool) {
        if !self.may(person, order) {
            return (Answer::Forbidden, false);
        }
        if let Some((before, answer)) = self.orders.get(&(person, id)) {
            return if before == order { (answer.clone(), true) } else { (Answer::Conflict, false) };
        }
        let answer = self.decide(person, name, order, known, now_us);
        self.orders.insert((person, id), (order.clone(), answer.clone()));
        (answer, false)
    }

    fn decide(
        &mut self,
        person: usize,
        name: u64,
        order: &Order,
        known: Option<(usize, usize, i64)>,
        now_us: i64,
    ) -> Answer {
        match *order {
            Order::Transfer { from, to, amount } => {
                if owner(from) != Some(person) || owner(to).is_none() {
                    return Answer::Refused("not_found");
                }
                if let Err(refused) = self.check(from, to, amount, 0) {
                    return Answer::Refused(refused);
                }
                if amount > APPROVAL_ABOVE {
                    let until_us = now_us + APPROVAL_US;
                    self.reserve(name, Hold { from, to, amount, capturer: None, until_us, is_open: true });
                    return Answer::Done { status: "pending_approval", amount };
                }
                self.post(name, from, to, amount, false)
            }
            Order::Deposit { to, amount } => {
                if owner(to).is_none() {
                    return Answer::Refused("not_found");
                }
                match self.check(CASH, to, amount, 0) {
                    Err(refused) => Answer::Refused(refused),
                    Ok(()) => self.post(name, CASH, to, amount, false),
                }
            }
            Order::Hold { from, to, amount, capturer, until_us } => {
                if owner(from) != Some(person) || owner(to).is_none() {
                    return Answer::Refused("not_found");
                }
                if let Err(refused) = self.check(from, to, amount, 0) {
                    return Answer::Refused(refused);
                }
                if amount > APPROVAL_ABOVE {
                    return Answer::Refused("limit_exceeded");
                }
                if until_us <= now_us || until_us > now_us + 31 * 24 * 3_600_000_000 {
                    return Answer::Refused("hold_out_of_range");
                }
                self.reserve(name, Hold { from, to, amount, capturer: Some(capturer), until_us, is_open: true });
                Answer::Done { status: "held", amount }
            }
            Order::Capture { transfer, amount } => self.capture(person, transfer, amount, known, now_us),
            Order::Release { transfer } => {
                if known.is_none() {
                    return Answer::Refused("not_found");
                }
                match self.holds.get(&transfer) {
                    Some(hold) if hold.capturer == Some(person) => {
                        if !hold.is_open || hold.until_us <= now_us {
                            return Answer::Refused("hold_ended");
                        }
                        let amount = hold.amount;
                        self.end_hold(transfer);
                        Answer::Done { status: "released", amount }
                    }
                    _ => Answer::Refused("not_found"),
                }
            }
            Order::Reverse { transfer } => {
                let Some((from, to, amount)) = known else { return Answer::Refused("not_found") };
                // It goes back: who was paid pays.
                if owner(to) != Some(person) || owner(from).is_none() {
                    return Answer::Refused("not_found");
                }
                if self.postings.get(&transfer).is_some_and(|posting| posting.is_reversed) {
                    return Answer::Refused("already_reversed");
                }
                match self.check(to, from, amount, 0) {
                    Err(refused) => Answer::Refused(refused),
                    Ok(()) => {
                        if let Some(posting) = self.postings.get_mut(&transfer) {
                            posting.is_reversed = true;
                        }
                        self.post(name, to, from, amount, true)
                    }
                }
            }
        }
    }

    fn capture(
        &mut self,
        person: usize,
        transfer: u64,
        amount: Option<i64>,
        known: Option<(usize, usize, i64)>,
        now_us: i64,
    ) -> Answer {
        let Some((from, to, whole)) = known else { return Answer::Refused("not_found") };
        let amount = amount.unwrap_or(whole);
        let hold = match self.holds.get(&transfer) {
            Some(hold) if hold.capturer == Some(person) => hold.clone(),
            _ => return Answer::Refused("not_found"),
        };
        if !hold.is_open || hold.until_us <= now_us {
            return Answer::Refused("hold_ended");
        }
        if amount > hold.amount {
            return Answer::Refused("capture_too_large");
        }
        if let Err(refused) = self.check(from, to, amount, hold.amount) {
            return Answer::Refused(refused);
        }
        self.end_hold(transfer);
        self.post(transfer, from, to, amount, false);
        Answer::Done { status: "captured", amount }
    }

    fn check(&self, from: usize, to: usize, amount: i64, freed: i64) -> Result<(), &'static str> {
        if amount <= 0 {
            return Err("amount_not_positive");
        }
        if from == to {
            return Err("same_account");
        }
        let (payer, payee) = (&self.accounts[from], &self.accounts[to]);
        if payer.is_frozen || payee.is_frozen {
            return Err("account_frozen");
        }
        let free = payer.balance - payer.held + i128::from(freed) - i128::from(amount);
        if payer.floor.is_some_and(|floor| free < floor) {
            return Err("insufficient_funds");
        }
        Ok(())
    }

    fn reserve(&mut self, name: u64, hold: Hold) {
        self.accounts[hold.from].held += i128::from(hold.amount);
        self.holds.insert(name, hold);
    }

    fn end_hold(&mut self, name: u64) {
        if let Some(hold) = self.holds.get_mut(&name).filter(|hold| hold.is_open) {
            hold.is_open = false;
            self.accounts[hold.from].held -= i128::from(hold.amount);
        }
    }

    fn post(&mut self, name: u64, from: usize, to: usize, amount: i64, is_reversal: bool) -> Answer {
        self.accounts[from].balance -= i128::from(amount);
        self.accounts[to].balance += i128::from(amount);
        self.postings.insert(name, Posting { from, to, amount, is_reversal, is_reversed: false });
        Answer::Done { status: "posted", amount }
    }

    /// The bank approves what waits for it. Answers whether it was done.
    pub fn approve(&mut self, name: u64, now_us: i64) -> bool {
        let Some(hold) = self.holds.get(&name).cloned() else { return false };
        let waits = hold.is_open && hold.capturer.is_none() && hold.until_us > now_us;
        if !waits || self.check(hold.from, hold.to, hold.amount, hold.amount).is_err() {
            return false;
        }
        self.end_hold(name);
        self.post(name, hold.from, hold.to, hold.amount, false);
        true
    }

    /// The bank refuses it.
    pub fn refuse(&mut self, name: u64, now_us: i64) -> bool {
        let waits = |hold: &Hold| hold.is_open && hold.capturer.is_none() && hold.until_us > now_us;
        let waits = self.holds.get(&name).is_some_and(waits);
        if waits {
            self.end_hold(name);
        }
        waits
    }

    /// What is reserved is free again when its time is over.
    pub fn expire(&mut self, now_us: i64) {
        let due = |(name, hold): (&u64, &Hold)| (hold.is_open && hold.until_us <= now_us).then_some(*name);
        let due: Vec<u64> = self.holds.iter().filter_map(due).collect();
        for name in due {
            self.end_hold(name);
        }
    }
}
