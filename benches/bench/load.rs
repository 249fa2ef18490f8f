//! The load generator: raw HTTP/1.1 over kept connections, all on one thread, so that it takes as little as it can of
//! the machine it shares with what it measures.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use casebridge::domain::EventId;
use futures_util::future::join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::stock::Stock;
use super::table::quantile;

/// Connections, caches and the processor's clock settle in this time; it is not counted.
const WARM_UP: Duration = Duration::from_millis(500);

/// Whether a request may be sent again once all have been sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reuse {
    /// As often as there is time.
    Yes,
    /// The load ends early.
    No,
}

/// When requests are sent.
#[derive(Debug, Clone, Copy)]
pub enum Pace {
    /// Each connection sends the next when the last was answered.
    Closed,
    /// So many a second, whatever the answers do.
    PerSecond(u32),
}

/// What a load is.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// To whom.
    pub address: SocketAddr,
    /// Over how many connections.
    pub connections: usize,
    /// How long it is counted.
    pub duration: Duration,
    /// When requests are sent.
    pub pace: Pace,
    /// Whether requests may be repeated.
    pub reuse: Reuse,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Outcome {
    /// How long was counted.
    pub elapsed: Duration,
    /// What each answer took, sorted.
    pub latencies: Vec<Duration>,
    /// Answers other than 2xx, warm-up included.
    pub refused: usize,
    /// Answers, warm-up included.
    pub answers: usize,
    /// Every id that was acknowledged, warm-up included.
    pub acknowledged: Vec<EventId>,
}

impl Outcome {
    /// Answers a second.
    pub fn rate(&self) -> f64 {
        self.latencies.len() as f64 / self.elapsed.as_secs_f64()
    }

    /// The latency below which this part of the answers lies.
    pub fn quantile(&self, part: f64) -> Duration {
        quantile(&self.latencies, part)
    }
}

/// Sends requests of the stock, and waits for the last answer.
pub fn run(load: Load, stock: &Stock) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("the system gives what a runtime needs");
    let begin = Instant::now() + WARM_UP;
    let run = Run {
        load,
        stock,
        begin,
        end: begin + load.duration,
        next: Cell::new(0),
        outcome: RefCell::new(Outcome::default()),
    };
    runtime.block_on(join_all((0..load.connections).map(|_| run.converse())));
    let mut outcome = run.outcome.into_inner();
    outcome.elapsed = begin.elapsed();
    outcome.latencies.sort_unstable();
    outcome
}

struct Run<'a> {
    load: Load,
    stock: &'a Stock,
    begin: Instant,
    end: Instant,
    next: Cell<usize>,
    outcome: RefCell<Outcome>,
}

impl Run<'_> {
    async fn converse(&self) {
        let mut stream = TcpStream::connect(self.load.address).await.expect("the server accepts");
        stream.set_nodelay(true).expect("a socket has this option");
        let mut buffer = Vec::with_capacity(2_048);
        while let Some((request, from)) = self.turn().await {
            stream.write_all(request).await.expect("the server reads");
            let answer = read(&mut stream, &mut buffer).await;
            self.note(from, answer);
        }
    }

    /// The next request, and since when it has been due.
    async fn turn(&self) -> Option<(&[u8], Instant)> {
        let number = self.next.get();
        let index = match self.load.reuse {
            Reuse::Yes => number % self.stock.len(),
            Reuse::No if number < self.stock.len() => number,
            Reuse::No => return None,
        };
        self.next.set(number + 1);
        let mut now = Instant::now();
        if let Pace::PerSecond(rate) = self.load.pace {
            let due = self.begin - WARM_UP + Duration::from_secs(1) / rate * u32::try_from(number).ok()?;
            if due >= self.end {
                return None;
            }
            if due > now {
                // The timer's own lateness, up to a millisecond, is not the server's.
                tokio::time::sleep_until(due.into()).await;
                now = Instant::now();
            } else {
                // Every connection was busy when this was due: the wait counts.
                now = due;
            }
        }
        (now < self.end).then(|| (self.stock.request(index), now))
    }

    fn note(&self, from: Instant, answer: Answer<'_>) {
        let now = Instant::now();
        let mut outcome = self.outcome.borrow_mut();
        outcome.answers += 1;
        match answer.status {
            200..300 => outcome.acknowledged.extend(event_id(answer.body)),
            _ => outcome.refused += 1,
        }
        if now >= self.begin {
            outcome.latencies.push(now - from);
        }
    }
}

struct Answer<'a> {
    status: u16,
    body: &'a [u8],
}

/// Reads one answer with a `Content-Length`.
async fn read<'a>(stream: &mut TcpStream, buffer: &'a mut Vec<u8>) -> Answer<'a> {
    buffer.clear();
    loop {
        let read = stream.read_buf(buffer).await.expect("the server answers");
        assert!(read > 0, "the server closed a connection in the middle of an answer");
        let Some(head) = find(buffer, b"\r\n\r\n") else { continue };
        let length = find(&buffer[..head], b"content-length: ").expect("an answer says how long it is");
        let digits = buffer[length + 16..].iter().take_while(|byte| byte.is_ascii_digit());
        let length = digits.fold(0, |length, digit| length * 10 + usize::from(digit - b'0'));
        let body = head + 4;
        if buffer.len() >= body + length {
            let status = buffer[9..12].iter().fold(0, |status, digit| status * 10 + u16::from(digit - b'0'));
            return Answer { status, body: &buffer[body..body + length] };
        }
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

/// The id of a receipt: `{"event":"…","status":"…"}`.
fn event_id(body: &[u8]) -> Option<EventId> {
    std::str::from_utf8(body.get(10..46)?).ok()?.parse().ok()
}
