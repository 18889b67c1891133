//! A small bounded cache for facts that never change: a device's key, an account's owner.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use strongroom_store::Id;

const KNOWN_MAX: usize = 100_000;

/// Facts by id. Full, it starts anew.
pub struct Known<V>(RwLock<HashMap<Id, V>>);

impl<V> Default for Known<V> {
    fn default() -> Self {
        Known(RwLock::default())
    }
}

impl<V: Clone> Known<V> {
    /// The fact, if it is known.
    pub fn find(&self, id: &Id) -> Option<V> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    /// Forgets everything, since one of the facts has ended.
    pub fn forget(&self) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Remembers a fact.
    pub fn keep(&self, id: Id, value: V) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KNOWN_MAX {
            known.clear();
        }
        known.insert(id, value);
    }
}
