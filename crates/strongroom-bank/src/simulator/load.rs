//! One run: commands by the dice, the real writer and the shadow side by side, and a look at everything after each
//! batch.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use strongroom_crypto::digest::sha256;
use strongroom_ledger::action::Action;
use strongroom_ledger::decide::{AccountStatus, Posting};
use strongroom_ledger::id::{AccountId, PersonId, TransferId};
use strongroom_ledger::leaf::bulk::SignedBulk;
use strongroom_ledger::leaf::{Authority, PayeePart, PayerPart, PostingKind, Signed};
use strongroom_ledger::merkle::{self, Frontier};
use strongroom_ledger::note::Checkpoint;
use strongroom_ledger::refusal::Refusal;
use strongroom_store::bulks::BulkRow;
use strongroom_store::holds::HoldRow;
use strongroom_store::{Id, accounts, holds, log, money as store};
use tokio::sync::{Semaphore, oneshot};

use super::faults::{Crash, Faults, Shared};
use super::scene::{Scene, Template, device_id, locked, person_id, session_id, set_status};
use super::shadow::{ACCOUNTS, APPROVAL_ABOVE, Answer, CASH, Item, Order, PEOPLE, Shadow, TELLER, owner};
use super::{Dice, Met};
use crate::era::Eras;
use crate::factor::NOBODY;
use crate::keyring::column;
use crate::money::{Bulk, Command, Parts, Placed, hold};
use crate::tx::Tx;
use crate::verify::Signatures;
use crate::writer::{Change, Task, Writer};
use crate::{Error, Result, bulk, verify};

const BATCHES: u64 = 24;

/// What a run came to: the same for the same seed.
#[derive(Debug, PartialEq, Eq)]
pub struct Outcome {
    answers: Vec<String>,
    faults: Vec<&'static str>,
    /// Of the last checkpoint that was published.
    root: [u8; 32],
}

/// A command under way.
enum Asked {
    Order { item: Item, answer: Reply<Placed> },
    Bulk { items: Vec<Item>, linked: bool, answer: Reply<Vec<Result<Placed>>> },
    Freeze { account: usize, is_frozen: bool, answer: Reply<()> },
    Approve { name: u64, answer: Reply<bool> },
    Refuse { name: u64, answer: Reply<bool> },
    Expire { answer: Reply<()> },
}

type Reply<T> = oneshot::Receiver<Result<T>>;

struct Run<'a> {
    seed: u64,
    dice: Dice,
    scene: Scene<'a>,
    faults: Shared,
    shadow: Shadow,
    last_us: i64,
    /// Names that were given to transfers.
    names: Vec<u64>,
    orders: Vec<(usize, u64, Order)>,
    next_id: u64,
    /// The log as it was published, at every size.
    seen: BTreeSet<(u64, [u8; 32])>,
    answers: Vec<String>,
    turns: Arc<Semaphore>,
    /// Nothing went wrong in the last batch.
    is_undisturbed: bool,
    met: &'a Met,
}

/// One seed.
pub fn run(template: &Template, met: &Met, seed: u64) -> Outcome {
    let mut dice = Dice(seed);
    let faults = Faults::new(Dice(dice.next()));
    let mut run = Run {
        seed,
        scene: template.copy(),
        faults,
        shadow: Shadow::new(),
        last_us: 0,
        names: Vec::new(),
        orders: Vec::new(),
        next_id: 1,
        seen: BTreeSet::new(),
        answers: Vec::new(),
        turns: Arc::new(Semaphore::new(1)),
        is_undisturbed: true,
        met,
        dice,
    };
    run.all()
}

