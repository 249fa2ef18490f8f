//! The store for several instances: PostgreSQL.
//!
//! What comes all the time is carried out in groups: arrivals, intents, completions, ends of turns, looks for links. Of
//! these, what must outlive the database's machine waits for its disk: an arrival that is acknowledged, an intent to create
//! and what came of it. The rest is lost with that machine only together with all that came after it, and is done again.
//! What moves events within a firm's lanes holds that firm's advisory lock until it commits; claims hold none and pass
//! over rows that others are about to claim. All times that are compared come from the database's clock.

mod access;
mod alerts;
mod api_tokens;
mod calls;
mod claims;
mod completions;
mod core;
mod credentials;
mod effects;
mod figures;
mod hand_offs;
mod hooks;
mod intents;
mod keeping;
mod lanes;
mod lines;
mod links;
mod listen;
mod listing;
mod mappings;
mod migrations;
mod parking;
mod people;
mod quotas;
mod receive;
mod replay;
mod review;
mod rows;
mod rules;
mod secrets;
mod settle;
mod sweeps;
mod time;
mod writer;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};

use self::completions::Completion;
pub use self::core::{CannotOpenPostgres, PostgresOptions};
use self::core::{Core, in_transaction, within_deadline};
use self::intents::First;
use self::links::Wanted;
use self::listen::{Bell, CHANNEL};
pub use self::migrations::KNOWN as SCHEMA;
use self::receive::Sealed;
use self::rows::Fault;
use self::settle::Turn;
pub use self::time::TimeSource;
use self::writer::Writer;
use super::{
    Address, Arrival, Begun, CallRecord, CauseRow, Claim, ClaimRoom, EffectFailure, EventFilter, EventRow,
    EventStory, Intent, LaneState, Lease, LinkChange, Parking, Recorded, Rejoined, Settled, Settlement,
    Store, StoreError,
};
use crate::crypto::Keyring;
use crate::domain::{EffectKey, EventId, FirmId, Link, RecordRef};

/// The store that several instances may share.
pub struct PostgresStore {
    core: Arc<Core>,
    arrivals: Writer<Sealed>,
    turns: Writer<Turn>,
    firsts: Writer<First>,
    completions: Writer<Completion>,
    links: Writer<Wanted>,
    bell: Bell,
    keyring: Arc<Keyring>,
    /// When leases that ran out were last looked for, in milliseconds since 1970.
    expired_at: AtomicI64,
    /// How many migrations opening it took.
    migrated: usize,
}

impl PostgresStore {
    /// Connects, waits for a database that is starting, and brings its schema up to date.
    pub async fn open(
        url: &str,
        options: PostgresOptions,
        keyring: Arc<Keyring>,
        time: TimeSource,
    ) -> Result<Self, CannotOpenPostgres> {
        let (core, migrated) = Core::open(url, options, time).await?;
        check_seals(&core, &keyring).await?;
        secrets::keep_fingerprint_key(&core.pool, &keyring).await.map_err(|fault| match fault.into() {
            StoreError::Sealed(why) => CannotOpenPostgres::Sealed(why),
            other => CannotOpenPostgres::Database(other.to_string()),
        })?;
        let core = Arc::new(core);
        Ok(Self {
            arrivals: Writer::start(&core),
            turns: Writer::start(&core),
            firsts: Writer::start(&core),
            completions: Writer::start(&core),
            links: Writer::start(&core),
            core,
            bell: Bell::default(),
            keyring,
            expired_at: AtomicI64::new(i64::MIN),
            migrated,
        })
    }

    /// How many migrations opening it took.
    pub fn migrated(&self) -> usize {
        self.migrated
    }

    /// The connections, for whoever moves rows in bulk.
    pub(in crate::store) fn pool(&self) -> &sqlx::postgres::PgPool {
        &self.core.pool
    }

    /// Whether leases that ran out are looked for: with the claims, but not with each of those that follow one another.
    fn is_time_to_expire(&self, now: Timestamp) -> bool {
        let (now, last) = (now.as_millisecond(), self.expired_at.load(Ordering::Relaxed));
        let is_time = now >= last.saturating_add(EXPIRE_EVERY);
        if is_time {
            self.expired_at.store(now, Ordering::Relaxed);
        }
        is_time
    }

    /// Tells every instance that an event may have become due.
    async fn ring(&self) -> Result<(), Fault> {
        sqlx::query("SELECT pg_notify($1, '')").bind(CHANNEL).execute(&self.core.pool).await?;
        Ok(())
    }
}

/// For a transaction that takes no firm's lock.
const NO_FIRM: &[&str] = &[];

/// How long leases that ran out may go unnoticed, in milliseconds: they last for minutes.
const EXPIRE_EVERY: i64 = 1_000;

/// Runs a statement that needs no transaction.
async fn read<T>(work: impl Future<Output = Result<T, Fault>>) -> Result<T, StoreError> {
    Ok(within_deadline(work).await?)
}

