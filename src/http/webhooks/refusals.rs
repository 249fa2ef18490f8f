//! Refused webhooks, of which anybody can send any number: said once in a while, and answered slowly once there are many,
//! so that who waits for his answer leaves the processor to those who can prove themselves.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// How often the log says that webhooks are refused for one reason.
const SAY_EVERY: Duration = Duration::from_secs(10);

/// How many are answered at once within a [`SPAN`]; a sender whose key was changed stays below it.
const FREE: u32 = 50;
const SPAN: Duration = Duration::from_secs(1);

/// How long the others wait for their answer. Their bodies are gone by then, and a listener's connections are bounded.
const PAUSE: Duration = Duration::from_millis(200);

/// Those that were refused of late.
#[derive(Default)]
pub(in crate::http) struct Refusals {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// By sender and reason: when it was said last, and how many came since.
    said: BTreeMap<(&'static str, String), (Instant, u64)>,
    /// When the present span began, and how many came in it.
    span: Option<(Instant, u32)>,
}

/// What to do about one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Then {
    /// Whether to say so, and how many came before of which nothing was said.
    pub(super) say: Option<u64>,
    /// How long to wait with the answer.
    pub(super) pause: Duration,
}

impl Refusals {
    /// One more, for this reason: one of the few that our own words name.
    pub(super) fn note(&self, sender: &'static str, why: &str, now: Instant) -> Then {
        let mut state = self.state.lock().expect("nothing panics while it holds the counts");
        let (began, count) = state.span.unwrap_or((now, 0));
        let (began, count) = if now.duration_since(began) < SPAN { (began, count + 1) } else { (now, 1) };
        state.span = Some((began, count));
        let pause = if count > FREE { PAUSE } else { Duration::ZERO };
        let key = (sender, why.to_owned());
        let say = match state.said.get_mut(&key) {
            Some((at, unsaid)) if now.duration_since(*at) < SAY_EVERY => {
                *unsaid += 1;
                None
            }
            Some(known) => Some(std::mem::replace(known, (now, 0)).1),
            None => {
                state.said.insert(key, (now, 0));
                Some(0)
            }
        };
        Then { say, pause }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_is_said_once_in_a_while_with_how_many_were_not() {
        let (refusals, start) = (Refusals::default(), Instant::now());
        let say = |why, after| refusals.note("highlevel", why, start + Duration::from_secs(after)).say;
        assert_eq!(say("forged", 0), Some(0));
        assert_eq!(say("stale", 1), Some(0), "another reason");
        assert_eq!([say("forged", 2), say("forged", 9)], [None, None]);
        assert_eq!(say("forged", 10), Some(2));
        assert_eq!(say("forged", 30), Some(0));
    }

    #[test]
    fn many_at_once_wait_for_their_answers() {
        let (refusals, start) = (Refusals::default(), Instant::now());
        let pause = |after| refusals.note("highlevel", "forged", start + after).pause;
        assert!((0..FREE).all(|_| pause(Duration::ZERO).is_zero()));
        assert_eq!(pause(Duration::from_millis(900)), PAUSE);
        assert_eq!(pause(SPAN), Duration::ZERO, "a new span");
    }
}
