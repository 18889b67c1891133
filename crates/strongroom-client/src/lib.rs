//! The SDK: a client of a bank over HTTPS. It signs in, signs orders, and checks what it is given.
//!
//! It trusts one certificate authority, that of the bank, and no other. **Absence:** it reads no
//! clock and asks nobody anything; whoever uses it passes the time and the answers in.

mod address;
mod calls;
mod error;
mod order;
pub mod state;
mod transport;
pub mod trust;

pub use address::ServerUrl;
pub use error::Error;
pub use hyper::Method;
pub use hyper::body::Bytes;
pub use order::{Purpose, Signer};
pub use transport::{Answer, Client, Content};

/// The result of a call.
pub type Result<T> = std::result::Result<T, Error>;
