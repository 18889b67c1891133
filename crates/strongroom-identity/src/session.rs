//! How long a sign-in lasts, and what a refresh token is worth (NIST SP 800-63B-4, OWASP ASVS 5.0 V7).

/// An access token lives this long.
pub const ACCESS_TOKEN_S: i64 = 300;
/// Between password and factor.
pub const CHALLENGE_S: i64 = 300;
/// Codes that may be tried against one challenge.
pub const TRIES_MAX: i64 = 5;
/// A session ends at the latest after this.
pub const ABSOLUTE_S: i64 = 12 * 3600;
/// A customer's session ends after so long without use, a member of staff's after the second.
pub const IDLE_S: [i64; 2] = [5 * 60, 15 * 60];
/// A refresh token that was just replaced answers the same successor for so long: a lost reply.
const REPEAT_S: i64 = 10;

/// What holds the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionKind {
    /// An API client with a refresh token; it is seen when it refreshes.
    Api,
    /// A browser with a cookie; it is seen at each page.
    Browser,
    /// A service account's key: it holds until its end, used or not.
    Service,
}

/// Whether a session that was not ended still holds.
pub fn is_alive(kind: SessionKind, is_staff: bool, seen_us: i64, expires_us: i64, now_us: i64) -> bool {
    if kind == SessionKind::Service {
        return now_us < expires_us;
    }
    let idle_s = IDLE_S[usize::from(is_staff)];
    // An API client uses the bank without being seen while its access token lives.
    let unseen_s = if kind == SessionKind::Api { ACCESS_TOKEN_S } else { 0 };
    now_us < expires_us && now_us - seen_us < (idle_s + unseen_s) * 1_000_000
}

/// What becomes of a refresh token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refresh {
    /// It is the present one: it is replaced.
    Rotate,
    /// It was replaced seconds ago: the same successor again.
    Repeat,
    /// It was replaced long ago, or more than once since: someone has a copy, and the session ends.
    Reused,
}

/// Decides on a refresh token that the bank made for the session.
pub fn decide_refresh(is_current: bool, is_previous: bool, rotated_us: Option<i64>, now_us: i64) -> Refresh {
    match (is_current, is_previous, rotated_us) {
        (true, ..) => Refresh::Rotate,
        (false, true, Some(rotated)) if now_us - rotated <= REPEAT_S * 1_000_000 => Refresh::Repeat,
        (false, ..) => Refresh::Reused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: i64 = 1_000_000;

    #[test]
    fn idle_and_absolute_ends() {
        let end = ABSOLUTE_S * S;
        assert!(is_alive(SessionKind::Browser, false, 0, end, 299 * S));
        assert!(!is_alive(SessionKind::Browser, false, 0, end, 300 * S));
        assert!(is_alive(SessionKind::Browser, true, 0, end, 899 * S));
        assert!(is_alive(SessionKind::Api, false, 0, end, 599 * S));
        assert!(!is_alive(SessionKind::Api, false, 0, end, 600 * S));
        assert!(!is_alive(SessionKind::Browser, true, end - S, end, end));
    }

    #[test]
    fn a_refresh_token_is_worth_one_successor() {
        assert_eq!(decide_refresh(true, false, None, 0), Refresh::Rotate);
        assert_eq!(decide_refresh(false, true, Some(0), 10 * S), Refresh::Repeat);
        assert_eq!(decide_refresh(false, true, Some(0), 11 * S), Refresh::Reused);
        assert_eq!(decide_refresh(false, true, None, 0), Refresh::Reused);
        assert_eq!(decide_refresh(false, false, Some(0), 0), Refresh::Reused, "followed more than once");
    }
}
