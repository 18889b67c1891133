//! The orders of a bulk, on the writer's side: linked ones are carried out together, or none of them.

use std::collections::HashMap;

use strongroom_ledger::refusal::Refusal;
use strongroom_store::bulks::{self, BulkRow};

use super::{Command, Decided, Effects, Placed, Seen, View, place_decided};
use crate::Result;
use crate::tx::Tx;

/// Orders under one signature, prepared outside the writer.
pub struct Bulk {
    /// Its orders.
    pub commands: Vec<Command>,
    /// All of them, or none.
    pub linked: bool,
    /// What is kept of it when one of them is carried out.
    pub row: BulkRow,
}

/// See, decide, do for a bulk; answers are in the order of its orders.
pub fn apply_bulk(tx: &mut Tx<'_>, bulk: &Bulk) -> strongroom_sql::Result<Vec<Result<Placed>>> {
    let all: Vec<&Command> = bulk.commands.iter().collect();
    let mut view = View::see(tx, &all)?;
    let spoilt = if bulk.linked { view.first_refused(&all, tx.now_us) } else { None };
    let mut effects = Effects::default();
    let answers = all.iter().enumerate().map(|(at, command)| {
        // What spoils them is refused for what it met behind the others, which are not carried out.
        let refused = spoilt.and_then(|(first, why)| if first == at { why } else { Some(Refusal::LinkedRefused) });
        place_decided(tx, &mut view, &mut effects, command, refused)
    });
    let answers = answers.collect();
    if !effects.transfers.is_empty() || !effects.holds.is_empty() {
        bulks::keep(tx.connection, &bulk.row)?;
    }
    effects.write(tx, &view)?;
    tx.seen = view.seen;
    Ok(answers)
}

impl View {
    /// The first of linked orders that would be refused, each decided on what those before it leave, and why; or that
    /// cannot be placed at all.
    fn first_refused(&self, commands: &[&Command], now_us: i64) -> Option<(usize, Option<Refusal>)> {
        let touched = commands.iter().filter_map(|c| c.posting.as_ref().ok()).flat_map(|p| [p.from.0, p.to.0]);
        let known = touched.filter_map(|id| Some((id, *self.seen.accounts.get(&id)?)));
        let people = commands.iter().map(|command| command.person);
        let permissions = people.filter_map(|id| Some((id, self.seen.permissions.get(&id)?.clone())));
        let seen = Seen { accounts: known.collect(), permissions: permissions.collect(), ..Seen::default() };
        let mut dry = View { seen, broken: self.broken.clone(), ..View::default() };
        let mut met = HashMap::new();
        commands.iter().enumerate().find_map(|(at, command)| {
            let key = (command.person, command.order_id.clone());
            if self.permit(command, now_us).is_err() {
                return Some((at, None));
            }
            if let Some(spent) = self.orders.get(&key) {
                let spoils = spent.body_hash != command.order_hash || spent.refusal.is_some();
                return spoils.then_some((at, None));
            }
            if self.is_fresh_enough(command, now_us).is_err() {
                return Some((at, None));
            }
            if let Some(before) = met.insert(key, command.order_hash) {
                return (before != command.order_hash).then_some((at, None));
            }
            match dry.decide(command, now_us) {
                Err(refusal) => Some((at, Some(refusal))),
                Ok(Decided::Post(_, entries)) => {
                    for entry in entries {
                        if let Some(account) = dry.seen.accounts.get_mut(&entry.account.0) {
                            account.balance = entry.balance_after;
                        }
                    }
                    None
                }
                Ok(Decided::Reserve(posting, terms)) => {
                    if let Some(account) = dry.seen.accounts.get_mut(&posting.from.0) {
                        account.held = terms.held;
                    }
                    None
                }
                Ok(_) => None,
            }
        })
    }
}
