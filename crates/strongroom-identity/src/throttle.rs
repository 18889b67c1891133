//! How often what is wrong may be tried: a few times at once, then after delays that grow. A try is
//! counted before it is looked at, so that guesses made at the same time count as well; a right one is
//! taken off again (PSD2 RTS article 4, NIST SP 800-63B-4 section 3.2.2, OWASP ASVS 5.0 V6.3).

/// How many tries are free, and how the delay grows after them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Tries without a delay.
    pub free: i64,
    /// The first delay; each try more doubles it.
    pub delay_s: i64,
    /// It grows no further. Nobody is shut out for longer by whoever guesses.
    pub delay_s_max: i64,
    /// After so long without a try all are forgotten.
    pub forgotten_after_s: i64,
}

/// Wrong passwords for one user name, known or not.
pub const PASSWORD: Limit = Limit { free: 5, delay_s: 30, delay_s_max: 900, forgotten_after_s: 24 * 3600 };
/// Wrong codes of one person, whatever the factor.
pub const FACTOR: Limit = PASSWORD;
/// Wrong passwords and codes from one address: there may be many people behind it.
pub const ADDRESS: Limit = Limit { free: 100, delay_s: 30, delay_s_max: 900, forgotten_after_s: 3600 };
/// Sign-ups from one address under names that are taken: asking for names finds people.
pub const TAKEN: Limit = Limit { free: 20, delay_s: 30, delay_s_max: 900, forgotten_after_s: 3600 };
/// Codes sent to one person by mail or SMS.
pub const SEND: Limit = Limit { free: 5, delay_s: 60, delay_s_max: 3600, forgotten_after_s: 3600 };

/// What has been tried so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tries {
    /// How often.
    pub count: i64,
    /// The last time.
    pub last_us: i64,
}

const S_US: i64 = 1_000_000;

/// Counts one more try, or says in how many seconds it may be made.
pub fn reserve(limit: &Limit, before: Option<Tries>, now_us: i64) -> Result<Tries, u64> {
    let before = before.filter(|tries| now_us - tries.last_us < limit.forgotten_after_s * S_US);
    let Some(before) = before else { return Ok(Tries { count: 1, last_us: now_us }) };
    let doublings = before.count - limit.free;
    if doublings >= 0 {
        let delay_s = limit.delay_s.saturating_mul(1 << doublings.min(20)).min(limit.delay_s_max);
        let wait_us = before.last_us + delay_s * S_US - now_us;
        if wait_us > 0 {
            return Err((wait_us as u64).div_ceil(S_US as u64));
        }
    }
    Ok(Tries { count: before.count + 1, last_us: now_us.max(before.last_us) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_are_free_and_then_the_delay_grows_to_its_end() {
        let mut tries = None;
        for n in 1..=5 {
            tries = Some(reserve(&PASSWORD, tries, 0).expect("free"));
            assert_eq!(tries, Some(Tries { count: n, last_us: 0 }));
        }
        let mut now_us = 0;
        for delay_s in [30, 60, 120, 240, 480, 900, 900, 900] {
            assert_eq!(reserve(&PASSWORD, tries, now_us), Err(delay_s as u64), "at once it is refused");
            assert_eq!(reserve(&PASSWORD, tries, now_us + delay_s * S_US - 1), Err(1));
            now_us += delay_s * S_US;
            tries = Some(reserve(&PASSWORD, tries, now_us).expect("after the delay one more"));
        }
        assert_eq!(reserve(&PASSWORD, tries, now_us + 24 * 3600 * S_US).expect("forgotten").count, 1);
    }

    #[test]
    fn a_clock_that_goes_back_frees_nobody() {
        let tries = Some(Tries { count: 5, last_us: 100 * S_US });
        assert_eq!(reserve(&PASSWORD, tries, 0), Err(130));
    }
}