/// Finds out whether the configured keys are those that sealed what is stored.
async fn check_seals(core: &Core, keyring: &Keyring) -> Result<(), CannotOpenPostgres> {
    let failed = |error: sqlx::Error| CannotOpenPostgres::Database(error.to_string());
    let rows = sqlx::query_as("SELECT key_id, sealed FROM seal_check").fetch_all(&core.pool).await;
    let known: Vec<(String, Vec<u8>)> = rows.map_err(failed)?;
    if let Some((key_id, sealed)) = super::check_seals(keyring, &known).map_err(CannotOpenPostgres::Sealed)? {
        let sql = "INSERT INTO seal_check (key_id, sealed) VALUES ($1, $2) ON CONFLICT DO NOTHING";
        sqlx::query(sql).bind(key_id).bind(sealed).execute(&core.pool).await.map_err(failed)?;
    }
    Ok(())
}

#[async_trait]
impl Store for PostgresStore {
    async fn record(&self, arrival: Arrival) -> Result<Recorded, StoreError> {
        self.arrivals.run_or_refuse(Sealed::new(&self.keyring, arrival)).await
    }

    async fn claim(
        &self,
        worker: &str,
        room: &ClaimRoom,
        lease: SignedDuration,
    ) -> Result<Vec<Claim>, StoreError> {
        let now = self.core.now().await?;
        if self.is_time_to_expire(now) {
            let expired = read(claims::expired(&self.core.pool, now)).await?;
            if !expired.is_empty() {
                in_transaction!(&self.core, &expired, |connection, now| claims::expire(
                    connection, &expired, now
                ))?;
            }
        }
        read(async {
            let mut line = self.core.lines.line().await?;
            let claimed = claims::claim(&mut line, &self.keyring, worker, room, lease, now).await?;
            line.give_back();
            Ok(claimed)
        })
        .await
    }

    async fn settle(&self, lease: &Lease, settlement: Settlement) -> Result<Settled, StoreError> {
        self.turns.run(Turn::new(&self.keyring, lease, settlement)).await?
    }

    async fn rejoin(&self, lease: &Lease, owner: &RecordRef) -> Result<Rejoined, StoreError> {
        Ok(in_transaction!(&self.core, &[lease.firm.as_str()], |connection, _now| claims::rejoin(
            connection, lease, owner
        ))?)
    }

    async fn release(&self, worker: &str) -> Result<u64, StoreError> {
        let firms = read(claims::firms_of(&self.core.pool, worker)).await?;
        Ok(in_transaction!(&self.core, &firms, |connection, now| claims::release(
            connection, worker, &firms, now
        ))?)
    }

    async fn rung(&self) {
        self.bell.wait(&self.core.pool).await;
    }

    async fn next_due(&self) -> Result<Option<Timestamp>, StoreError> {
        read(claims::next_due(&self.core.pool)).await
    }

    async fn links_of(&self, firm: &FirmId, records: &[RecordRef]) -> Result<Vec<Link>, StoreError> {
        let (keyring, firm, records) = (Arc::clone(&self.keyring), firm.clone(), records.to_vec());
        self.links.run(Wanted { keyring, firm, records }).await?
    }

    async fn save_links(&self, lease: &Lease, changes: Vec<LinkChange>) -> Result<Settled, StoreError> {
        Ok(in_transaction!(&self.core, &[lease.firm.as_str()], |connection, now| links::save(
            connection,
            &self.keyring,
            lease,
            &changes,
            now
        ))?)
    }

    async fn begin_effect(
        &self,
        lease: &Lease,
        key: &EffectKey,
        intent: Intent,
    ) -> Result<Begun, StoreError> {
        let first = First::new(&self.keyring, lease, key, intent.clone());
        if let Some(begun) = self.firsts.run(first).await? {
            return Ok(begun);
        }
        Ok(in_transaction!(&self.core, &[lease.firm.as_str()], |connection, now| effects::begin(
            connection,
            &self.keyring,
            lease,
            key,
            &intent,
            now
        ))?)
    }

    async fn complete_effect(
        &self,
        lease: &Lease,
        key: &EffectKey,
        result: Option<RecordRef>,
        links: Vec<LinkChange>,
        call: Option<CallRecord>,
    ) -> Result<Settled, StoreError> {
        // Without a call of its own something may have been handed over, which is settled under the firm's lock.
        if let Some(call) = &call {
            let (keyring, lease, key) = (Arc::clone(&self.keyring), lease.clone(), key.clone());
            let (result, links, call) = (result.clone(), links.clone(), call.clone());
            let completion = Completion { keyring, lease, key, result, links, call };
            if let Some(settled) = self.completions.run(completion).await? {
                return Ok(settled);
            }
        }
        Ok(in_transaction!(&self.core, &[lease.firm.as_str()], |connection, now| async {
            let is_news =
                effects::complete(connection, lease, key, result.as_ref(), call.as_ref(), now).await?;
            links::apply_what_came(connection, &self.keyring, lease, &links, is_news, now).await
        })?)
    }

