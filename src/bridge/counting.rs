//! What the console shows is counted beside the work: at leisure, soon when somebody looks, and what is searched for at
//! once.

use super::Bridge;
use crate::store::StoreError;

/// Hours that one look counts, and events it makes findable: the rest has its turn with the next.
const HOURS_AT_ONCE: usize = 48;
const BATCHES_AT_ONCE: usize = 20;
const BATCH: usize = 500;
/// How many batches somebody waits for who searches: after a large backfill the rest is made findable at leisure.
const BATCHES_WAITED_FOR: usize = 2;

impl Bridge {
    /// Counts anew what may have changed, and makes what is new findable.
    pub async fn count_up(&self) -> Result<(), StoreError> {
        for hour in self.store.hours_to_count(HOURS_AT_ONCE).await? {
            self.store.count_hour(hour).await?;
        }
        self.index(BATCHES_AT_ONCE).await
    }

    /// Makes what came of late findable, for somebody who searches now.
    pub async fn find_new(&self) -> Result<(), StoreError> {
        self.index(BATCHES_WAITED_FOR).await
    }

    async fn index(&self, batches: usize) -> Result<(), StoreError> {
        for _ in 0..batches {
            if self.store.index_events(BATCH).await? < BATCH {
                break;
            }
        }
        Ok(())
    }

    /// Says that somebody looks at the figures.
    pub fn count_soon(&self) {
        self.looked_at.notify_one();
    }

    /// Returns when somebody looks at the figures, or has since it was last asked.
    pub async fn is_looked_at(&self) {
        self.looked_at.notified().await;
    }
}
