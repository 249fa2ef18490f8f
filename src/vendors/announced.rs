//! What an answer's headers say of the vendor's limits.

use jiff::SignedDuration;
use reqwest::header::HeaderMap;

use crate::domain::Announced;

/// Reads HighLevel's headers (its documentation, "Rate limits"; `x-ratelimit-daily-reset` in milliseconds, as its SDK
/// reads it), and for others `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers): `"default";q=100;w=10`.
pub(super) fn announced(headers: &HeaderMap) -> Announced {
    let text = |name: &str| headers.get(name)?.to_str().ok();
    let number = |name: &str| text(name)?.trim().parse::<u64>().ok();
    let millis = |name: &str| number(name).and_then(|ms| i64::try_from(ms).ok());
    let policy = text("ratelimit-policy").and_then(policy);
    Announced {
        per_interval: number("x-ratelimit-max").or(policy.map(|(calls, _)| calls)),
        interval_ms: millis("x-ratelimit-interval-milliseconds").or(policy.map(|(_, ms)| ms)),
        per_day: number("x-ratelimit-limit-daily"),
        left_today: number("x-ratelimit-daily-remaining"),
        day_ends_in: millis("x-ratelimit-daily-reset").map(SignedDuration::from_millis),
    }
}

/// Calls and milliseconds of the first policy.
fn policy(text: &str) -> Option<(u64, i64)> {
    let first = text.split(',').next()?;
    let parameter = |name: &str| {
        first
            .split(';')
            .find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('=')?.parse::<u64>().ok())
    };
    let seconds = i64::try_from(parameter("w")?).ok()?;
    Some((parameter("q")?, seconds.checked_mul(1_000)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pairs: &[(&'static str, &'static str)]) -> Announced {
        announced(
            &pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect(),
        )
    }

    #[test]
    fn both_ways_of_saying_it_are_read() {
        let highlevel = of(&[
            ("X-RateLimit-Max", "100"),
            ("X-RateLimit-Interval-Milliseconds", "10000"),
            ("X-RateLimit-Limit-Daily", "200000"),
            ("X-RateLimit-Daily-Remaining", "199999"),
            ("X-RateLimit-Daily-Reset", "3600000"),
        ]);
        let expected = Announced {
            per_interval: Some(100),
            interval_ms: Some(10_000),
            per_day: Some(200_000),
            left_today: Some(199_999),
            day_ends_in: Some(SignedDuration::from_hours(1)),
        };
        assert_eq!(highlevel, expected);
        let standard = of(&[("RateLimit-Policy", "\"burst\";q=100;w=60, \"day\";q=1000;w=86400")]);
        assert_eq!((standard.per_interval, standard.interval_ms), (Some(100), Some(60_000)));
    }

    #[test]
    fn nonsense_says_nothing() {
        assert!(of(&[]).is_silent());
        assert!(of(&[("X-RateLimit-Max", "many"), ("RateLimit-Policy", "q;w=1")]).is_silent());
    }
}
