//! The tasks that store arrivals: each takes whatever waits and commits it as one transaction.

use std::sync::Arc;

use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::task::JoinSet;

use super::core::{Core, in_transaction};
use super::receive::{self, Sealed};
use crate::store::{Recorded, StoreError};

/// The most arrivals one transaction carries; measurements show nothing gained beyond.
const GROUP: usize = 128;

/// The most arrivals that may wait. A webhook that finds the queue full is refused and comes again.
const QUEUE: usize = 1024;

/// How many transactions are under way at once: while one waits for its commit, the other is prepared.
const WRITERS: usize = 2;

type Answer = oneshot::Sender<Result<Recorded, StoreError>>;
type Queue = mpsc::Receiver<(Sealed, Answer)>;

/// The way to the writing tasks, which end with it.
pub(super) struct Writer {
    jobs: mpsc::Sender<(Sealed, Answer)>,
    _tasks: JoinSet<()>,
}

impl Writer {
    pub(super) fn start(core: &Arc<Core>) -> Self {
        let (jobs, queue) = mpsc::channel(QUEUE);
        let queue = Arc::new(Mutex::new(queue));
        let mut tasks = JoinSet::new();
        for _ in 0..WRITERS {
            tasks.spawn(serve(Arc::clone(core), Arc::clone(&queue)));
        }
        Self { jobs, _tasks: tasks }
    }

    /// Stores an arrival and answers once it is on the database's disk; a full queue is an error at once.
    pub(super) async fn record(&self, sealed: Sealed) -> Result<Recorded, StoreError> {
        let (sender, answer) = oneshot::channel();
        self.jobs.try_send((sealed, sender)).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => {
                StoreError::Unavailable("too many writes are waiting".into())
            }
            mpsc::error::TrySendError::Closed(_) => stopped(),
        })?;
        answer.await.map_err(|_| stopped())?
    }
}

fn stopped() -> StoreError {
    StoreError::Unavailable("the writer has stopped".into())
}

async fn serve(core: Arc<Core>, queue: Arc<Mutex<Queue>>) {
    loop {
        let mut group = Vec::with_capacity(GROUP);
        // Takes what waits and never waits for more: a lone event is not held up.
        if queue.lock().await.recv_many(&mut group, GROUP).await == 0 {
            return;
        }
        let (batch, answers): (Vec<Sealed>, Vec<Answer>) = group.into_iter().unzip();
        store(&core, &batch, answers).await;
    }
}

async fn store(core: &Core, batch: &[Sealed], answers: Vec<Answer>) {
    let (result, is_about_data) = commit(core, batch).await;
    match result {
        Ok(recorded) => {
            // Whoever asked may have gone, as when a webhook's sender hangs up; the work is done all the same.
            answers.into_iter().zip(recorded).for_each(|(answer, recorded)| {
                let _ = answer.send(Ok(recorded));
            });
        }
        // One arrival that the database does not accept must not keep the others out.
        Err(_) if is_about_data && batch.len() > 1 => {
            for (sealed, answer) in batch.iter().zip(answers) {
                let (result, _) = commit(core, std::slice::from_ref(sealed)).await;
                let _ = answer.send(result.map(|recorded| recorded[0]));
            }
        }
        Err(error) => answers.into_iter().for_each(|answer| {
            let _ = answer.send(Err(error.clone()));
        }),
    }
}

async fn commit(core: &Core, batch: &[Sealed]) -> (Result<Vec<Recorded>, StoreError>, bool) {
    let firms: Vec<&str> = batch.iter().map(|sealed| sealed.arrival.firm.as_str()).collect();
    let result = in_transaction!(core, &firms, |connection, now| receive::record(connection, batch, now));
    let is_about_data = result.as_ref().is_err_and(super::rows::Fault::is_about_data);
    (result.map_err(StoreError::from), is_about_data)
}
