//! How fast a vendor may be asked, as its profile says.

use std::time::Duration;

use tokio::sync::{Mutex, Semaphore, SemaphorePermit};
use tokio::time::Instant;

use crate::operations::casepeer::Limits;

/// Spaces calls out. Without limits it lets everything through.
pub(super) struct Pace {
    side_by_side: Option<Semaphore>,
    bucket: Option<Mutex<Bucket>>,
}

/// A bucket of tokens that fills up steadily.
struct Bucket {
    each: Duration,
    burst: u32,
    /// When the bucket will be full again.
    full_at: Instant,
}

impl Pace {
    pub(super) fn new(limits: &Limits) -> Self {
        let bucket = limits.requests_per_second.filter(|rate| *rate > 0).map(|rate| {
            let burst = limits.burst.unwrap_or(rate).max(1);
            Mutex::new(Bucket { each: Duration::from_secs(1) / rate, burst, full_at: Instant::now() })
        });
        Self { side_by_side: limits.concurrent.filter(|most| *most > 0).map(Semaphore::new), bucket }
    }

    /// Waits for this call's turn; the place is kept until what is returned is dropped.
    pub(super) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        let place = match &self.side_by_side {
            Some(places) => places.acquire().await.ok(),
            None => None,
        };
        if let Some(bucket) = &self.bucket {
            let at = bucket.lock().await.next(Instant::now());
            tokio::time::sleep_until(at).await;
        }
        place
    }
}

impl Bucket {
    /// When the next call may go.
    fn next(&mut self, now: Instant) -> Instant {
        let full_at = self.full_at.max(now);
        // With a burst of n, n calls may be ahead of the steady rate.
        let at = (full_at + self.each).checked_sub(self.each * self.burst).unwrap_or(now).max(now);
        self.full_at = full_at + self.each;
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_goes_at_once_and_the_rest_at_the_rate() {
        let start = Instant::now();
        let mut bucket = Bucket { each: Duration::from_millis(100), burst: 3, full_at: start };
        let waits: Vec<_> = (0..6).map(|_| (bucket.next(start) - start).as_millis()).collect();
        assert_eq!(waits, [0, 0, 0, 100, 200, 300]);
        let later = start + Duration::from_secs(10);
        assert_eq!(bucket.next(later), later, "a pause fills the bucket");
    }
}
