//! The life of a key: the states of NIST SP 800-57 part 1, section 7, what each allows, and when a
//! key is due to be followed by its next version.

/// The state of one version of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(i64)]
pub enum State {
    /// It exists and is not used yet.
    PreActive = 0,
    /// It seals and opens.
    Active = 1,
    /// It opens what it sealed, and seals nothing more.
    Deactivated = 2,
    /// Someone else may know it: it still opens, with a warning, so that its fields can be sealed anew.
    Compromised = 3,
    /// It is gone. Its row stays, so that its number is never used again.
    Destroyed = 4,
}

impl State {
    /// All of them.
    pub const ALL: [State; 5] =
        [State::PreActive, State::Active, State::Deactivated, State::Compromised, State::Destroyed];

    /// The state with this number.
    pub fn from_number(number: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|state| *state as i64 == number)
    }

    /// Its name, as people read it.
    pub fn name(self) -> &'static str {
        match self {
            State::PreActive => "pre-active",
            State::Active => "active",
            State::Deactivated => "deactivated",
            State::Compromised => "compromised",
            State::Destroyed => "destroyed",
        }
    }

    /// Whether it may process what it protected: open, verify, find.
    pub fn may_process(self) -> bool {
        matches!(self, State::Active | State::Deactivated | State::Compromised)
    }

    /// Whether it may pass into another state. There is no way back.
    pub fn may_become(self, next: State) -> bool {
        use State::{Active, Compromised, Deactivated, Destroyed, PreActive};
        matches!(
            (self, next),
            (PreActive, Active | Compromised | Destroyed)
                | (Active, Deactivated | Compromised | Destroyed)
                | (Deactivated, Compromised | Destroyed)
                | (Compromised, Destroyed)
        )
    }
}

/// When an active key is due to be followed by its next version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// After this long.
    pub age_us_max: i64,
    /// After this many uses.
    pub uses_max: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_state_allows_less_than_the_one_before() {
        let processes: Vec<bool> = State::ALL.iter().map(|s| s.may_process()).collect();
        assert_eq!(processes, [false, true, true, true, false]);
        for state in State::ALL {
            assert_eq!(State::from_number(state as i64), Some(state));
            for next in State::ALL {
                assert!(!state.may_become(next) || next > state, "{} never becomes {}", state.name(), next.name());
                assert!(!(state.may_become(next) && next.may_become(state)), "there is no way back");
            }
            assert_eq!(state.may_become(State::Destroyed), state != State::Destroyed);
        }
        assert_eq!(State::from_number(5), None);
    }
}
