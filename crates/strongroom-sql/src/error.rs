//! What can go wrong, sorted by what a caller can do about it.

/// What a caller can do about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A unique index holds this key already.
    Unique,
    /// Someone holds a lock or the server is full; nothing happened, try again.
    Busy,
    /// The transaction was rolled back in favour of another; see again and decide again.
    Deadlock,
    /// The connection is gone, and with it the open transaction.
    ConnectionLost,
    /// The reply to a commit was lost: it may have happened or not. Read back.
    CommitUnknown,
    /// The server or the file system does not let this user do it.
    Denied,
    /// No such file, database or table.
    NotFound,
    /// The disk or a table is full.
    Full,
    /// The URL cannot be used; a mistake of whoever wrote it.
    Malformed,
    /// Anything else.
    Other,
}

/// An error of a database. Its message has names of tables and columns, never values.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// What a caller can do about it.
    pub kind: Kind,
    /// What happened, and where we know it, what to do.
    pub message: String,
}

/// A result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error of a given kind.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Error { kind, message: message.into() }
    }

    /// An error that fits no kind.
    pub fn other(message: impl Into<String>) -> Self {
        Error::new(Kind::Other, message)
    }
}
