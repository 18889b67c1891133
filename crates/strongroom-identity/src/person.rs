//! The states of a person.

/// Where a person stands with the bank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i64)]
pub enum Standing {
    /// They may sign in.
    Active = 1,
    /// Locked by staff.
    Locked = 2,
    /// Gone, of their own will.
    Closed = 3,
    /// Erased: nothing personal can be read any more.
    Erased = 4,
}

impl Standing {
    const ALL: [Standing; 4] = [Standing::Active, Standing::Locked, Standing::Closed, Standing::Erased];

    /// The standing of this number; an unknown one lets nobody in.
    pub fn from_number(number: i64) -> Self {
        Self::ALL.into_iter().find(|standing| *standing as i64 == number).unwrap_or(Standing::Closed)
    }

    /// Its name in the API.
    pub fn name(self) -> &'static str {
        match self {
            Standing::Active => "active",
            Standing::Locked => "locked",
            Standing::Closed => "closed",
            Standing::Erased => "erased",
        }
    }
}