    async fn fail_effect(
        &self,
        lease: &Lease,
        key: &EffectKey,
        failure: EffectFailure,
        call: CallRecord,
    ) -> Result<Settled, StoreError> {
        Ok(in_transaction!(&self.core, &[lease.firm.as_str()], |connection, now| effects::fail(
            connection, lease, key, failure, &call, now
        ))?)
    }

    async fn note_look(&self, lease: &Lease, key: &EffectKey) -> Result<(), StoreError> {
        read(effects::note_look(&self.core.pool, lease, key)).await
    }

    async fn send_again(&self, lease: &Lease, key: &EffectKey) -> Result<Settled, StoreError> {
        Ok(in_transaction!(&self.core, &[lease.firm.as_str()], |connection, now| {
            effects::send_again(connection, lease, key, now)
        })?)
    }

    async fn recall(&self, lease: &Lease) -> Result<(), StoreError> {
        effects::recall(&self.core, &self.keyring, lease).await
    }

    async fn is_ours(&self, firm: &FirmId, record: &RecordRef) -> Result<bool, StoreError> {
        read(links::is_ours(&self.core.pool, firm, record)).await
    }

    async fn completed_since(
        &self,
        firm: &FirmId,
        keys: &[EffectKey],
        since: Timestamp,
    ) -> Result<usize, StoreError> {
        read(effects::completed_since(&self.core.pool, firm, keys, since)).await
    }

    async fn completed(&self, firm: &FirmId, keys: &[EffectKey]) -> Result<BTreeSet<EffectKey>, StoreError> {
        read(effects::completed(&self.core.pool, firm, keys)).await
    }

    async fn pause(&self, firm: &FirmId, why: &str) -> Result<(), StoreError> {
        Ok(in_transaction!(&self.core, &[firm.as_str()], |connection, now| parking::pause(
            connection, firm, why, now
        ))?)
    }

    async fn resume(&self, firm: &FirmId) -> Result<Option<u64>, StoreError> {
        let resumed = in_transaction!(&self.core, &[firm.as_str()], |connection, now| parking::resume(
            connection, firm, now
        ))?;
        read(self.ring()).await?;
        Ok(resumed)
    }

    async fn probe(&self) -> Result<u64, StoreError> {
        let now = self.core.now().await?;
        let mut tried = 0;
        for firm in read(parking::due(&self.core.pool, now)).await? {
            let firm = FirmId::new(firm);
            let is_tried = in_transaction!(&self.core, &[firm.as_str()], |connection, now| parking::probe(
                connection, &firm, now
            ))?;
            tried += u64::from(is_tried);
        }
        Ok(tried)
    }

    async fn parkings(&self) -> Result<Vec<Parking>, StoreError> {
        read(parking::parkings(&self.core.pool)).await
    }

    async fn events(&self, filter: EventFilter) -> Result<Vec<EventRow>, StoreError> {
        read(listing::events(&self.core.pool, &self.keyring, &filter)).await
    }

    async fn event(&self, id: EventId) -> Result<Option<EventStory>, StoreError> {
        read(listing::event(&self.core.pool, &self.keyring, id)).await
    }

    async fn payload(&self, id: EventId) -> Result<Option<Vec<u8>>, StoreError> {
        read(listing::payload(&self.core.pool, &self.keyring, id)).await
    }

    async fn causes(&self) -> Result<Vec<CauseRow>, StoreError> {
        read(listing::causes(&self.core.pool)).await
    }

    async fn readdress(&self, id: EventId, address: Address) -> Result<(), StoreError> {
        Ok(in_transaction!(&self.core, &[address.firm.as_str()], |connection, _now| replay::readdress(
            connection, id, &address
        ))?)
    }

    async fn replay(&self, id: EventId) -> Result<Option<bool>, StoreError> {
        let Some(firm) = read(replay::firm_of(&self.core.pool, id)).await? else { return Ok(None) };
        let replayed = in_transaction!(&self.core, &[firm.as_str()], |connection, now| replay::replay(
            connection, &firm, id, now
        ))?;
        read(self.ring()).await?;
        Ok(replayed)
    }

    async fn discard(&self, id: EventId, why: &str) -> Result<Option<bool>, StoreError> {
        let Some(firm) = read(replay::firm_of(&self.core.pool, id)).await? else { return Ok(None) };
        Ok(in_transaction!(&self.core, &[firm.as_str()], |connection, now| replay::discard(
            connection, id, why, now
        ))?)
    }

    async fn counts(&self) -> Result<LaneState, StoreError> {
        read(listing::counts(&self.core.pool)).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        read(async { Ok(sqlx::query("SELECT 1").execute(&self.core.pool).await.map(|_| ())?) }).await
    }
}
