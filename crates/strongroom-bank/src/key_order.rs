//! Orders about keys, from the bank's own console: given to a running server or, without one, to a
//! bank opened for the purpose. Both carry them out here.

use std::sync::PoisonError;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use strongroom_crypto::lifecycle::State;
use strongroom_ledger::id::PersonId;
use strongroom_sql::Role;
use strongroom_store::Id;
use strongroom_store::keys::{self, Tally, WrappedKey};

use crate::audit::Event;
use crate::keyring::{Purpose, SINGLE};
use crate::queue::BATCHES_WAITING_MAX;
use crate::{Bank, Error, Home, Result, clock};

/// What is to be done.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "order", rename_all = "snake_case", deny_unknown_fields)]
pub enum KeyOrder {
    /// Follow keys by their next versions: one purpose's, one person's, or all that seal or sign tokens.
    Rotate {
        /// The purpose.
        purpose: Option<String>,
        /// One person only.
        person: Option<String>,
    },
    /// Mark a version as known to someone else.
    Compromise {
        /// Which key.
        #[serde(flatten)]
        key: KeyName,
    },
    /// End a version that protects nothing any more.
    Destroy {
        /// Which key.
        #[serde(flatten)]
        key: KeyName,
    },
    /// Wrap all keys anew under new key-encryption keys.
    Rewrap {},
    /// Erase a person.
    Erase {
        /// `usr_…`
        person: String,
    },
    /// Keep a person from being erased until a time, or no longer.
    Hold {
        /// `usr_…`
        person: String,
        /// Microseconds since 1970.
        until_us: Option<i64>,
    },
}

/// One version of a key.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct KeyName {
    /// The purpose.
    pub purpose: String,
    /// Whose, for a person's key.
    pub person: Option<String>,
    /// Which version.
    pub version: i64,
}

/// Purposes whose keys can be followed by a next version.
/// Not the log's, which others know, nor the pepper's, whose old version is needed until everyone has signed in.
const ROTATABLE: [Purpose; 6] =
    [Purpose::Credential, Purpose::Bank, Purpose::Token, Purpose::Mac, Purpose::Index, Purpose::Person];
const ROTATABLE_BY_NAME: [Purpose; 2] = [Purpose::Log, Purpose::Pepper];
/// People's keys followed at a time.
const PAGE: i64 = 1_000;

/// What a home's keyring holds, by purpose and state. No key is opened for it.
pub fn tally(home: &Home) -> Result<Vec<Tally>> {
    Ok(keys::tally(home.keyring(Role::Reader)?.as_mut())?)
}

impl Bank {
    /// Carries an order out. What has to be sealed anew after it follows by itself while the bank is open.
    pub fn carry_out(&self, order: KeyOrder) -> Result<Value> {
        if let Some(why) = self.read_only() {
            return Err(Error::ReadOnly(why));
        }
        // One at a time: two that follow the same key would each take the other's for their own.
        let _turn = self.key_orders.lock().unwrap_or_else(PoisonError::into_inner);
        // Said before it is done, so that a stop in between hides nothing.
        let (event, note) = told(&order);
        let ordered = format!("{event} {note}");
        self.change_blocking(move |tx| tx.audit(Event::new("key.ordered").noting(&ordered)))?;
        let done = self.follow(order)?;
        self.change_blocking(move |tx| tx.audit(Event::new(event).noting(&note)))?;
        Ok(done)
    }

    fn follow(&self, order: KeyOrder) -> Result<Value> {
        match order {
            KeyOrder::Rotate { purpose, person } => self.rotate(purpose.as_deref(), person.as_deref()),
            KeyOrder::Compromise { key } => {
                let (purpose, series) = named(&key)?;
                self.keys.compromise(purpose, &series, key.version, clock::now_us())?;
                Ok(json!({"compromised": key.version}))
            }
            KeyOrder::Destroy { key } => {
                let (purpose, series) = named(&key)?;
                self.refuse_needed(purpose, &series, key.version)?;
                self.keys.destroy(purpose, &series, key.version, clock::now_us())?;
                Ok(json!({"destroyed": key.version}))
            }
            KeyOrder::Rewrap {} => {
                let root = self.config.key.load_root()?;
                Ok(json!({"rewrapped": self.keys.rewrap(&root, clock::now_us())?}))
            }
            KeyOrder::Erase { person } => {
                let erased = self.erase(parsed(&person)?)?;
                Ok(
                    json!({"erased": person, "accounts": erased.accounts, "funded": erased.funded, "devices": erased.devices}),
                )
            }
            KeyOrder::Hold { person, until_us } => {
                self.hold(parsed(&person)?, until_us)?;
                let until = until_us.map(strongroom_ledger::time::to_text);
                Ok(json!({"person": person, "held_until": until}))
            }
        }
    }

