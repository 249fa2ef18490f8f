//! Spending what a vendor allows: from blocks that are leased in the store and spent in memory.

use std::sync::{Mutex, MutexGuard};

use jiff::{SignedDuration, Timestamp};

use crate::clock::SharedClock;
use crate::domain::{Allowance, Announced, FirmId, Priority, System};
use crate::store::{Block, CallsAsked, SharedStore, StoreError, Unspent};

/// How old an announcement may be when it is passed on: what was left then says little later.
const FRESH: SignedDuration = SignedDuration::from_secs(10);
/// How long to stay away after a 429 that does not say: the interval of HighLevel's limit.
const CLOSED_FOR: SignedDuration = SignedDuration::from_secs(10);
/// A block is at most this part of the limit, so that one instance does not take what another needs.
const LARGEST_PART: u64 = 20;
/// A block is at least this part of the limit: with a limit of thousands the store is asked once in a tenth of the
/// interval, whatever the traffic.
const SMALLEST_PART: u64 = 1_000;

/// How often a block is asked for that has ended before it came.
const TRIES: u32 = 3;

/// A firm's quota at one vendor, as this instance knows it.
pub(super) struct Meter {
    system: System,
    /// What holds until the vendor says otherwise; none if it then goes without a limit.
    assumed: Option<Allowance>,
    state: Mutex<State>,
    /// Held while the store is asked, so that one block serves all who wait.
    asking: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    allowance: Option<Allowance>,
    /// By priority: what was leased for the more urgent is not spent by the less urgent.
    blocks: [Option<Held>; 4],
    /// By priority: until when there is nothing to lease.
    used_up_until: [Option<Timestamp>; 4],
    /// What the vendor said last, and when.
    heard: Option<(Timestamp, Announced)>,
    closed_until: Option<Timestamp>,
    /// Calls that were made and not taken out.
    owed: u64,
    /// How often the store was asked in the tenth of an interval that ends then.
    asks: (Option<Timestamp>, u32),
}

struct Held {
    tenth: i64,
    left: u64,
    since: Timestamp,
    until: Timestamp,
}

impl Held {
    /// A clock that was set back ends a block too.
    fn is_live(&self, now: Timestamp) -> bool {
        self.since <= now && now < self.until
    }
}

/// Whether a call may be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spent {
    /// It may, now.
    Yes,
    /// Not before this has passed.
    Wait(SignedDuration),
}

impl Meter {
    pub(super) fn new(system: System, assumed: Option<Allowance>) -> Self {
        let state = State { allowance: assumed, ..State::default() };
        Self { system, assumed, state: Mutex::new(state), asking: tokio::sync::Mutex::default() }
    }

    /// What holds until the vendor says otherwise.
    pub(super) fn assumes(&self) -> Option<Allowance> {
        self.assumed
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it holds a meter")
    }

    /// Spends a call, leasing a block if none is at hand.
    pub(super) async fn spend(
        &self,
        store: &SharedStore,
        clock: &SharedClock,
        firm: &FirmId,
        priority: Priority,
    ) -> Result<Spent, StoreError> {
        if let Some(spent) = self.state().spend(priority, clock.now()) {
            return Ok(spent);
        }
        let _asking = self.asking.lock().await;
        // A block may end while it is on its way.
        for _ in 0..TRIES {
            let asked_at = clock.now();
            let ask = {
                let mut state = self.state();
                if let Some(spent) = state.spend(priority, asked_at) {
                    return Ok(spent);
                }
                state.ask(priority, self.assumed, asked_at)
            };
            let block = store.lease_calls(firm, self.system, ask).await?;
            let mut state = self.state();
            state.take(block, priority, asked_at);
            if let Some(spent) = state.spend(priority, clock.now()) {
                return Ok(spent);
            }
        }
        Ok(Spent::Wait(SignedDuration::ZERO))
    }

    /// Takes note of calls that were made without being taken out, such as a list's further pages.
    pub(super) fn owe(&self, calls: u64) {
        self.state().owed += calls;
    }

    /// Tells the store of calls that no block was leased for, at once: the process that made them may end now.
    pub(super) async fn made(
        &self,
        store: &SharedStore,
        clock: &SharedClock,
        firm: &FirmId,
        calls: u64,
        announced: Announced,
    ) -> Result<(), StoreError> {
        let now = clock.now();
        self.heard(announced, now);
        let ask = {
            let mut state = self.state();
            let Some(allowance) = state.allowance else { return Ok(()) };
            let mut ask = state.ask(Priority::Backfill, Some(allowance), now);
            (ask.wanted, ask.made) = (0, calls);
            ask
        };
        store.lease_calls(firm, self.system, ask).await.map(|_| ())
    }

