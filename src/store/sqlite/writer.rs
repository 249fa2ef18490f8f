//! The one thread that writes.

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use crate::store::StoreError;

/// The most jobs one transaction carries; TECH measurements show nothing gained beyond.
const GROUP: usize = 256;

/// The most jobs that may wait. A webhook that finds the queue full is refused and comes again.
const QUEUE: usize = 1024;

/// Work inside the group's transaction; says whether it is to be kept, and leaves its answer for after the commit.
type Job = Box<dyn FnOnce(&Connection) -> (bool, Answer) + Send>;
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

    /// Runs work in the next transaction and answers once that is on disk.
    pub(super) async fn run<T, Work>(&self, work: Work) -> Result<T, StoreError>
    where
        T: Send + 'static,
        Work: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        let (job, answer) = job(work);
        self.0.send(job).await.map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
    }

    /// [`Writer::run`], but a full queue is an error at once.
    pub(super) async fn run_or_refuse<T, Work>(&self, work: Work) -> Result<T, StoreError>
    where
        T: Send + 'static,
        Work: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        let (job, answer) = job(work);
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

fn job<T, Work>(work: Work) -> (Job, oneshot::Receiver<Result<T, StoreError>>)
where
    T: Send + 'static,
    Work: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
{
    let (sender, receiver) = oneshot::channel();
    let job: Job = Box::new(move |connection| {
        let result = work(connection);
        let keep = result.is_ok();
        let answer: Answer = Box::new(move |committed| {
            // Whoever asked may have gone, as when a webhook's sender hangs up; the work is done all the same.
            let _ = sender.send(committed.and(result));
        });
        (keep, answer)
    });
    (job, receiver)
}

fn serve(connection: &Connection, mut queue: mpsc::Receiver<Job>) {
    let mut group = Vec::with_capacity(GROUP);
    // Takes what waits and never waits for more: a lone event is not held up.
    while queue.blocking_recv_many(&mut group, GROUP) > 0 {
        let mut answers = Vec::with_capacity(group.len());
        let committed = commit(connection, &mut group, &mut answers);
        for answer in answers {
            answer(committed.clone());
        }
    }
}

fn commit(
    connection: &Connection,
    group: &mut Vec<Job>,
    answers: &mut Vec<Answer>,
) -> Result<(), StoreError> {
    let begun = connection.prepare_cached("BEGIN IMMEDIATE").and_then(|mut begin| begin.execute([]));
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
        let (keep, answer) = job(connection);
        answers.push(answer);
        begun?;
        if !keep {
            execute("ROLLBACK TO job")?;
        }
        execute("RELEASE job")?;
    }
    execute("COMMIT")
}