    /// A version is destroyed only after a last look, taken when everything that was on its way has arrived,
    /// has found nothing under it.
    fn refuse_needed(&self, purpose: Purpose, series: &Id, version: i64) -> Result<()> {
        let needed = |detail: String| Err(Error::Conflict { code: "key_in_use", detail });
        if purpose == Purpose::Log {
            return needed(
                "The log's old keys are never destroyed: they check what was signed with them. Follow the present one with `keys rotate log`.".into(),
            );
        }
        for _ in 0..BATCHES_WAITING_MAX {
            self.change_blocking(|_| Ok(()))?;
        }
        if purpose == Purpose::Pepper {
            return match self.passwords_with_pepper(version)? {
                0 => Ok(()),
                count => needed(format!(
                    "{count} passwords are hashed with this version. Each is hashed anew when its owner signs in; destroy the version when none is left."
                )),
            };
        }
        let opens = |key: &WrappedKey| {
            key.version == version && [State::Deactivated as i64, State::Compromised as i64].contains(&key.state)
        };
        if self.keys.versions(purpose, series)?.iter().any(opens) {
            while self.walk(purpose, series)? > 0 {}
        }
        Ok(())
    }

    fn rotate(&self, purpose: Option<&str>, person: Option<&str>) -> Result<Value> {
        let now_us = clock::now_us();
        if let Some(person) = person {
            let version = self.keys.rotate(Purpose::Person, &parsed(person)?.0, now_us)?;
            return Ok(json!({"rotated": 1, "version": version}));
        }
        let purposes = match purpose {
            Some(name) => vec![rotatable(name)?],
            None => ROTATABLE.to_vec(),
        };
        if purposes == [Purpose::Log] {
            return Ok(json!({"rotated": 1, "log_key": self.rotate_log()?.to_string()}));
        }
        let mut rotated = 0;
        for purpose in purposes {
            if purpose != Purpose::Person {
                self.keys.rotate(purpose, &SINGLE, now_us)?;
                rotated += 1;
                continue;
            }
            // Those made until now; whoever signs up meanwhile has a new key anyway.
            loop {
                let due = self.keys.due(purpose, 1, u64::MAX >> 1, now_us, PAGE)?;
                if due.is_empty() {
                    break;
                }
                for series in due {
                    self.keys.rotate(purpose, &series, now_us)?;
                    rotated += 1;
                }
            }
        }
        Ok(json!({"rotated": rotated}))
    }
}

/// What the audit log says of an order. Whom an erasure or a hold meets stands in an entry of its own.
fn told(order: &KeyOrder) -> (&'static str, String) {
    let all = || "all".to_owned();
    let name = |key: &KeyName| format!("{} {}", key.purpose, key.version);
    match order {
        KeyOrder::Rotate { person: Some(_), .. } => ("key.rotated", "person".into()),
        KeyOrder::Rotate { purpose, .. } => ("key.rotated", purpose.clone().unwrap_or_else(all)),
        KeyOrder::Compromise { key } => ("key.compromised", name(key)),
        KeyOrder::Destroy { key } => ("key.destroyed", name(key)),
        KeyOrder::Rewrap {} => ("key.rewrapped", all()),
        KeyOrder::Erase { .. } => ("console.erase", String::new()),
        KeyOrder::Hold { .. } => ("console.hold", String::new()),
    }
}

fn parsed(person: &str) -> Result<PersonId> {
    person.parse().map_err(|_| Error::Malformed(format!("`{person}` is not a person's id; it looks like usr_0123…")))
}

fn rotatable(name: &str) -> Result<Purpose> {
    let purpose =
        Purpose::from_name(name).filter(|purpose| ROTATABLE.contains(purpose) || ROTATABLE_BY_NAME.contains(purpose));
    purpose.ok_or_else(|| {
        let names: Vec<&str> = ROTATABLE.iter().map(|purpose| purpose.name()).collect();
        Error::Malformed(format!("`{name}` cannot be rotated; give one of {}, pepper, log", names.join(", ")))
    })
}

pub(crate) fn named(key: &KeyName) -> Result<(Purpose, Id)> {
    let purpose = Purpose::from_name(&key.purpose).ok_or_else(|| {
        Error::Malformed(format!("there is no key purpose `{}`; `keys status` lists them", key.purpose))
    })?;
    match (purpose, &key.person) {
        (Purpose::Person, Some(person)) => Ok((purpose, parsed(person)?.0)),
        (Purpose::Person, None) => Err(Error::Malformed("a person's key needs --person usr_…".into())),
        (_, None) => Ok((purpose, SINGLE)),
        (_, Some(_)) => Err(Error::Malformed("only the purpose person has a key for each person".into())),
    }
}
