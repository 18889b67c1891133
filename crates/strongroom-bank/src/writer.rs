//! The one writer: takes whatever waits, decides it as one batch, commits once, then answers.
//!
//! A deterministic error is bisected out of its batch; a deadlock or a busy database rolls the
//! whole batch back and sees again; a lost reply to COMMIT is settled by reading the batch id back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use strongroom_sql::{Checkpoint, Connection, Kind};
use strongroom_store::meta;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::audit::Chain;
use crate::audit_head::AuditHead;
use crate::fault;
use crate::head::Head;
use crate::keyring::Keyring;
use crate::metrics::Metrics;
use crate::money::{self, Bulk, Command, Kept, Placed, Seen};
use crate::queue::Queue;
use crate::tx::{LogState, Tx};
use crate::{Error, Result, Stopped, clock};

/// Work for the writer.
pub enum Task {
    /// An order that moves money; batches of these are seen and done set by set.
    Money(Box<Command>, oneshot::Sender<Result<Placed>>),
    /// Orders under one signature; linked ones all or none.
    Bulk(Box<Bulk>, oneshot::Sender<Result<Vec<Result<Placed>>>>, OwnedSemaphorePermit),
    /// Any other change of state.
    Other(Box<dyn Job>),
}

/// A change of state that is not money: sees, decides and does inside the batch's transaction,
/// and may be asked to do so again when the batch is rolled back.
pub trait Job: Send {
    /// Does it. `Err` only for the database's own failures.
    fn run(&mut self, tx: &mut Tx<'_>) -> strongroom_sql::Result<()>;
    /// Sends the answer, after the commit, or the reason why there is none.
    fn answer(self: Box<Self>, failed: Option<Error>);
}

/// A job made of a closure.
pub struct Change<F, A> {
    work: F,
    outcome: Option<Result<A>>,
    reply: oneshot::Sender<Result<A>>,
}

impl<F, A> Change<F, A> {
    /// Wraps a closure.
    pub fn new(work: F, reply: oneshot::Sender<Result<A>>) -> Self {
        Change { work, outcome: None, reply }
    }
}

impl<F, A> Job for Change<F, A>
where
    F: FnMut(&mut Tx<'_>) -> Result<A> + Send,
    A: Send,
{
    fn run(&mut self, tx: &mut Tx<'_>) -> strongroom_sql::Result<()> {
        match (self.work)(tx) {
            Err(Error::Database(e)) => Err(e),
            outcome => {
                self.outcome = Some(outcome);
                Ok(())
            }
        }
    }

    fn answer(self: Box<Self>, failed: Option<Error>) {
        let lost = || Err(Error::Internal("the change was not carried out".into()));
        let Change { outcome, reply, .. } = *self;
        let _ = reply.send(failed.map_or_else(|| outcome.unwrap_or_else(lost), Err));
    }
}

/// The writer's thread.
pub struct Writer {
    /// Its connection.
    pub connection: Box<dyn Connection>,
    /// Opens another when this one is lost.
    pub reconnect: Box<dyn Fn() -> strongroom_sql::Result<Box<dyn Connection>> + Send>,
    /// The bank's keys.
    pub keys: Arc<Keyring>,
    /// The log's name.
    pub origin: String,
    /// The epoch under which it may write.
    pub epoch: i64,
    /// Where the log stands.
    pub log: LogState,
    /// The checkpoint kept outside the database.
    pub head: Head,
    /// The newest signed checkpoint, for readers.
    pub published: Arc<std::sync::RwLock<String>>,
    /// What it has done.
    pub metrics: Arc<Metrics>,
    /// The write-ahead log has grown large: the writer begins it anew.
    pub wal_is_large: Arc<AtomicBool>,
    /// The latest time it decided at.
    pub last_us: i64,
    /// Set once it may not write any more.
    pub stopped: Arc<Stopped>,
    /// Whether mail can be sent.
    pub has_mail: bool,
    /// What orders were decided on.
    pub seen: Kept,
    /// Where the audit log stands.
    pub audit: Chain,
    /// The same, kept outside the database.
    pub audit_head: AuditHead,
    /// Tells the time.
    pub clock: Box<dyn Fn() -> i64 + Send>,
    /// Waits before it tries again.
    pub pause: fn(Duration),
}

/// What the orders of a batch were answered: one by one, and bulk by bulk.
#[derive(Default)]
struct Answers {
    single: Vec<Result<Placed>>,
    bulks: Vec<Vec<Result<Placed>>>,
}

/// What one attempt came to, before it is committed.
struct Applied {
    placed: Answers,
    seen: Kept,
    log: Option<(LogState, String)>,
    audit: Chain,
}

const ATTEMPTS_MAX: u32 = 8;
/// How often a lost COMMIT is asked for; each time the database is tried for some seconds.
const READS_BACK_MAX: u32 = 20;

impl Writer {
    /// Runs until the queue is closed and empty.
    pub fn run(mut self, queue: &Queue) {
        while let Some(mut batch) = queue.take() {
            self.settle(&mut batch);
            if self.wal_is_large.swap(false, Ordering::Relaxed)
                && let Err(e) = self.connection.checkpoint(Checkpoint::Restart)
            {
                tracing::warn!(error = %e, "the write-ahead log could not be reset");
            }
        }
        if let Err(e) = self.head.sync() {
            tracing::warn!(error = %e, "the kept checkpoint could not be synced");
        }
    }

    /// Commits a batch, or the parts of it that can be, and answers every task.
    pub(crate) fn settle(&mut self, batch: &mut Vec<Task>) {
        if let Some(why) = self.stopped.why() {
            return refuse(batch, || Error::ReadOnly(why.clone()));
        }
        let mut attempt = 0;
        loop {
            match self.commit(batch) {
                Ok(placed) => return self.answer(batch, placed),
                Err(e) if is_passing(e.kind) && attempt < ATTEMPTS_MAX && self.stopped.why().is_none() => {
                    attempt += 1;
                    self.metrics.retries.inc();
                    tracing::warn!(error = %e, attempt, "a batch was rolled back and is seen again");
                    (self.pause)(Duration::from_millis(1 << attempt));
                    self.renew(e.kind);
                }
                Err(e) if batch.len() > 1 && !is_passing(e.kind) && self.stopped.why().is_none() => {
                    let mut later = batch.split_off(batch.len() / 2);
                    self.settle(batch);
                    return self.settle(&mut later);
                }
                Err(e) => {
                    tracing::error!(error = %e, "a batch could not be committed");
                    return match self.stopped.why() {
                        Some(why) => refuse(batch, || Error::ReadOnly(why.clone())),
                        None if is_passing(e.kind) => refuse(batch, || Error::Busy),
                        None => refuse(batch, || Error::Internal(format!("the database refused the change: {e}"))),
                    };
                }
            }
        }
    }

    /// One attempt: everything is applied in one transaction, or nothing is.
    fn commit(&mut self, batch: &mut [Task]) -> strongroom_sql::Result<Answers> {
        let now_us = (self.clock)().max(self.last_us);
        let id = strongroom_crypto::random::bytes::<16>();
        self.connection.begin()?;
        let applied = self.apply(batch, now_us, &id);
        let Applied { placed, mut seen, log, audit } = match applied {
            Ok(applied) => applied,
            Err(e) => {
                let _ = self.connection.rollback();
                return Err(e);
            }
        };
        fault::point("commit-before");
        let began = clock::moment();
        if let Err(e) = fault::inside("commit-inside", || self.connection.commit()) {
            self.recover_commit(e, &id)?;
            // Another connection counts otherwise.
            seen = Kept::default();
        }
        self.metrics.committed.observe(began.elapsed().as_secs_f64());
        fault::point("commit-after");
        self.last_us = now_us;
        self.seen = seen;
        if let Some((log, note)) = log {
            self.publish(log, note);
        }
        crate::audit::keep(&mut self.audit_head, &self.keys, self.audit, audit);
        self.audit = audit;
        Ok(placed)
    }

    fn apply(&mut self, batch: &mut [Task], now_us: i64, id: &[u8; 16]) -> strongroom_sql::Result<Applied> {
        if !meta::stamp_batch(self.connection.as_mut(), self.epoch, id)? {
            self.stopped.stop("Another server has taken this bank's writer role; stop one of the two and start again.");
            return Err(strongroom_sql::Error::other("the writer's lease was lost"));
        }
        let mut tx = Tx::new(self.connection.as_mut(), &self.keys, now_us, &self.log, self.audit);
        tx.has_mail = self.has_mail;
        let (version, macs) = (tx.connection.data_version()?, self.keys.macs());
        let kept = std::mem::take(&mut self.seen);
        // Other work may change what was seen.
        let is_other = batch.iter().any(|task| matches!(task, Task::Other(_)));
        let seen = if kept.holds(version, &macs) && !is_other { kept.seen } else { Seen::default() };
        let (mut orders, mut bulks) = (Vec::with_capacity(batch.len()), Vec::new());
        for task in batch.iter_mut() {
            match task {
                Task::Other(job) => {
                    job.run(&mut tx)?;
                    tx.seen = Seen::default();
                }
                Task::Money(command, _) => orders.push(&**command),
                Task::Bulk(bulk, ..) => bulks.push(&**bulk),
            }
        }
        tx.seen = seen;
        let single = money::apply(&mut tx, &orders)?;
        let bulks = bulks.into_iter().map(|bulk| money::apply_bulk(&mut tx, bulk));
        let placed = Answers { single, bulks: bulks.collect::<strongroom_sql::Result<_>>()? };
        let (audit, seen) = (tx.audit, Kept { version, macs: Some(macs), seen: std::mem::take(&mut tx.seen) });
        let log = tx.finish(&self.origin, &self.log)?;
        Ok(Applied { placed, seen, log, audit })
    }

    /// A COMMIT whose reply was lost happened if its batch id can be read back.
    fn recover_commit(&mut self, error: strongroom_sql::Error, id: &[u8; 16]) -> strongroom_sql::Result<()> {
        if !matches!(error.kind, Kind::ConnectionLost | Kind::CommitUnknown) {
            let _ = self.connection.rollback();
            return Err(error);
        }
        // Nothing else is tried until this is known: a second attempt beside a batch that was committed would
        // do it twice.
        for attempt in 0..READS_BACK_MAX {
            self.renew(Kind::ConnectionLost);
            match meta::settled_batch(self.connection.as_mut()) {
                Ok(Some(last)) if last == *id => return Ok(()),
                Ok(_) => return Err(error),
                Err(e) => {
                    tracing::warn!(error = %e, attempt, "whether the last batch was committed cannot be read back; trying again")
                }
            }
        }
        self.stopped.stop("The database went away while it committed, and cannot be asked whether it did. Bring it back and restart the server; who gave an order then asks for it by its id.");
        Err(error)
    }

    /// After the commit is proven: the new state becomes the present one.
    fn publish(&mut self, log: LogState, note: String) {
        self.log = log;
        if let Err(e) = self.head.keep(&note) {
            tracing::error!(error = %e, "the newest checkpoint could not be kept outside the database; check the home's disk");
        }
        *self.published.write().unwrap_or_else(std::sync::PoisonError::into_inner) = note;
    }

    fn answer(&mut self, batch: &mut Vec<Task>, placed: Answers) {
        self.metrics.batch.observe(batch.len() as f64);
        placed.single.iter().chain(placed.bulks.iter().flatten()).for_each(|placed| self.metrics.count(placed));
        let (mut placed, mut bulks) = (placed.single.into_iter(), placed.bulks.into_iter());
        let undecided = || Error::Internal("an order was not decided".into());
        for task in batch.drain(..) {
            match task {
                Task::Other(job) => job.answer(None),
                Task::Money(_, reply) => {
                    let _ = reply.send(placed.next().unwrap_or_else(|| Err(undecided())));
                }
                Task::Bulk(_, reply, turn) => {
                    let _ = reply.send(bulks.next().ok_or_else(undecided));
                    drop(turn);
                }
            }
        }
    }

    fn renew(&mut self, kind: Kind) {
        if kind != Kind::ConnectionLost && kind != Kind::CommitUnknown {
            return;
        }
        for pause_ms in [10, 100, 500, 1000, 2000] {
            match (self.reconnect)() {
                Ok(connection) => {
                    self.connection = connection;
                    self.seen = Kept::default();
                    return;
                }
                Err(e) => tracing::warn!(error = %e, "the database cannot be reached; trying again"),
            }
            (self.pause)(Duration::from_millis(pause_ms));
        }
    }
}

/// Errors that may pass when the batch is seen again.
fn is_passing(kind: Kind) -> bool {
    matches!(kind, Kind::Busy | Kind::Deadlock | Kind::ConnectionLost | Kind::CommitUnknown)
}

fn refuse(batch: &mut Vec<Task>, why: impl Fn() -> Error) {
    for task in batch.drain(..) {
        match task {
            Task::Other(job) => job.answer(Some(why())),
            Task::Money(_, reply) => {
                let _ = reply.send(Err(why()));
            }
            Task::Bulk(_, reply, _) => {
                let _ = reply.send(Err(why()));
            }
        }
    }
}
