//! One suite, run on every engine; and what only one engine has.

mod batches;
mod engine;
mod mariadb;
mod sqlite;
mod transactions;
mod values;