impl Run<'_> {
    fn all(&mut self) -> Outcome {
        let mut writer = self.restart();
        for batch in 0..BATCHES {
            self.move_clock();
            let is_other = self.dice.one_in(4);
            let (tasks, asked) = if is_other && batch > 2 { self.others() } else { self.orders() };
            locked(&self.faults).one_in = if self.dice.one_in(3) { 0 } else { 300 };
            let before = locked(&self.faults).log.len();
            let crashed = settle(&mut writer, tasks);
            locked(&self.faults).one_in = 0;
            self.is_undisturbed = locked(&self.faults).log.len() == before;
            let is_over = crashed || writer.stopped.why().is_some();
            if !crashed {
                self.note_published(&writer);
            }
            if is_over {
                drop(writer);
                self.compare(asked);
                writer = self.restart();
            } else {
                self.last_us = writer.last_us;
                self.compare(asked);
            }
            self.look(batch % 8 == 7 || batch + 1 == BATCHES);
        }
        let outcome = self.outcome();
        let faults = &outcome.faults;
        let of = |part: &str| faults.iter().filter(|fault| fault.contains(part)).count() as u64;
        Met::add(&self.met.crashes, of("crash"));
        Met::add(&self.met.lost_commits, of("commit lost") + of("commit kept"));
        Met::add(&self.met.other_faults, faults.len() as u64 - of("crash") - of("commit lost") - of("commit kept"));
        Met::add(&self.met.postings, self.shadow.postings() as u64);
        outcome
    }

    fn restart(&mut self) -> Writer {
        let writer = self.scene.start(&self.faults);
        self.last_us = writer.last_us;
        writer
    }

    fn outcome(&self) -> Outcome {
        let (_, root) = *self.seen.last().expect("a checkpoint");
        Outcome { answers: self.answers.clone(), faults: locked(&self.faults).log.clone(), root }
    }

    fn now_us(&self) -> i64 {
        self.scene.clock.load(Ordering::Relaxed).max(self.last_us)
    }

    /// Mostly on, at times by days, at times back.
    fn move_clock(&mut self) {
        let by = match self.dice.below(20) {
            0 => -(self.dice.below(3_600_000_000) as i64),
            1 => self.dice.below(8 * 24) as i64 * 3_600_000_000,
            _ => self.dice.below(2_000_000) as i64,
        };
        self.scene.clock.fetch_add(by, Ordering::Relaxed);
    }

    fn orders(&mut self) -> (Vec<Task>, Vec<Asked>) {
        // Bulks are decided behind the single orders of their batch: they come alone.
        if self.dice.one_in(5) {
            let count = 1 + self.dice.below(12);
            // They hold one person's orders that place something, as those that come through the API.
            let placing = |item: &Item| matches!(item.order, Order::Transfer { .. } | Order::Hold { .. });
            let mut all: Vec<(Command, Item)> =
                (0..count).map(|_| self.order()).filter(|(_, item)| placing(item)).collect();
            let person = all.first().map_or(0, |(_, item)| item.person);
            all.retain(|(_, item)| item.person == person);
            let (commands, items): (Vec<Command>, Vec<Item>) = all.into_iter().unzip();
            let linked = self.dice.one_in(2);
            let (reply, answer) = oneshot::channel();
            let bulk = Box::new(self.bulk(commands, &items, linked));
            let turn = self.turns.clone().try_acquire_owned().expect("a turn");
            return (vec![Task::Bulk(bulk, reply, turn)], vec![Asked::Bulk { items, linked, answer }]);
        }
        let count = 1 + self.dice.below(8);
        let one = |_| {
            let (command, item) = self.order();
            let (reply, answer) = oneshot::channel();
            (Task::Money(Box::new(command), reply), Asked::Order { item, answer })
        };
        (0..count).map(one).unzip()
    }

    /// Kept as the API keeps it, under its signer's key.
    fn bulk(&self, mut commands: Vec<Command>, items: &[Item], linked: bool) -> Bulk {
        let person = commands.first().map_or(NOBODY, |command| command.person);
        let body = |item: &Item| format!("{:?}", item.order).into_bytes();
        let leaves = items.iter().map(|item| merkle::leaf_hash(&body(item))).collect();
        let jws =
            format!("a bulk of {}", items.iter().map(|item| item.name.to_string()).collect::<Vec<_>>().join(", "));
        let signed = SignedBulk { jws, linked, leaves };
        let (keys, id) = (&self.scene.template.keys, bulk::id_of(&signed.digest()));
        for (index, (command, item)) in commands.iter_mut().zip(items).enumerate() {
            let place = Signed::InBulk { jws_sha256: signed.digest(), index: index as u64 };
            command.parts = self.parts(command.transfer, item.name, command.posting.ok(), body(item), place);
        }
        let signed = match commands.is_empty() {
            true => Vec::new(),
            false => keys.seal(Some(&person), column::SIGNED_BULK, &id, &signed.encode()).expect("it is sealed"),
        };
        Bulk { commands, linked, row: BulkRow { id, person, signed } }
    }

    fn order(&mut self) -> (Command, Item) {
        Met::add(&self.met.commands, 1);
        // Some come again, as they were or with another content.
        let again = if self.dice.one_in(8) { self.dice.pick(&self.orders).cloned() } else { None };
        let (person, id, order) = match again {
            Some((person, id, _)) if self.dice.one_in(4) => (person, id, self.new_order(person)),
            Some(again) => again,
            None => {
                let person = if self.dice.one_in(5) { TELLER } else { self.dice.below(TELLER as u64) as usize };
                self.next_id += 1;
                (person, self.next_id, self.new_order(person))
            }
        };
        self.orders.push((person, id, order.clone()));
        self.next_id += 1;
        let name = self.next_id;
        self.names.push(name);
        let known = match order {
            Order::Capture { transfer, .. } | Order::Release { transfer } => self.shadow.stands(transfer, false),
            Order::Reverse { transfer } => self.shadow.stands(transfer, true),
            _ => None,
        };
        let command = self.command(person, id, name, &order, known);
        (command, Item { person, id, name, order, known })
    }

    fn new_order(&mut self, person: usize) -> Order {
        let dice = &mut self.dice;
        let amount = match dice.below(12) {
            0 => 0,
            1 => 5_000 + dice.below(3) as i64,
            2 => dice.below(20_000) as i64,
            _ => dice.below(600) as i64,
        };
        let any = |dice: &mut Dice| dice.below(ACCOUNTS as u64) as usize;
        if person == TELLER || dice.one_in(24) {
            return Order::Deposit { to: any(dice), amount: amount.saturating_mul(40) };
        }
        let own = if dice.one_in(16) { any(dice) } else { 2 * person + dice.below(2) as usize };
        let transfer = dice.pick(&self.names).copied().unwrap_or(0);
        match dice.below(10) {
            0 | 1 => {
                let capturer = dice.below(PEOPLE as u64) as usize;
                let until_us = self.scene.clock.load(Ordering::Relaxed) + dice.below(1 << 40) as i64;
                Order::Hold { from: own, to: any(dice), amount, capturer, until_us }
            }
            2 | 3 => {
                let open: Vec<u64> = self.shadow.holds.iter().filter(|(_, h)| h.is_open).map(|(n, _)| *n).collect();
                let transfer = if dice.one_in(4) { transfer } else { dice.pick(&open).copied().unwrap_or(transfer) };
                let amount = if dice.one_in(2) { None } else { Some(amount) };
                if dice.one_in(3) { Order::Release { transfer } } else { Order::Capture { transfer, amount } }
            }
            4 => Order::Reverse { transfer },
            _ => Order::Transfer { from: own, to: any(dice), amount },
        }
    }

    fn command(&self, person: usize, id: u64, name: u64, order: &Order, known: Option<(usize, usize, i64)>) -> Command {
        let account = |account: usize| self.scene.template.accounts[account];
        let currency = "USD".parse().expect("a currency");
        let posting = |from: usize, to: usize, amount: i64| {
            Ok(Posting { from: account(from), to: account(to), amount, currency })
        };
        let known = |amount: Option<i64>, is_back: bool| match known {
            None => Err(Refusal::NotFound),
            Some((from, to, whole)) if is_back => posting(to, from, amount.unwrap_or(whole)),
            Some((from, to, whole)) => posting(from, to, amount.unwrap_or(whole)),
        };
        let transfer = |name: u64| TransferId(Dice(name + 1_000).id());
        let (action, posting) = match *order {
            Order::Transfer { from, to, amount } => (Action::Post(PostingKind::Transfer), posting(from, to, amount)),
            Order::Deposit { to, amount } => (Action::Post(PostingKind::Deposit), posting(CASH, to, amount)),
            Order::Hold { from, to, amount, capturer, until_us } => (
                Action::Reserve { capturer: PersonId(person_id(capturer)), until_us: Some(until_us) },
                posting(from, to, amount),
            ),
            Order::Capture { transfer: of, amount } => (Action::Capture(transfer(of)), known(amount, false)),
            Order::Release { transfer: of } => (Action::Release(transfer(of)), known(None, false)),
            Order::Reverse { transfer: of } => (Action::Reverse(transfer(of)), known(None, true)),
        };
        let named = match *order {
            Order::Capture { transfer: of, .. } | Order::Release { transfer: of } => transfer(of),
            _ => transfer(name),
        };
        let body = format!("{order:?}").into_bytes();
        Command {
            transfer: named,
            action,
            person: person_id(person),
            session: session_id(person),
            device: device_id(person),
            order_id: format!("order-{id}"),
            order_hash: sha256(&body),
            posting,
            approval_above: APPROVAL_ABOVE,
            parts: self.parts(named, name, posting.ok(), body, Signed::Alone("a signature".into())),
        }
    }

    /// Sealed as the API seals them, with salts by the dice.
    fn parts(&self, id: TransferId, name: u64, posting: Option<Posting>, order: Vec<u8>, signed: Signed) -> Parts {
        let accounts = &self.scene.template.accounts;
        let owner = |id: AccountId| accounts.iter().position(|a| *a == id).and_then(owner).map(person_id);
        let owners = posting.map_or([None, None], |posting| [owner(posting.from), owner(posting.to)]);
        let mut dice = Dice(name + 5_000);
        let salts = [dice.id(), dice.id(), dice.id()];
        let payer = PayerPart { order, signed };
        let payee = PayeePart { description: format!("order {name}") };
        Parts::seal(&self.scene.template.keys, id, owners, salts, &payer, &payee).expect("they are sealed")
    }

    fn others(&mut self) -> (Vec<Task>, Vec<Asked>) {
        let count = 1 + self.dice.below(3);
        // One account's state at most changes in a batch, and each reservation is decided once: two changes would hide
        // each other from who looks after it.
        let mut taken = Vec::new();
        (0..count).map(|place| self.other(place == 0, &mut taken)).unzip()
    }

    fn other(&mut self, may_freeze: bool, taken: &mut Vec<u64>) -> (Task, Asked) {
        let waiting: Vec<u64> =
            self.shadow.holds.iter().filter(|(_, h)| h.is_open && h.capturer.is_none()).map(|(n, _)| *n).collect();
        let wanted = self.dice.pick(&waiting).copied().filter(|name| !taken.contains(name));
        taken.extend(wanted);
        match (self.dice.below(4), wanted) {
            (0, Some(name)) => {
                let id = TransferId(Dice(name + 1_000).id());
                let (task, answer) = job(move |tx| match hold::pending(tx, id) {
                    Ok(row) => done(hold::approve(tx, row, &ending()).map(drop)),
                    Err(e) => done(Err(e)),
                });
                (task, Asked::Approve { name, answer })
            }
            (1, Some(name)) => {
                let id = TransferId(Dice(name + 1_000).id());
                let (task, answer) = job(move |tx| match hold::pending(tx, id) {
                    Ok(row) => done(hold::refuse(tx, row, &ending())),
                    Err(e) => done(Err(e)),
                });
                (task, Asked::Refuse { name, answer })
            }
            (3, _) if may_freeze => {
                let (account, is_frozen) = (self.dice.below(CASH as u64) as usize, self.dice.one_in(3));
                let id = self.scene.template.accounts[account];
                let (task, answer) = job(move |tx| Ok(set_status(tx.connection, tx.keys, id, is_frozen)?));
                (task, Asked::Freeze { account, is_frozen, answer })
            }
            _ => {
                let (task, answer) = job(|tx| hold::expire(tx).map(drop));
                (task, Asked::Expire { answer })
            }
        }
    }

    /// What was answered against what the shadow answers. What was not answered happened, or did not: the rows say.
    fn compare(&mut self, asked: Vec<Asked>) {
        let now_us = self.now_us();
        let mut connection = self.scene.look();
        let c = connection.as_mut();
        for one in asked {
            match one {
                Asked::Order { item, mut answer } => {
                    let given = self.given(answer.try_recv());
                    // Whatever was said, its id is spent or not.
                    if given.is_none() && !is_spent(c, &item) {
                        continue;
                    }
                    let Item { person, id, name, order, known } = &item;
                    let expected = self.shadow.place(*person, *id, *name, order, *known, now_us);
                    if let Some(given) = given {
                        self.check(&item, given, expected);
                    }
                }
                Asked::Bulk { items, linked, mut answer } => {
                    let given = self.given(answer.try_recv());
                    // All of them happened, or none: any that was not spent before tells.
                    let fresh = |item: &&Item| !self.shadow.is_spent(item.person, item.id);
                    if given.is_none() && !items.iter().filter(fresh).any(|item| is_spent(c, item)) {
                        continue;
                    }
                    let expected = match linked {
                        true => self.shadow.place_linked(&items, now_us),
                        false => items
                            .iter()
                            .map(|i| self.shadow.place(i.person, i.id, i.name, &i.order, i.known, now_us))
                            .collect(),
                    };
                    for ((item, given), expected) in
                        items.iter().zip(given.and_then(Result::ok).into_iter().flatten()).zip(expected)
                    {
                        self.check(item, given, expected);
                    }
                }
                Asked::Freeze { account, is_frozen, mut answer } => {
                    let row = accounts::by_ids(c, &[self.scene.template.accounts[account].0], false).expect("accounts");
                    let is_frozen_now = row[0].status == AccountStatus::Frozen as i64;
                    if matches!(answer.try_recv(), Ok(Ok(()))) {
                        assert_eq!(is_frozen_now, is_frozen, "seed {}: what was answered stands", self.seed);
                    }
                    self.shadow.accounts[account].is_frozen = is_frozen_now;
                }
                Asked::Approve { name, mut answer } => match answer.try_recv() {
                    Ok(Ok(was_done)) => assert_eq!(was_done, self.shadow.approve(name, now_us), "seed {}", self.seed),
                    _ if self.is_open(name) && ended(c, name).is_some_and(|row| row.state == 3) => {
                        assert!(self.shadow.approve(name, now_us))
                    }
                    _ => {}
                },
                Asked::Refuse { name, mut answer } => match answer.try_recv() {
                    Ok(Ok(was_done)) => assert_eq!(was_done, self.shadow.refuse(name, now_us), "seed {}", self.seed),
                    _ if self.is_open(name) && ended(c, name).is_some_and(|row| row.state == 6) => {
                        assert!(self.shadow.refuse(name, now_us))
                    }
                    _ => {}
                },
                Asked::Expire { mut answer } => {
                    let is_done = matches!(answer.try_recv(), Ok(Ok(())));
                    let due = |h: &super::shadow::Hold| h.is_open && h.until_us <= now_us;
                    let first = self.shadow.holds.iter().find(|(_, h)| due(h)).map(|(name, _)| *name);
                    let by_rows = first.is_some_and(|name| ended(c, name).is_some_and(|row| row.state == 5));
                    if is_done || by_rows {
                        self.shadow.expire(now_us);
                    }
                }
            }
        }
    }

    /// What was answered; none where the storage was in the way.
    fn given<T>(&self, answer: std::result::Result<Result<T>, oneshot::error::TryRecvError>) -> Option<Result<T>> {
        match answer {
            Ok(Err(Error::Busy | Error::Internal(_) | Error::ReadOnly(_))) | Err(_) => {
                assert!(!self.is_undisturbed, "seed {}: nothing was in the way", self.seed);
                None
            }
            Ok(given) => Some(given),
        }
    }

    fn check(&mut self, item: &Item, given: Result<Placed>, expected: (Answer, bool)) {
        Met::add(&self.met.replays, u64::from(expected.1));
        let given_replay = given.as_ref().is_ok_and(|placed| placed.replay);
        let given = shown(given, self.seed);
        Met::add(&self.met.refusals, u64::from(matches!(given, Answer::Refused(_))));
        assert_eq!((given.clone(), given_replay), expected, "seed {}: {item:?}", self.seed);
        self.answers.push(format!("{given:?}"));
    }

    fn is_open(&self, name: u64) -> bool {
        self.shadow.holds.get(&name).is_some_and(|hold| hold.is_open)
    }

    fn note_published(&mut self, writer: &Writer) {
        let note = writer.published.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        let checkpoint = Checkpoint::parse(&note).expect("a checkpoint");
        self.seen.insert((checkpoint.size, checkpoint.root));
    }

    /// The rows are those of the shadow, and now and then the whole ledger is verified from them.
    fn look(&self, whole: bool) {
        let seed = self.seed;
        let mut connection = self.scene.look();
        let c = connection.as_mut();
        let ids: Vec<Id> = self.scene.template.accounts.iter().map(|id| id.0).collect();
        let rows = accounts::balances(c, &ids, false).expect("balances");
        for (account, id) in self.scene.template.accounts.iter().enumerate() {
            let row = rows.iter().find(|row| row.account == id.0).expect("a balance");
            let shadow = &self.shadow.accounts[account];
            let real = (i128::from(row.balance), i128::from(row.held));
            assert_eq!(real, (shadow.balance, shadow.held), "seed {seed}: account {account}");
        }
        assert_eq!(rows.iter().map(|row| i128::from(row.balance)).sum::<i128>(), 0, "seed {seed}: the sum");
        if !whole {
            return;
        }
        let eras = Eras::read(c, &self.scene.template.keys).expect("the log's names");
        let mut report = verify::Report::default();
        verify::walk(c, &self.scene.template.keys, &eras, None, Signatures::Trusted, &mut report)
            .unwrap_or_else(|e| panic!("seed {seed}: {e}"));
        assert_eq!(report.transfers as usize, self.shadow.postings(), "seed {seed}: every posting once");
        assert_eq!(report.orders as usize, self.shadow.spent(), "seed {seed}: every order once");
        let leaves = log::commitments(c, 0, i64::MAX).expect("leaves");
        let (mut frontier, mut at) = (Frontier::default(), 0);
        for (size, root) in &self.seen {
            while at < *size as usize {
                frontier.append(merkle::leaf_hash(&leaves[at]));
                at += 1;
            }
            assert_eq!(frontier.root(), *root, "seed {seed}: the log extends what was published at {size}");
        }
    }
}

