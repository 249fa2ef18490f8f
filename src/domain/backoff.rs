//! When to try again.

use jiff::SignedDuration;

/// How often an event is tried before it is shown to a person.
pub const MAX_ATTEMPTS: u32 = 10;

/// The longest pause between two attempts.
const CAP: SignedDuration = SignedDuration::from_hours(8);

/// The pause after failed attempt `attempt` (1 is the first): 5 s × 3ⁿ, at most 8 h, half of it fixed and half drawn
/// by `jitter` (0 to 1), so that a crowd that failed together does not come back together.
///
/// | after attempt | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 |
/// |---|---|---|---|---|---|---|---|---|---|
/// | at most | 5 s | 15 s | 45 s | 2 m 15 s | 6 m 45 s | 20 m | 1 h 1 m | 3 h 2 m | 8 h |
pub fn retry_delay(attempt: u32, jitter: f64) -> SignedDuration {
    let seconds = 5_i64.saturating_mul(3_i64.saturating_pow(attempt.saturating_sub(1)));
    let full = SignedDuration::from_secs(seconds).min(CAP);
    full / 2 + (full / 2).mul_f64(jitter.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_threefold_to_the_cap() {
        let longest: Vec<i64> = (1..=10).map(|attempt| retry_delay(attempt, 1.0).as_secs()).collect();
        assert_eq!(longest, [5, 15, 45, 135, 405, 1215, 3645, 10935, 28800, 28800]);
    }

    #[test]
    fn at_least_half_of_a_pause_is_fixed() {
        assert_eq!(retry_delay(2, 0.0), SignedDuration::from_millis(7_500));
        assert_eq!(retry_delay(u32::MAX, 0.0), CAP / 2);
    }
}
