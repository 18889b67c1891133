//! What the tests of several crates share: throw-away MariaDB servers with TLS, and certificates.
//!
//! **Absence:** nothing of the program depends on this crate outside its tests. Being test code,
//! it panics with the cause and the cure instead of returning errors.

mod certificates;
mod mariadb;

pub use certificates::{Authority, ServerCertificate};
pub use mariadb::MariaDb;
