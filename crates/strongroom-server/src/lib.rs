//! The bank over HTTPS: one router, the API's handlers, the web pages, TLS.
//!
//! A handler extracts, asks the bank, and replies. **Absence:** no rule of money or identity is
//! decided here, and nothing here opens a database or a key of the bank.

pub mod accept;
mod api;
mod extract;
pub mod metrics;
mod openapi;
mod problem;
mod router;
pub mod tls;
mod web;

use std::sync::Arc;

use strongroom_bank::Bank;

pub use router::{PUBLIC_ROUTES, router};

/// What every handler may use.
pub struct App {
    /// The bank.
    pub bank: Arc<Bank>,
    /// The certificate authority that clients pin, in PEM.
    pub ca: String,
}
