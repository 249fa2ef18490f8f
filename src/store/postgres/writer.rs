//! The tasks that write, and read what is read all the time: each takes whatever waits and carries it out at once.
//!
//! A statement costs a journey to the database and back, and a commit a wait for its disk, whatever it carries.

use std::sync::Arc;

use jiff::Timestamp;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, SqlSafeStr};
use tokio::sync::{Mutex, MutexGuard, mpsc, oneshot};
use tokio::task::JoinSet;

use super::core::{ATTEMPTS, Core, beginning, within_deadline};
use super::lines::{FLUSH, Line};
use super::rows::Fault;
use crate::store::StoreError;

/// The most jobs that are carried out at once; measurements show little gained beyond. The keys of more would not fit
/// into one encrypted message: see [`super::core`].
const GROUP: usize = 96;

/// The most jobs that may wait.
const QUEUE: usize = 1024;

/// How many groups of a kind are under way at once: while one is carried out, those before it wait for the disk.
const WRITERS: usize = 2;

/// Under what a group is carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Guard {
    /// In a transaction that holds the locks of their firms.
    Firms,
    /// Statement by statement.
    Nothing,
}

/// What is carried out together with others of its kind.
pub(super) trait Job: Send + Sync + Sized + 'static {
    /// What became of it.
    type Answer: Send + 'static;

    /// Under what it is carried out.
    const GUARD: Guard;

    /// Whose it is.
    fn firm(&self) -> &str;

    /// Whether it is answered only once it is on the database's disk. A [`Guard::Nothing`]'s own commits do not wait.
    fn must_last(&self) -> bool;

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

/// The way to the tasks, which end with it.
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

    /// Answers once the job is carried out and, if it must last, on the database's disk.
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
    loop {
        let mut group = Vec::with_capacity(GROUP);
        let mut turn = queue.lock().await;
        // Takes what waits and never waits for more: a lone job is not held up. But those who are about to ask, as when
        // many were answered at once, come along.
        if turn.recv_many(&mut group, GROUP).await == 0 {
            return;
        }
        tokio::task::yield_now().await;
        while group.len() < GROUP
            && let Ok(job) = turn.try_recv()
        {
            group.push(job);
        }
        let (jobs, answers): (Vec<J>, Vec<Answer<J>>) = group.into_iter().unzip();
        carry_out(&core, &jobs, answers, turn).await;
    }
}

async fn carry_out<J: Job>(core: &Core, jobs: &[J], answers: Vec<Answer<J>>, turn: MutexGuard<'_, Queue<J>>) {
    let timer = std::time::Instant::now();
    match commit(core, jobs, Some(turn)).await {
        Ok(done) => {
            metrics::histogram!("casebridge_store_commit_seconds", "store" => "postgres")
                .record(timer.elapsed().as_secs_f64());
            // Whoever asked may have gone, as when a webhook's sender hangs up; the work is done all the same.
            answers.into_iter().zip(done).for_each(|(answer, done)| {
                let _ = answer.send(Ok(done));
            });
        }
        // One job that the database does not accept must not keep the others out.
        Err(fault) if fault.is_about_data() && jobs.len() > 1 => {
            for (job, answer) in jobs.iter().zip(answers) {
                let result = commit(core, std::slice::from_ref(job), None).await;
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

/// Carries jobs out as one, again if PostgreSQL asks for that. The next group's turn comes when only the commit is left.
async fn commit<J: Job>(
    core: &Core,
    jobs: &[J],
    mut turn: Option<MutexGuard<'_, Queue<J>>>,
) -> Result<Vec<J::Answer>, Fault> {
    within_deadline(async {
        let mut attempt = 1;
        loop {
            match try_to_commit(core, jobs, &mut turn).await {
                Err(fault) if fault.is_repeatable() && attempt < ATTEMPTS => attempt += 1,
                other => return other,
            }
        }
    })
    .await
}

async fn try_to_commit<J: Job>(
    core: &Core,
    jobs: &[J],
    turn: &mut Option<MutexGuard<'_, Queue<J>>>,
) -> Result<Vec<J::Answer>, Fault> {
    // One on which anything went wrong is not given back, which ends its transaction.
    let mut line = core.lines.line().await?;
    let now = core.time.now(&mut *line).await?;
    if J::GUARD == Guard::Firms {
        let firms: Vec<&str> = jobs.iter().map(J::firm).collect();
        execute(&mut line, beginning(&firms)).await?;
    }
    let done = J::run(&mut line, jobs, now, core.message).await?;
    turn.take();
    let must_last = jobs.iter().any(J::must_last);
    match (J::GUARD, must_last) {
        (Guard::Firms, true) => {
            let sql = format!("SET LOCAL synchronous_commit = off; COMMIT; {FLUSH}");
            execute(&mut line, AssertSqlSafe(sql)).await?;
        }
        (Guard::Firms, false) => execute(&mut line, "COMMIT").await?,
        (Guard::Nothing, true) => execute(&mut line, FLUSH).await?,
        (Guard::Nothing, false) => {}
    }
    line.give_back();
    Ok(done)
}

/// Has statements without parameters carried out, in one journey.
async fn execute(line: &mut Line<'_>, sql: impl SqlSafeStr) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(sql).execute(&mut **line).await.map(|_| ())
}
