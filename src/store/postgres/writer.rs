//! The tasks that write: each takes whatever waits and commits it as one transaction.
//!
//! A transaction costs journeys to the database and a wait for its disk, whatever it carries.

use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;
use sqlx::Connection;
use sqlx::postgres::PgConnection;
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::task::JoinSet;

use super::core::{ATTEMPTS, Core, TRUSTED, beginning, within_deadline};
use super::rows::Fault;
use crate::store::StoreError;

/// The most jobs one transaction carries; measurements show little gained beyond. The keys of more would not fit into
/// one encrypted message: see [`super::core`].
const GROUP: usize = 96;

/// The most jobs that may wait.
const QUEUE: usize = 1024;

/// How many transactions of a kind are under way at once: while one waits for its commit, the other is prepared.
const WRITERS: usize = 2;

/// What is committed together with others of its kind, under the locks of their firms.
pub(super) trait Job: Send + Sync + Sized + 'static {
    /// What became of it.
    type Answer: Send + 'static;

    /// Whose it is.
    fn firm(&self) -> &str;

    /// Carries jobs out, with messages of this many bytes at most; what became of each, in order.
    fn run(
        connection: &mut PgConnection,
        jobs: &[Self],
        now: Timestamp,
        message: usize,
    ) -> impl Future<Output = Result<Vec<Self::Answer>, Fault>> + Send;
}

type Answer<J> = oneshot::Sender<Result<<J as Job>::Answer, StoreError>>;
type Queue<J> = mpsc::Receiver<(J, Answer<J>)>;

/// The way to the writing tasks, which end with it.
pub(super) struct Writer<J: Job> {
    jobs: mpsc::Sender<(J, Answer<J>)>,
    _tasks: JoinSet<()>,
}

impl<J: Job> Writer<J> {
    pub(super) fn start(core: &Arc<Core>) -> Self {
        let (jobs, queue) = mpsc::channel(QUEUE);
        let queue = Arc::new(Mutex::new(queue));
        let mut tasks = JoinSet::new();
        for _ in 0..WRITERS {
            tasks.spawn(serve(Arc::clone(core), Arc::clone(&queue)));
        }
        Self { jobs, _tasks: tasks }
    }

    /// Answers once the job is on the database's disk.
    pub(super) async fn run(&self, job: J) -> Result<J::Answer, StoreError> {
        let (sender, answer) = oneshot::channel();
        self.jobs.send((job, sender)).await.map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
    }

    /// [`Writer::run`], but a full queue is an error at once.
    pub(super) async fn run_or_refuse(&self, job: J) -> Result<J::Answer, StoreError> {
        let (sender, answer) = oneshot::channel();
        self.jobs.try_send((job, sender)).map_err(|error| match error {
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

async fn serve<J: Job>(core: Arc<Core>, queue: Arc<Mutex<Queue<J>>>) {
    let mut line = Line { core, connection: None };
    loop {
        let mut group = Vec::with_capacity(GROUP);
        // Takes what waits and never waits for more: a lone job is not held up.
        if queue.lock().await.recv_many(&mut group, GROUP).await == 0 {
            return;
        }
        let (jobs, answers): (Vec<J>, Vec<Answer<J>>) = group.into_iter().unzip();
        write(&mut line, &jobs, answers).await;
    }
}

async fn write<J: Job>(line: &mut Line, jobs: &[J], answers: Vec<Answer<J>>) {
    match line.commit(jobs).await {
        Ok(done) => {
            // Whoever asked may have gone, as when a webhook's sender hangs up; the work is done all the same.
            answers.into_iter().zip(done).for_each(|(answer, done)| {
                let _ = answer.send(Ok(done));
            });
        }
        // One job that the database does not accept must not keep the others out.
        Err(fault) if fault.is_about_data() && jobs.len() > 1 => {
            for (job, answer) in jobs.iter().zip(answers) {
                let result = line.commit(std::slice::from_ref(job)).await;
                let _ = answer.send(result.map(|mut done| done.remove(0)).map_err(StoreError::from));
            }
        }
        Err(fault) => {
            let error = StoreError::from(fault);
            answers.into_iter().for_each(|answer| {
                let _ = answer.send(Err(error.clone()));
            });
        }
    }
}

/// A writing task's own connection to the database, and when it was last used.
struct Line {
    core: Arc<Core>,
    connection: Option<(PgConnection, Instant)>,
}

impl Line {
    /// Commits jobs as one transaction, again if PostgreSQL asks for that.
    async fn commit<J: Job>(&mut self, jobs: &[J]) -> Result<Vec<J::Answer>, Fault> {
        within_deadline(async {
            let mut attempt = 1;
            loop {
                match self.try_to_commit(jobs).await {
                    Err(fault) if fault.is_repeatable() && attempt < ATTEMPTS => attempt += 1,
                    other => return other,
                }
            }
        })
        .await
    }

    async fn try_to_commit<J: Job>(&mut self, jobs: &[J]) -> Result<Vec<J::Answer>, Fault> {
        let (firms, timer): (Vec<&str>, _) = (jobs.iter().map(J::firm).collect(), Instant::now());
        // Taken out meanwhile: one on which anything went wrong is not used again.
        let mut connection = self.connected().await?;
        let mut transaction = connection.begin_with(beginning(&firms)).await?;
        let now = self.core.time.now(&mut *transaction).await?;
        let done = J::run(&mut transaction, jobs, now, self.core.message).await?;
        transaction.commit().await?;
        metrics::histogram!("casebridge_store_commit_seconds", "store" => "postgres")
            .record(timer.elapsed().as_secs_f64());
        self.connection = Some((connection, Instant::now()));
        Ok(done)
    }

    async fn connected(&mut self) -> Result<PgConnection, sqlx::Error> {
        if let Some((mut connection, used_at)) = self.connection.take()
            && (used_at.elapsed() <= TRUSTED || connection.ping().await.is_ok())
        {
            return Ok(connection);
        }
        self.core.connect().await
    }
}
