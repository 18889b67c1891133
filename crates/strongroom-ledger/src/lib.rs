//! The ledger's rules: money, account numbers, orders, the decision whether money moves, the
//! Merkle log that commits to every fact, and receipts with their offline verifier.
//!
//! **Absence:** no I/O, no clock and no randomness. Times, ids and salts are arguments, and the
//! same arguments always give the same answer.

pub mod action;
pub mod cosignature;
pub mod decide;
pub mod export;
pub mod id;
pub mod leaf;
pub mod merkle;
pub mod money;
pub mod note;
pub mod number;
pub mod order;
pub mod receipt;
pub mod refusal;
pub mod tile;
pub mod time;
