//! How many calls of an account go side by side, as its profile says. How many in a time is the firm's quota.

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::operations::casepeer::Limits;

/// Lets so many calls through at once; without a limit all of them.
pub(super) struct Pace(Option<Semaphore>);

impl Pace {
    pub(super) fn new(limits: &Limits) -> Self {
        Self(limits.concurrent.filter(|most| *most > 0).map(Semaphore::new))
    }

    /// Waits for this call's turn; the place is kept until what is returned is dropped.
    pub(super) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        match &self.0 {
            Some(places) => places.acquire().await.ok(),
            None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_next_goes_when_one_is_done() {
        let limits: Limits = toml::from_str("concurrent = 1").unwrap();
        let pace = Pace::new(&limits);
        let first = pace.turn().await;
        assert_eq!(pace.0.as_ref().unwrap().available_permits(), 0);
        drop(first);
        assert!(pace.turn().await.is_some());
    }
}