    /// Takes note of what an answer's headers said.
    pub(super) fn heard(&self, announced: Announced, now: Timestamp) {
        if announced.is_silent() {
            return;
        }
        let mut state = self.state();
        let allowance = announced.over(state.allowance);
        if allowance != state.allowance {
            // What was used up may not be, and the next block has another size.
            (state.allowance, state.used_up_until) = (allowance, [None; 4]);
        }
        state.heard = Some((now, announced));
    }

    /// The vendor has answered 429: nobody calls it for a while, whichever instance.
    pub(super) async fn refused(
        &self,
        store: &SharedStore,
        clock: &SharedClock,
        firm: &FirmId,
        retry_after: Option<SignedDuration>,
        announced: Announced,
    ) -> Result<(), StoreError> {
        let now = clock.now();
        let ask = {
            let mut state = self.state();
            let day_ends_in = announced.day_ends_in.filter(|_| announced.left_today == Some(0));
            let closed_for = retry_after.or(day_ends_in).unwrap_or(CLOSED_FOR);
            state.closed_until = now.checked_add(closed_for).ok();
            let Some(allowance) = state.allowance else { return Ok(()) };
            let mut ask = state.ask(Priority::NewLead, Some(allowance), now);
            (ask.wanted, ask.closed_for) = (0, Some(closed_for));
            ask
        };
        store.lease_calls(firm, self.system, ask).await.map(|_| ())
    }

    /// Whether not even the most urgent call may be made now.
    pub(super) fn is_used_up(&self, now: Timestamp) -> bool {
        let state = self.state();
        let used_up = state.used_up_until[Priority::NewLead.index()];
        [used_up, state.closed_until].into_iter().flatten().any(|until| now < until)
    }
}

impl State {
    /// Spends from what is at hand; none if the store has to be asked.
    fn spend(&mut self, priority: Priority, now: Timestamp) -> Option<Spent> {
        let pauses = [self.closed_until, self.used_up_until[priority.index()]];
        if let Some(until) = pauses.into_iter().flatten().filter(|until| now < *until).max() {
            return Some(Spent::Wait(until.duration_since(now)));
        }
        if self.allowance.is_none() {
            self.owed = 0;
            return Some(Spent::Yes);
        }
        let usable = self.blocks.iter_mut().take(priority.index() + 1).flatten();
        for held in usable.filter(|held| held.is_live(now)) {
            let paid = self.owed.min(held.left);
            (self.owed, held.left) = (self.owed - paid, held.left - paid);
            if held.left > 0 {
                held.left -= 1;
                return Some(Spent::Yes);
            }
        }
        None
    }

    fn ask(&mut self, priority: Priority, assumed: Option<Allowance>, now: Timestamp) -> CallsAsked {
        let allowance = self.allowance.or(assumed).unwrap_or(Allowance::HIGHLEVEL);
        let per_interval = allowance.per_interval;
        let (smallest, largest) =
            ((per_interval / SMALLEST_PART).max(1), (per_interval / LARGEST_PART).max(1));
        if self.asks.0.is_some_and(|until| until <= now) {
            self.asks = (None, 0);
        }
        let wanted = (1_u64 << self.asks.1.min(32)).max(self.owed + 1).clamp(smallest, largest);
        let mut unspent = Vec::new();
        for slot in &mut self.blocks {
            if let Some(held) = slot.take_if(|held| !held.is_live(now) || held.left == 0)
                && held.left > 0
            {
                unspent.push(Unspent { tenth: held.tenth, calls: held.left });
            }
        }
        CallsAsked {
            priority,
            wanted,
            made: 0,
            assumed: allowance,
            announced: self.heard.take().map(|heard| as_of(heard, now)).unwrap_or_default(),
            closed_for: None,
            unspent,
        }
    }

    /// Keeps a block; it holds from when it was asked for, which is not later than it was leased.
    fn take(&mut self, block: Block, priority: Priority, asked_at: Timestamp) {
        let until = asked_at.saturating_add(block.span).unwrap_or(Timestamp::MAX);
        // Announced since the store was asked: that is newer than what the store knew.
        if self.heard.is_none() {
            self.allowance = Some(block.allowance);
        }
        if block.calls == 0 {
            self.used_up_until[priority.index()] = Some(until);
        } else {
            self.asks = (Some(until), self.asks.1 + 1);
            self.blocks[priority.index()] =
                Some(Held { tenth: block.tenth, left: block.calls, since: asked_at, until });
        }
    }
}

/// What was announced then, as far as it still holds.
fn as_of((then, announced): (Timestamp, Announced), now: Timestamp) -> Announced {
    let age = now.duration_since(then);
    if age.abs() > FRESH {
        return Announced { left_today: None, day_ends_in: None, ..announced };
    }
    Announced { day_ends_in: announced.day_ends_in.map(|span| span - age), ..announced }
}

#[cfg(test)]
mod tests;
