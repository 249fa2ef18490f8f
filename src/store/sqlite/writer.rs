//! The one thread that writes.

use std::time::Instant;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use crate::store::StoreError;

/// The most jobs one transaction carries; TECH measurements show nothing gained beyond.
const GROUP: usize = 256;

/// The most jobs that may wait. A webhook that finds the queue full is refused and comes again.
const QUEUE: usize = 1024;

/// Whether power may fail after the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Durability {
    /// What was done may be undone then, but by nothing less, and not without all that came after it. It costs no
    /// waiting for the disk.
    InOrder,
    /// It is on disk.
    OnDisk,
}

struct Job {
    durability: Durability,
    work: Work,
}

/// Work inside the group's transaction; says whether it is to be kept, and leaves its answer for after the commit.
type Work = Box<dyn FnOnce(&Connection) -> (bool, Answer) + Send>;
type Answer = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

/// The way to the writing thread, which ends when the last of these is dropped.
#[derive(Clone)]
pub(super) struct Writer(mpsc::Sender<Job>);

impl Writer {
    pub(super) fn start(connection: Connection) -> Self {
        let (jobs, queue) = mpsc::channel(QUEUE);
        std::thread::Builder::new()
            .name("sqlite-writer".into())
            .spawn(move || serve(&connection, queue))
            .expect("the system gives a thread");
        Self(jobs)
    }

    /// Runs work in the next transaction and answers once that is committed.
    pub(super) async fn run<T, Task>(&self, durability: Durability, task: Task) -> Result<T, StoreError>
    where
        T: Send + 'static,
        Task: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        let (job, answer) = job(durability, task);
        self.0.send(job).await.map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
    }

    /// [`Writer::run`] to disk, but a full queue is an error at once.
    pub(super) async fn run_or_refuse<T, Task>(&self, task: Task) -> Result<T, StoreError>
    where
        T: Send + 'static,
        Task: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        let (job, answer) = job(Durability::OnDisk, task);
        self.0.try_send(job).map_err(|error| match error {
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

fn job<T, Task>(durability: Durability, task: Task) -> (Job, oneshot::Receiver<Result<T, StoreError>>)
where
    T: Send + 'static,
    Task: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
{
    let (sender, receiver) = oneshot::channel();
    let work: Work = Box::new(move |connection| {
        let result = task(connection);
        let keep = result.is_ok();
        let answer: Answer = Box::new(move |committed| {
            // Whoever asked may have gone, as when a webhook's sender hangs up; the work is done all the same.
            let _ = sender.send(committed.and(result));
        });
        (keep, answer)
    });
    (Job { durability, work }, receiver)
}

fn serve(connection: &Connection, mut queue: mpsc::Receiver<Job>) {
    let mut group = Vec::with_capacity(GROUP);
    // As the connection was opened.
    let mut durability = Durability::OnDisk;
    // Takes what waits and never waits for more: a lone event is not held up.
    while queue.blocking_recv_many(&mut group, GROUP) > 0 {
        let mut answers = Vec::with_capacity(group.len());
        let timer = Instant::now();
        let committed = commit(connection, &mut durability, &mut group, &mut answers);
        metrics::histogram!("casebridge_store_commit_seconds", "store" => "sqlite")
            .record(timer.elapsed().as_secs_f64());
        for answer in answers {
            answer(committed.clone());
        }
    }
}

fn commit(
    connection: &Connection,
    durability: &mut Durability,
    group: &mut Vec<Job>,
    answers: &mut Vec<Answer>,
) -> Result<(), StoreError> {
    let begun = begin(connection, durability, group);
    if let Err(error) = begun {
        // The jobs must still be answered; without a transaction each is told that nothing was done.
        let error = StoreError::from(error);
        group.drain(..).for_each(|job| answers.push(job_without_transaction(job)));
        return Err(error);
    }
    let result = run_all(connection, group, answers);
    if result.is_err() {
        // After a failed COMMIT the transaction may be gone already; then this has nothing to do.
        let _ = connection.execute_batch("ROLLBACK");
    }
    result
}

/// Begins a transaction that is as durable as the most demanding of its jobs.
fn begin(connection: &Connection, durability: &mut Durability, group: &[Job]) -> rusqlite::Result<()> {
    let needed = group.iter().map(|job| job.durability).max().unwrap_or(Durability::OnDisk);
    if needed != *durability {
        // Either way the log is written in order, so that a commit on disk takes along those before it.
        let synchronous = match needed {
            Durability::InOrder => "NORMAL",
            Durability::OnDisk => "FULL",
        };
        connection.pragma_update(None, "synchronous", synchronous)?;
        *durability = needed;
    }
    connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
    Ok(())
}

/// An answer for a job that was never run: dropping the job drops its sender, which tells the caller.
fn job_without_transaction(job: Job) -> Answer {
    Box::new(move |_| drop(job))
}

fn run_all(
    connection: &Connection,
    group: &mut Vec<Job>,
    answers: &mut Vec<Answer>,
) -> Result<(), StoreError> {
    let execute = |sql: &str| -> Result<(), StoreError> {
        connection.prepare_cached(sql)?.execute([])?;
        Ok(())
    };
    for job in group.drain(..) {
        let begun = execute("SAVEPOINT job");
        let (keep, answer) = (job.work)(connection);
        answers.push(answer);
        begun?;
        if !keep {
            execute("ROLLBACK TO job")?;
        }
        execute("RELEASE job")?;
    }
    execute("COMMIT")
}
