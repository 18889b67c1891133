//! Times as text: microseconds UTC in RFC 3339, always with six digits of fraction.

use jiff::Timestamp;

/// The text of a time; a time that no calendar has is told as the nearest one that it has.
pub fn to_text(time_us: i64) -> String {
    let nearest = if time_us < 0 { Timestamp::MIN } else { Timestamp::MAX };
    format!("{:.6}", Timestamp::from_microsecond(time_us).unwrap_or(nearest))
}

/// The time that a text tells; nothing when it is not RFC 3339.
pub fn from_text(text: &str) -> Option<i64> {
    text.parse::<Timestamp>().ok().map(Timestamp::as_microsecond)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        assert_eq!(to_text(1_763_676_000_000_000), "2025-11-20T22:00:00.000000Z");
        for time_us in [0, 1, -1, 1_763_676_000_123_456, 253_402_207_200_000_000 - 1] {
            assert_eq!(from_text(&to_text(time_us)), Some(time_us));
        }
        assert!(!to_text(i64::MAX).is_empty() && !to_text(i64::MIN).is_empty());
        assert_eq!(from_text("yesterday"), None);
    }
}
