//! Storage that fails as storage does: busy, deadlocked, full, gone; a commit that happened or not, and no word of it;
//! and the end of the process, at any call.

use std::sync::{Arc, Mutex, PoisonError};

use strongroom_sql::{
    Checkpoint, Connection, Dialect, Error, Insert, Kind, Result, Row, SelectKeys, Upsert, Value, WalProgress,
};

use super::Dice;

/// The process ended here.
pub struct Crash;

/// What goes wrong, and when, by the dice.
pub struct Faults {
    dice: Dice,
    /// One call in so many fails; none while it is zero.
    pub one_in: u64,
    /// What the crashes and failures were, in order.
    pub log: Vec<&'static str>,
}

/// Shared by the connections of one run.
pub type Shared = Arc<Mutex<Faults>>;

impl Faults {
    pub fn new(dice: Dice) -> Shared {
        Arc::new(Mutex::new(Faults { dice, one_in: 0, log: Vec::new() }))
    }

    fn strike(&mut self, among: &[&'static str], often: u64) -> Option<&'static str> {
        if self.one_in == 0 || !self.dice.one_in((self.one_in / often).max(1)) {
            return None;
        }
        let fault = self.dice.pick(among).copied();
        self.log.extend(fault);
        fault
    }
}

/// A connection on which faults strike.
pub struct Faulty {
    inner: Box<dyn Connection>,
    faults: Shared,
    is_gone: bool,
}

impl Faulty {
    pub fn new(inner: Box<dyn Connection>, faults: Shared) -> Self {
        Faulty { inner, faults, is_gone: false }
    }

    fn strike(&self, among: &[&'static str], often: u64) -> Option<&'static str> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner).strike(among, often)
    }

    /// Before a call that is no commit.
    fn before(&mut self) -> Result<()> {
        if self.is_gone {
            return Err(Error::new(Kind::ConnectionLost, "the connection is gone"));
        }
        match self.strike(&["busy", "deadlock", "lost", "full", "crash"], 1) {
            None => Ok(()),
            Some("busy") => Err(Error::new(Kind::Busy, "simulated: busy")),
            Some("deadlock") => Err(Error::new(Kind::Deadlock, "simulated: deadlock")),
            Some("full") => Err(Error::new(Kind::Full, "simulated: the disk is full")),
            Some("crash") => self.crash(),
            Some(_) => self.lose("simulated: the connection was lost"),
        }
    }

    fn lose<T>(&mut self, words: &str) -> Result<T> {
        self.is_gone = true;
        let _ = self.inner.rollback();
        Err(Error::new(Kind::ConnectionLost, words))
    }

    fn crash<T>(&mut self) -> T {
        self.is_gone = true;
        let _ = self.inner.rollback();
        std::panic::resume_unwind(Box::new(Crash))
    }
}

impl Connection for Faulty {
    fn dialect(&self) -> Dialect {
        self.inner.dialect()
    }

    fn begin(&mut self) -> Result<()> {
        self.before()?;
        self.inner.begin()
    }

    fn commit(&mut self) -> Result<()> {
        if self.is_gone {
            return Err(Error::new(Kind::ConnectionLost, "the connection is gone"));
        }
        let unknown = || Err(Error::new(Kind::CommitUnknown, "simulated: no word of the commit"));
        // A commit is where it matters most.
        match self.strike(&["commit lost", "commit kept", "crash before", "crash after", "commit busy"], 40) {
            None => self.inner.commit(),
            Some("commit lost") => {
                self.is_gone = true;
                let _ = self.inner.rollback();
                unknown()
            }
            Some("commit kept") => {
                self.is_gone = true;
                self.inner.commit()?;
                unknown()
            }
            Some("crash before") => self.crash(),
            Some("crash after") => {
                self.inner.commit()?;
                self.crash()
            }
            Some(_) => Err(Error::new(Kind::Busy, "simulated: busy at the commit")),
        }
    }

    fn rollback(&mut self) -> Result<()> {
        if self.is_gone { Ok(()) } else { self.inner.rollback() }
    }

    fn execute(&mut self, sql: &str, params: &[Value<'_>]) -> Result<u64> {
        self.before()?;
        self.inner.execute(sql, params)
    }

    fn query(&mut self, sql: &str, params: &[Value<'_>]) -> Result<Vec<Row>> {
        self.before()?;
        self.inner.query(sql, params)
    }

    fn query_each(
        &mut self,
        sql: &str,
        params: &[Value<'_>],
        each: &mut dyn FnMut(&mut Row) -> Result<()>,
    ) -> Result<()> {
        self.before()?;
        self.inner.query_each(sql, params, each)
    }

    fn insert_rows(&mut self, insert: &Insert<'_>, rows: &[&[Value<'_>]]) -> Result<()> {
        self.before()?;
        self.inner.insert_rows(insert, rows)
    }

    fn upsert_rows(&mut self, upsert: &Upsert<'_>, rows: &[&[Value<'_>]]) -> Result<()> {
        self.before()?;
        self.inner.upsert_rows(upsert, rows)
    }

    fn select_keys(&mut self, select: &SelectKeys<'_>, keys: &[&[Value<'_>]]) -> Result<Vec<Row>> {
        self.before()?;
        self.inner.select_keys(select, keys)
    }

    fn check(&mut self, sql: &str) -> Result<()> {
        self.inner.check(sql)
    }

    fn data_version(&mut self) -> Result<Option<i64>> {
        self.inner.data_version()
    }

    fn checkpoint(&mut self, how: Checkpoint) -> Result<WalProgress> {
        self.inner.checkpoint(how)
    }

    fn durability_warnings(&mut self) -> Result<Vec<String>> {
        self.inner.durability_warnings()
    }
}
