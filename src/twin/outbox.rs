//! Sends a vendor's webhooks: one queue, one sender, in order, unless it is told to misbehave.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::delivery::{Delivery, Signer, Target};
use super::faults::{Faults, Misbehaviour};
use crate::clock::SharedClock;

/// A receiver that takes longer counts as one that does not answer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How often a refused delivery is tried when retrying is on (public receivers report 12 for HighLevel).
const MOST_ATTEMPTS: u32 = 12;
/// The pause before another attempt grows by this much an attempt; real senders wait minutes.
const RETRY_PAUSE: Duration = Duration::from_millis(20);

/// Of older deliveries only the record is kept, so that a long load test does not fill the memory with bodies.
const BODIES_KEPT: usize = 50_000;

#[derive(Debug, Default)]
struct Desk {
    targets: Vec<Target>,
    deliveries: Vec<Delivery>,
    queue: VecDeque<usize>,
    late: Vec<usize>,
    overtaken: Option<usize>,
    in_flight: usize,
    drops: usize,
    is_held: bool,
    retries_refused: bool,
}

/// A vendor's outgoing webhooks; a cheap handle.
#[derive(Debug, Clone)]
pub(super) struct Outbox(Arc<Office>);

#[derive(Debug)]
struct Office {
    http: reqwest::Client,
    clock: SharedClock,
    signer: Signer,
    faults: Arc<Mutex<Faults>>,
    stop: CancellationToken,
    desk: Mutex<Desk>,
    work: Notify,
    idle: Notify,
}

impl Outbox {
    /// An outbox with one sender, which ends when the token is cancelled.
    ///
    /// # Errors
    /// When no HTTP client can be made (the system's TLS roots cannot be read).
    pub(super) fn start(
        signer: Signer,
        clock: SharedClock,
        faults: Arc<Mutex<Faults>>,
        stop: CancellationToken,
    ) -> io::Result<Self> {
        let http = reqwest::Client::builder()
            .no_proxy()
            .timeout(TIMEOUT)
            .user_agent("casebridge-twin")
            .build()
            .map_err(io::Error::other)?;
        let (desk, work, idle) = Default::default();
        let outbox = Self(Arc::new(Office { http, clock, signer, faults, stop, desk, work, idle }));
        outbox.add_senders(1);
        Ok(outbox)
    }

    /// Sends with more senders at once, which gives up the order.
    pub(super) fn add_senders(&self, count: usize) {
        for _ in 0..count {
            let outbox = self.clone();
            tokio::spawn(async move {
                let stop = outbox.0.stop.clone();
                stop.run_until_cancelled(outbox.run()).await;
            });
        }
    }

    /// Sets a receiver, replacing the one of the same id.
    pub(super) fn set_target(&self, target: Target) {
        let mut desk = self.desk();
        desk.targets.retain(|known| known.id != target.id);
        desk.targets.push(target);
    }

    /// Forgets a receiver; false when it was not known.
    pub(super) fn remove_target(&self, id: &str) -> bool {
        let mut desk = self.desk();
        let before = desk.targets.len();
        desk.targets.retain(|target| target.id != id);
        desk.targets.len() < before
    }

    /// The receivers.
    pub(super) fn targets(&self) -> Vec<Target> {
        self.desk().targets.clone()
    }

    /// Queues a webhook for everyone who wants it.
    pub(super) fn enqueue(&self, kind: &str, id: &str, body: &Value) {
        let body = body.to_string();
        let mut desk = self.desk();
        let mut receivers: Vec<(String, String)> = desk
            .targets
            .iter()
            .filter(|target| target.events.is_empty() || target.events.iter().any(|event| event == kind))
            .map(|target| (target.url.clone(), target.secret.clone()))
            .collect();
        if receivers.is_empty() {
            receivers.push(Default::default());
        }
        for (url, secret) in receivers {
            let is_addressed = !url.is_empty();
            let index = desk.deliveries.len();
            if let Some(old) = index.checked_sub(BODIES_KEPT)
                && desk.deliveries[old].last_status.is_some()
            {
                desk.deliveries[old].body = String::new();
            }
            desk.deliveries.push(Delivery {
                id: id.to_owned(),
                kind: kind.to_owned(),
                url,
                attempts: 0,
                last_status: None,
                is_dropped: false,
                body: body.clone(),
                secret,
            });
            if is_addressed {
                self.dispatch(&mut desk, index);
            }
        }
        drop(desk);
        self.0.work.notify_one();
    }

    fn dispatch(&self, desk: &mut Desk, index: usize) {
        if desk.drops > 0 {
            desk.drops -= 1;
            desk.deliveries[index].is_dropped = true;
            return;
        }
        let fault = {
            let mut faults = self.0.faults.lock().unwrap_or_else(PoisonError::into_inner);
            faults.for_webhook(&desk.deliveries[index].kind)
        };
        match fault {
            Some(Misbehaviour::DropWebhook) => desk.deliveries[index].is_dropped = true,
            Some(Misbehaviour::LateWebhook { seconds }) => {
                desk.late.push(index);
                if let Some(seconds) = seconds {
                    self.release_after(index, Duration::from_secs(seconds.min(86_400)));
                }
            }
            Some(Misbehaviour::ReorderWebhook) if desk.overtaken.is_none() => desk.overtaken = Some(index),
            Some(Misbehaviour::DuplicateWebhook) => desk.queue.extend([index, index]),
            _ => {
                desk.queue.push_back(index);
                let overtaken = desk.overtaken.take();
                desk.queue.extend(overtaken);
            }
        }
    }

