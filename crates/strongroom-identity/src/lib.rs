//! Credentials, sessions, roles and permissions as pure decisions.
//!
//! **Absence:** no I/O, no clock, no randomness, no keys: what is decided on is passed in.

pub mod credential;
pub mod factor;
pub mod person;
pub mod recovery;
pub mod role;
pub mod session;
pub mod throttle;
