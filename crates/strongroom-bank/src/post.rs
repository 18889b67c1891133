//! The bank's post: what people are told by mail. A message is written down, sealed, in the transaction of
//! what it tells of, and handed over by a thread of its own, again and again until it works or is stale.

use std::sync::{Arc, Weak};
use std::time::Duration;

use strongroom_crypto::random;
use strongroom_notify::{Mail, Message, NotSent};
use strongroom_store::outbox::{self, OutboxRow};
use strongroom_store::{Id, identity};

use crate::keyring::column;
use crate::tx::Tx;
use crate::{Bank, Error, Result, clock};

/// How often the thread looks for what is due.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Messages handed over at one look.
const AT_ONCE: i64 = 20;
/// After the first failure; each doubles it.
const RETRY_US: i64 = 5_000_000;
const RETRY_US_MAX: i64 = 3_600_000_000;
/// How long a notice is worth sending.
const NOTICE_US: i64 = 3 * 24 * 3_600_000_000;

impl Tx<'_> {
    /// Tells a person something at their e-mail address, if they gave one.
    pub fn notify(&mut self, person: &Id, subject: &str, text: &str) -> Result<()> {
        let Some(to) = email_of(self, person)? else { return Ok(()) };
        self.mail(person, &to, subject, text, NOTICE_US)
    }

    /// Sends something to an address.
    pub fn mail(&mut self, person: &Id, to: &str, subject: &str, text: &str, useful_us: i64) -> Result<()> {
        if !self.has_mail {
            return Ok(());
        }
        let message = Message { to: to.into(), subject: subject.into(), text: text.into() };
        let json = serde_json::to_vec(&message).map_err(|e| Error::Internal(e.to_string()))?;
        let id: Id = random::bytes();
        let row = OutboxRow {
            id,
            person: *person,
            message: self.keys.seal(Some(person), column::OUTBOX_MESSAGE, &id, &json)?,
            tries: 0,
            due_us: self.now_us,
            expires_us: self.now_us + useful_us,
        };
        Ok(outbox::add(self.connection, &row)?)
    }
}

/// A person's e-mail address.
pub(crate) fn email_of(tx: &mut Tx<'_>, person: &Id) -> Result<Option<String>> {
    let Some(row) = identity::profile(tx.connection, person)? else { return Ok(None) };
    row.email.as_deref().map(|sealed| tx.keys.unseal_text(Some(person), column::EMAIL, person, sealed)).transpose()
}

/// Starts the thread. It ends when the bank is gone or closing.
pub(crate) fn start(bank: &Arc<Bank>, mail: Mail) -> std::io::Result<()> {
    let bank = Arc::downgrade(bank);
    std::thread::Builder::new().name("post".into()).spawn(move || carry(&bank, &mail)).map(drop)
}

fn carry(bank: &Weak<Bank>, mail: &Mail) {
    loop {
        std::thread::sleep(LOOK_EVERY);
        let Some(bank) = bank.upgrade() else { return };
        if bank.stopped.why().is_some() || bank.is_closing() {
            continue;
        }
        if let Err(e) = bank.carry_post(mail) {
            tracing::error!(error = %e, "the post could not be carried; trying again");
            std::thread::sleep(LOOK_EVERY * 20);
        }
    }
}

impl Bank {
    fn carry_post(&self, mail: &Mail) -> Result<()> {
        let now_us = clock::now_us();
        for row in self.readers.read(|c| Ok(outbox::due(c, now_us, AT_ONCE)?))? {
            let (id, tries) = (row.id, row.tries + 1);
            let sent = if row.expires_us <= now_us {
                Err(NotSent::Never("it is stale".into()))
            } else {
                self.hand_over(mail, &row)
            };
            match sent {
                Ok(()) => {}
                Err(NotSent::Later(why)) => {
                    tracing::warn!(why, tries, "a mail waits");
                    let pause_us = RETRY_US.saturating_mul(1 << tries.min(20)).min(RETRY_US_MAX);
                    self.change_blocking(move |tx| {
                        Ok(outbox::postpone(tx.connection, &id, tries, tx.now_us + pause_us)?)
                    })?;
                    continue;
                }
                Err(NotSent::Never(why)) => tracing::warn!(why, "a mail was given up"),
            }
            self.change_blocking(move |tx| Ok(outbox::remove(tx.connection, &id)?))?;
        }
        Ok(())
    }

    fn hand_over(&self, mail: &Mail, row: &OutboxRow) -> Result<(), NotSent> {
        let opened = self.keys.unseal(Some(&row.person), column::OUTBOX_MESSAGE, &row.id, &row.message);
        let json = opened.map_err(|_| NotSent::Never("it does not open".into()))?;
        let message = serde_json::from_slice(&json).map_err(|_| NotSent::Never("it is malformed".into()))?;
        mail.send(&message)
    }
}
