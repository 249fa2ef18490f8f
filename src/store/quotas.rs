//! What vendors allow, shared by the instances: each leases a block of calls and spends it in memory.
//!
//! The interval is counted in tenths. A block is spent within the tenth it was leased in, and no more is leased than the
//! limit leaves in this tenth and the ten before it: so any span as long as the interval has at most as many calls as
//! the vendor allows, wherever it begins its own count.

use std::collections::BTreeMap;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::StoreError;
use crate::domain::{Allowance, Announced, FirmId, Priority, System};

/// The quotas in the store.
#[async_trait]
pub trait Quotas: Send + Sync {
    /// Leases calls, and takes note of what was learned since the last lease.
    async fn lease_calls(&self, firm: &FirmId, system: System, ask: CallsAsked) -> Result<Block, StoreError>;
    /// How each quota stands, by firm and vendor.
    async fn quotas(&self) -> Result<Vec<Quota>, StoreError>;
}

/// What is asked for a quota.
#[derive(Debug, Clone, PartialEq)]
pub struct CallsAsked {
    /// What for.
    pub priority: Priority,
    /// How many at most; none, if only to pass on what was learned.
    pub wanted: u64,
    /// Calls that were made without a block, such as by a person at the command line.
    pub made: u64,
    /// What holds until a vendor has announced something.
    pub assumed: Allowance,
    /// What the vendor announced of late.
    pub announced: Announced,
    /// How long the vendor asked us to stay away.
    pub closed_for: Option<SignedDuration>,
    /// Calls of earlier blocks that were not made.
    pub unspent: Vec<Unspent>,
}

/// Calls of a block that were not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unspent {
    /// The block's tenth of an interval.
    pub tenth: i64,
    /// How many.
    pub calls: u64,
}

/// Calls that may be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    /// How many; none if the quota is used up for this priority.
    pub calls: u64,
    /// The tenth of an interval they belong to.
    pub tenth: i64,
    /// For how long they may be made; if there are none, how long to wait before asking again.
    pub span: SignedDuration,
    /// What the vendor allows, as the store knows.
    pub allowance: Allowance,
}

/// How a quota stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Quota {
    /// Whose.
    #[schema(value_type = String, example = "acme")]
    pub firm: FirmId,
    /// At which vendor.
    #[schema(value_type = String, example = "highlevel")]
    pub system: System,
    /// Calls the vendor allows in an interval.
    pub per_interval: u64,
    /// The interval, in milliseconds.
    pub interval_ms: i64,
    /// Calls the vendor allows in a day, if it counts them.
    pub per_day: Option<u64>,
    /// Calls made today, those of others with the same credential included as far as the vendor tells.
    pub spent_today: u64,
    /// When the day ends for the vendor, RFC 3339.
    #[schema(value_type = String, format = DateTime)]
    pub day_ends_at: Timestamp,
    /// When the day's calls will be used up if it goes on at today's rate; none if they last.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub exhausted_at: Option<Timestamp>,
    /// Until when the vendor asked us to stay away.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub closed_until: Option<Timestamp>,
}

impl Quota {
    /// In a line for people.
    pub fn line(&self) -> String {
        let minute = |at: Timestamp| at.strftime("%Y-%m-%d %H:%M UTC").to_string();
        let mut line = match self.per_day {
            Some(per_day) => format!("{} of {per_day} calls today", self.spent_today),
            None => format!("{} calls today", self.spent_today),
        };
        line += &match self.exhausted_at {
            Some(at) => format!(", at this rate used up at {}", minute(at)),
            None if self.per_day.is_some() => ", enough at this rate".to_owned(),
            None => String::new(),
        };
        if let Some(until) = self.closed_until {
            line += &format!(", none until {}: the vendor asked for that", minute(until));
        }
        line
    }
}

const TENTHS: i64 = 10;
const DAY: i64 = 86_400_000;

/// A quota as it is stored: what both databases keep under lock while they change it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Ledger {
    allowance: Allowance,
    /// Calls leased, by tenth of an interval, counted from 1970.
    tenths: BTreeMap<i64, u64>,
    /// Calls leased or, as the vendor says, made today.
    spent: u64,
    /// Of these, those of the time before anything was counted here.
    spent_before: u64,
    /// Since when today's are counted, in milliseconds since 1970, like the moments below.
    counted_since: i64,
    day_ends_at: i64,
    closed_until: Option<i64>,
}

impl Ledger {
    /// Nothing spent, in a day that ends at midnight UTC until the vendor says otherwise.
    pub(super) fn new(allowance: Allowance, now: Timestamp) -> Self {
        let now = now.as_millisecond();
        Self {
            allowance,
            tenths: BTreeMap::new(),
            spent: 0,
            spent_before: 0,
            counted_since: now,
            day_ends_at: now - now.rem_euclid(DAY) + DAY,
            closed_until: None,
        }
    }