    fn release_after(&self, index: usize, pause: Duration) {
        let outbox = self.clone();
        tokio::spawn(async move {
            if outbox.0.stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_some() {
                let mut desk = outbox.desk();
                if let Some(position) = desk.late.iter().position(|late| *late == index) {
                    desk.late.remove(position);
                    desk.queue.push_back(index);
                }
                drop(desk);
                outbox.0.work.notify_one();
            }
        });
    }

    /// Sends again what was sent last, faults or not.
    pub(super) fn redeliver_last(&self) {
        let last = self.desk().deliveries.last().map(|delivery| delivery.id.clone());
        if let Some(id) = last {
            self.redeliver(&id);
        }
    }

    /// Sends the webhook of this id again, also when it was dropped; false when it is not known.
    pub(super) fn redeliver(&self, id: &str) -> bool {
        let mut desk = self.desk();
        // A delivery from before the receiver was known is addressed now.
        let first = desk.targets.first().cloned();
        let Desk { deliveries, queue, .. } = &mut *desk;
        let mut is_known = false;
        for (index, delivery) in deliveries.iter_mut().enumerate().filter(|(_, delivery)| delivery.id == id) {
            is_known = true;
            if let (true, Some(target)) = (delivery.url.is_empty(), &first) {
                (delivery.url, delivery.secret) = (target.url.clone(), target.secret.clone());
            }
            if !delivery.url.is_empty() && !delivery.body.is_empty() {
                queue.push_back(index);
            }
        }
        drop(desk);
        self.0.work.notify_one();
        is_known
    }

    /// Every webhook so far, in order of making.
    pub(super) fn deliveries(&self) -> Vec<Delivery> {
        self.desk().deliveries.clone()
    }

    /// Holds the queue, or lets it go in its order.
    pub(super) fn hold(&self, is_held: bool) {
        self.desk().is_held = is_held;
        self.0.work.notify_waiters();
        self.0.work.notify_one();
        self.0.idle.notify_waiters();
    }

    /// Turns the waiting webhooks round.
    pub(super) fn reverse(&self) {
        self.desk().queue.make_contiguous().reverse();
    }

    /// Puts the late webhooks in the queue.
    pub(super) fn release_late(&self) {
        let mut desk = self.desk();
        let late = std::mem::take(&mut desk.late);
        desk.queue.extend(late);
        drop(desk);
        self.0.work.notify_one();
    }

    /// Loses the next webhooks.
    pub(super) fn drop_next(&self, count: usize) {
        self.desk().drops = count;
    }

    /// Tries refused deliveries again.
    pub(super) fn retry_refused(&self, retries: bool) {
        self.desk().retries_refused = retries;
    }

    /// Resolves when everything in the queue was sent and answered; held and late webhooks do not count.
    pub(super) async fn flush(&self) {
        {
            // Nothing came after it that could overtake it.
            let mut desk = self.desk();
            let overtaken = desk.overtaken.take();
            desk.queue.extend(overtaken);
        }
        self.0.work.notify_one();
        loop {
            let idle = self.0.idle.notified();
            tokio::pin!(idle);
            idle.as_mut().enable();
            if self.0.stop.is_cancelled() || self.desk().is_idle() {
                return;
            }
            tokio::select! {
                () = idle => {}
                () = self.0.stop.cancelled() => return,
            }
        }
    }

    async fn run(&self) {
        loop {
            let work = self.0.work.notified();
            match self.take() {
                Some(index) => {
                    self.send(index).await;
                    self.settle();
                }
                None => work.await,
            }
        }
    }

    fn take(&self) -> Option<usize> {
        let mut desk = self.desk();
        if desk.is_held {
            return None;
        }
        let index = desk.queue.pop_front()?;
        desk.in_flight += 1;
        if !desk.queue.is_empty() {
            self.0.work.notify_one();
        }
        Some(index)
    }

    fn settle(&self) {
        let mut desk = self.desk();
        desk.in_flight -= 1;
        if desk.is_idle() {
            self.0.idle.notify_waiters();
        }
    }

    async fn send(&self, index: usize) {
        let (request, attempts, retries) = {
            let mut desk = self.desk();
            let retries = desk.retries_refused;
            let delivery = &mut desk.deliveries[index];
            delivery.attempts += 1;
            (delivery.request(&self.0.http, &self.0.signer, self.0.clock.now()), delivery.attempts, retries)
        };
        // Dropping the answer's body unread would close the connection; reading it keeps it for the next webhook.
        let status = match request.send().await {
            Ok(answer) => {
                let status = answer.status().as_u16();
                let _ = answer.bytes().await;
                Some(status)
            }
            Err(_) => None,
        };
        self.desk().deliveries[index].last_status = status;
        let is_refused = !status.is_some_and(|status| (200..300).contains(&status));
        if is_refused && retries && attempts < MOST_ATTEMPTS {
            tokio::time::sleep(RETRY_PAUSE * attempts).await;
            self.desk().queue.push_back(index);
        }
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.0.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Desk {
    fn is_idle(&self) -> bool {
        self.in_flight == 0 && (self.is_held || self.queue.is_empty())
    }
}