/// Whether an order's id is spent, by SQL's word.
fn is_spent(c: &mut dyn strongroom_sql::Connection, item: &Item) -> bool {
    let order_id = format!("order-{}", item.id);
    !store::orders(c, &[(person_id(item.person), order_id.as_str())]).expect("orders").is_empty()
}

/// Lets the writer do a batch. Answers whether the process ended in it.
fn settle(writer: &mut Writer, mut tasks: Vec<Task>) -> bool {
    match catch_unwind(AssertUnwindSafe(|| writer.settle(&mut tasks))) {
        Ok(()) => false,
        Err(cause) if cause.is::<Crash>() => true,
        Err(cause) => resume_unwind(cause),
    }
}

fn job<A: Send + 'static>(work: impl FnMut(&mut Tx<'_>) -> Result<A> + Send + 'static) -> (Task, Reply<A>) {
    let (reply, answer) = oneshot::channel();
    (Task::Other(Box::new(Change::new(work, reply))), answer)
}

/// A refusal by the rules is an answer; what the database does is none.
fn done(outcome: Result<()>) -> Result<bool> {
    match outcome {
        Ok(()) => Ok(true),
        Err(Error::Database(e)) => Err(Error::Database(e)),
        Err(_) => Ok(false),
    }
}

fn ending() -> hold::Ending {
    hold::Ending { person: NOBODY, order_id: None, authority: Authority::Rule(3), order_hash: [0; 32] }
}

fn ended(c: &mut dyn strongroom_sql::Connection, name: u64) -> Option<HoldRow> {
    holds::by_ids(c, &[Dice(name + 1_000).id()], false).expect("reservations").pop()
}

fn shown(given: Result<Placed>, seed: u64) -> Answer {
    match given {
        Ok(Placed { outcome: Ok(posted), .. }) => Answer::Done { status: posted.status.name(), amount: posted.amount },
        Ok(Placed { outcome: Err(refusal), .. }) => Answer::Refused(refusal.code()),
        Err(Error::Conflict { .. }) => Answer::Conflict,
        Err(Error::Forbidden { .. }) => Answer::Forbidden,
        Err(e) => panic!("seed {seed}: an answer that the shadow does not know: {e}"),
    }
}