    /// Leases what is asked for, as far as it is there.
    pub(super) fn lease(&mut self, ask: &CallsAsked, now: Timestamp) -> Block {
        let now = now.as_millisecond();
        self.take_back(&ask.unspent);
        self.roll_over(now);
        // What the vendor announces counts these too, so they come before it.
        self.spent += ask.made;
        self.learn(ask, now);
        let tenth = now.div_euclid(self.tenth_ms());
        if ask.made > 0 {
            *self.tenths.entry(tenth).or_default() += ask.made;
        }
        self.tenths.retain(|at, _| *at >= tenth - TENTHS);
        let allowance = self.allowance;
        let block = |calls, ms: i64| Block { calls, tenth, span: SignedDuration::from_millis(ms), allowance };
        if ask.wanted == 0 {
            return block(0, 0);
        }
        if let Some(until) = self.closed_until {
            return block(0, until - now);
        }
        let share = ask.priority.share_of(self.allowance.per_interval);
        let used: u64 = self.tenths.values().sum();
        let left_today = self
            .allowance
            .per_day
            .map_or(u64::MAX, |limit| ask.priority.share_of(limit).saturating_sub(self.spent));
        if left_today == 0 {
            return block(0, self.day_ends_at - now);
        }
        let calls = ask.wanted.min(share.saturating_sub(used)).min(left_today);
        if calls == 0 {
            return block(0, self.room_at(share, used) - now);
        }
        *self.tenths.entry(tenth).or_default() += calls;
        self.spent += calls;
        block(calls, (tenth + 1) * self.tenth_ms() - now)
    }

    fn tenth_ms(&self) -> i64 {
        (self.allowance.interval_ms / TENTHS).max(1)
    }

    /// When a call fits again under this share: when enough tenths are past.
    fn room_at(&self, share: u64, mut used: u64) -> i64 {
        for (tenth, calls) in &self.tenths {
            used -= calls;
            if used < share {
                return (tenth + TENTHS + 1) * self.tenth_ms();
            }
        }
        unreachable!("with nothing leased every share has room")
    }

    fn take_back(&mut self, unspent: &[Unspent]) {
        for Unspent { tenth, calls } in unspent {
            let is_today = tenth * self.tenth_ms() >= self.counted_since - self.tenth_ms();
            if let Some(leased) = self.tenths.get_mut(tenth) {
                *leased = leased.saturating_sub(*calls);
            }
            if is_today {
                self.spent = self.spent.saturating_sub(*calls).max(self.spent_before);
            }
        }
    }

    fn roll_over(&mut self, now: i64) {
        if now >= self.day_ends_at {
            self.day_ends_at += ((now - self.day_ends_at) / DAY + 1) * DAY;
            (self.spent, self.spent_before, self.counted_since) = (0, 0, now);
        }
        self.closed_until = self.closed_until.filter(|until| now < *until);
    }

    fn learn(&mut self, ask: &CallsAsked, now: i64) {
        let allowance = ask.announced.over(Some(self.allowance)).unwrap_or(self.allowance);
        if allowance.interval_ms != self.allowance.interval_ms {
            // Tenths of another length: what was leased counts as leased now.
            let used = self.tenths.values().sum();
            let tenth = now.div_euclid((allowance.interval_ms / TENTHS).max(1));
            self.tenths = BTreeMap::from([(tenth, used)]);
        }
        self.allowance = allowance;
        if let Some(ends_in) = ask.announced.day_ends_in
            && ends_in.is_positive()
            && ends_in <= SignedDuration::from_hours(24)
        {
            self.day_ends_at = now.saturating_add(millis(ends_in));
        }
        if let (Some(limit), Some(left)) = (self.allowance.per_day, ask.announced.left_today) {
            let told = limit.saturating_sub(left);
            if told > self.spent {
                // Others use the same credential, or did so before we began.
                self.spent_before += told - self.spent;
                self.spent = told;
            }
        }
        if let Some(span) = ask.closed_for {
            let until = now.saturating_add(millis(span));
            self.closed_until = Some(self.closed_until.unwrap_or(until).max(until));
        }
    }

    /// How it stands.
    pub(super) fn state(&self, firm: FirmId, system: System, now: Timestamp) -> Quota {
        let mut today = self.clone();
        today.roll_over(now.as_millisecond());
        let moment = |ms: i64| Timestamp::from_millisecond(ms).unwrap_or(Timestamp::MAX);
        Quota {
            firm,
            system,
            per_interval: today.allowance.per_interval,
            interval_ms: today.allowance.interval_ms,
            per_day: today.allowance.per_day,
            spent_today: today.spent,
            day_ends_at: moment(today.day_ends_at),
            exhausted_at: today.exhausted_at(now.as_millisecond()).map(moment),
            closed_until: today.closed_until.map(moment),
        }
    }

    /// When the day's calls are used up at the rate since they are counted; none if the day ends before.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        reason = "a forecast, not a count"
    )]
    fn exhausted_at(&self, now: i64) -> Option<i64> {
        let left = self.allowance.per_day?.saturating_sub(self.spent);
        if left == 0 {
            return Some(now);
        }
        // A burst in the first minute is no rate.
        let elapsed = (now - self.counted_since).max(60_000) as f64;
        let made = self.spent - self.spent_before;
        let at = now.saturating_add((left as f64 * elapsed / made as f64).min(DAY as f64 * 2.0) as i64);
        (made > 0 && at < self.day_ends_at).then_some(at)
    }
}

