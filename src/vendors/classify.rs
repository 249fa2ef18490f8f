//! What an answer's status means, by what a repeat of the call would do.

use crate::domain::CallClass;
use crate::operations::Effect;

/// | status | class |
/// |---|---|
/// | 2xx | ok |
/// | 401, 403 | unauthorised |
/// | 409, 412, 428 | conflict |
/// | 429 | rate limited |
/// | 408, 425, 5xx | ambiguous for a create, else unreachable |
/// | other | rejected |
pub fn classify(status: u16, effect: Effect) -> CallClass {
    match status {
        200..=299 => CallClass::Ok,
        401 | 403 => CallClass::Unauthorised,
        409 | 412 | 428 => CallClass::Conflict,
        429 => CallClass::RateLimited,
        408 | 425 | 500..=599 => match effect {
            Effect::Create => CallClass::Ambiguous,
            Effect::Read | Effect::Idempotent => CallClass::Unreachable,
        },
        _ => CallClass::Rejected,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_the_table() {
        use CallClass::{Ambiguous, Conflict, Ok, RateLimited, Rejected, Unauthorised, Unreachable};
        use Effect::{Create, Idempotent, Read};
        for (status, effect, expected) in [
            (200, Read, Ok),
            (202, Create, Ok),
            (301, Read, Rejected),
            (400, Create, Rejected),
            (401, Read, Unauthorised),
            (403, Create, Unauthorised),
            (404, Read, Rejected),
            (408, Create, Ambiguous),
            (409, Create, Conflict),
            (412, Idempotent, Conflict),
            (422, Create, Rejected),
            (429, Create, RateLimited),
            (500, Create, Ambiguous),
            (503, Read, Unreachable),
            (503, Idempotent, Unreachable),
        ] {
            assert_eq!(classify(status, effect), expected, "{status} {effect:?}");
        }
    }
}