fn millis(span: SignedDuration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(priority: Priority, wanted: u64) -> CallsAsked {
        CallsAsked {
            priority,
            wanted,
            made: 0,
            assumed: Allowance::HIGHLEVEL,
            announced: Announced::default(),
            closed_for: None,
            unspent: Vec::new(),
        }
    }

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millisecond(1_795_521_600_000 + ms).unwrap()
    }

    #[test]
    fn no_span_of_an_interval_has_more_calls_than_allowed() {
        let mut ledger = Ledger::new(Allowance::HIGHLEVEL, at(0));
        let mut made: Vec<i64> = Vec::new();
        // Greedy, at odd moments, for a minute.
        for ms in (0..60_000).step_by(37) {
            let block = ledger.lease(&ask(Priority::NewLead, 7), at(ms));
            // The last moment at which the block may be spent.
            let last = ms + i64::try_from(block.span.as_millis()).unwrap() - 1;
            for call in 0..block.calls {
                made.push(if call % 2 == 0 { ms } else { last });
            }
        }
        made.sort_unstable();
        for (first, begin) in made.iter().enumerate() {
            let within = made[first..].iter().take_while(|call| **call < begin + 10_000).count();
            assert!(within <= 100, "{within} calls from {begin}");
        }
        assert!(
            made.len() >= 500,
            "{} calls in a minute: nine tenths of what is allowed are used",
            made.len()
        );
    }

    #[test]
    fn a_wait_ends_when_there_is_room() {
        let mut ledger = Ledger::new(Allowance::HIGHLEVEL, at(0));
        assert_eq!(ledger.lease(&ask(Priority::NewLead, 1_000), at(0)).calls, 100);
        let refused = ledger.lease(&ask(Priority::NewLead, 1), at(300));
        assert_eq!((refused.calls, refused.span), (0, SignedDuration::from_millis(10_700)));
        assert_eq!(ledger.lease(&ask(Priority::NewLead, 1), at(10_999)).calls, 0);
        assert_eq!(ledger.lease(&ask(Priority::NewLead, 1), at(11_000)).calls, 1);
    }

    #[test]
    fn what_was_not_spent_is_spent_by_others() {
        let mut ledger = Ledger::new(Allowance::HIGHLEVEL, at(0));
        let block = ledger.lease(&ask(Priority::NewLead, 100), at(0));
        let unspent = vec![Unspent { tenth: block.tenth, calls: 40 }];
        let again = ledger.lease(&CallsAsked { unspent, ..ask(Priority::NewLead, 100) }, at(1_000));
        assert_eq!((again.calls, ledger.spent), (40, 100));
    }

    #[test]
    fn a_vendors_day_and_its_forecast() {
        let mut ledger = Ledger::new(Allowance::HIGHLEVEL, at(0));
        let announced = Announced {
            per_interval: Some(1_000_000),
            left_today: Some(150_000),
            day_ends_in: Some(SignedDuration::from_hours(20)),
            ..Announced::default()
        };
        ledger.lease(&CallsAsked { announced, ..ask(Priority::NewLead, 30_000) }, at(0));
        let state = |ledger: &Ledger, ms| ledger.state(FirmId::new("acme"), System::HighLevel, at(ms));
        let hours = |hours: i64| hours * 3_600_000;
        // 50,000 before us and 30,000 in two hours: the other 120,000 last eight hours more.
        let quota = state(&ledger, hours(2));
        assert_eq!((quota.spent_today, quota.exhausted_at), (80_000, Some(at(hours(10)))));
        assert!(
            quota.line().starts_with("80000 of 200000 calls today, at this rate used up at 2026-11-"),
            "{}",
            quota.line()
        );
        // In ten hours: they last until the vendor's midnight.
        assert_eq!(state(&ledger, hours(10)).exhausted_at, None);
        assert_eq!(state(&ledger, hours(21)).spent_today, 0, "a new day");
        let all = ledger.lease(&ask(Priority::NewLead, 1_000_000), at(hours(3)));
        assert_eq!(all.calls, 120_000);
        let refused = ledger.lease(&ask(Priority::NewLead, 1), at(hours(4)));
        assert_eq!((refused.calls, refused.span), (0, SignedDuration::from_hours(16)));
        assert_eq!(state(&ledger, hours(4)).exhausted_at, Some(at(hours(4))));
        assert!(ledger.lease(&ask(Priority::Backfill, 1), at(hours(20))).calls == 1);
    }

    #[test]
    fn a_vendor_that_asks_for_it_is_left_alone() {
        let mut ledger = Ledger::new(Allowance::HIGHLEVEL, at(0));
        let closed_for = Some(SignedDuration::from_secs(30));
        ledger.lease(&CallsAsked { closed_for, ..ask(Priority::NewLead, 0) }, at(0));
        let refused = ledger.lease(&ask(Priority::NewLead, 5), at(10_000));
        assert_eq!((refused.calls, refused.span), (0, SignedDuration::from_secs(20)));
        assert_eq!(ledger.lease(&ask(Priority::NewLead, 5), at(30_000)).calls, 5);
    }
}
