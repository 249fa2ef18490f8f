//! Serving a vendor: faults around its operations, and connections that can be cut without an answer.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::connect_info::{ConnectInfo, Connected};
use axum::extract::{FromRef, State};
use axum::http::{Method, Request};
use axum::response::{IntoResponse, Response};
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use super::call::{Call, Reply};
use super::faults::{Faults, Misbehaviour, hold};
use super::ledger::Ledger;
use super::outbox::Outbox;
use crate::clock::SharedClock;

/// A receiver that does not answer its echo must not stop the API for ever.
const ECHO_PATIENCE: Duration = Duration::from_secs(5);

/// What both vendors have beside their records.
#[derive(Debug)]
pub(super) struct Common {
    pub(super) clock: SharedClock,
    pub(super) ledger: Arc<Ledger>,
    pub(super) outbox: Outbox,
    pub(super) faults: Arc<Mutex<Faults>>,
    pub(super) is_down: AtomicBool,
    pub(super) echoes_first: AtomicBool,
    /// Requests that the API was asked, whatever came of them.
    pub(super) calls: AtomicUsize,
}

impl Common {
    /// The faults that are scripted.
    pub(super) fn faults(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A vendor's API without the network.
pub(super) trait Api: Send + Sync + 'static {
    /// What stands before every path of the API.
    const BASE: &'static str;
    /// Outbox, faults and switches.
    fn common(&self) -> &Common;
    /// Carries a request out. `lag` hides records younger than so many seconds from searches.
    fn answer(&self, call: &Call, lag: i64) -> Reply;
    /// An error in the vendor's shape.
    fn refusal(&self, status: u16, message: &str) -> Reply;
    /// Stops accepting this token.
    fn revoke(&self, token: &str);
    /// Ends the time of the OAuth access tokens.
    fn expire(&self);
    /// Answers the twin's own routes, which no fault touches.
    fn control(&self, call: &Call) -> Option<Response>;
}

/// Answers requests until the token is cancelled.
pub(super) async fn serve<A: Api>(api: Arc<A>, listener: TcpListener, stop: CancellationToken) {
    let router = Router::new().fallback(handle::<A>).with_state(Shared(api));
    let service = router.into_make_service_with_connect_info::<Line>();
    // An error can only be the listener's; there is nobody to tell but the clients, whose connections fail.
    let _ = axum::serve(Cuttable(listener), service)
        .with_graceful_shutdown(async move { stop.cancelled().await })
        .await;
}

struct Shared<A>(Arc<A>);

impl<A> Clone for Shared<A> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<A> FromRef<Shared<A>> for Arc<A> {
    fn from_ref(shared: &Shared<A>) -> Self {
        Arc::clone(&shared.0)
    }
}

async fn handle<A: Api>(
    State(api): State<Arc<A>>,
    ConnectInfo(line): ConnectInfo<Line>,
    request: Request<Body>,
) -> Response {
    let mut call = Call::read(request, A::BASE).await;
    if let Some(response) = api.control(&call) {
        return response;
    }
    let common = api.common();
    common.calls.fetch_add(1, Ordering::SeqCst);
    if common.is_down.load(Ordering::SeqCst) {
        return api.refusal(503, "Service Unavailable").into_response();
    }
    let misbehaviour = common.faults().for_call(&call);
    let mut lag = 0;
    match &misbehaviour {
        Some(Misbehaviour::Status { status, retry_after, body }) => {
            let mut reply = api.refusal(*status, "scripted fault");
            if let Some(body) = body {
                reply.body = body.clone();
            }
            if let Some(seconds) = retry_after {
                reply = reply.with("retry-after", seconds);
            }
            return reply.into_response();
        }
        Some(Misbehaviour::TimeoutBefore { hold_milliseconds }) => {
            return line.cut_after(*hold_milliseconds).await;
        }
        Some(Misbehaviour::IgnoredProperties { names }) => call.leave_out(names),
        Some(Misbehaviour::SearchLag { seconds }) => lag = *seconds,
        Some(Misbehaviour::RevokedToken) => {
            if let Some(token) = call.bearer() {
                api.revoke(token);
            }
        }
        Some(Misbehaviour::ExpiredTokens) => api.expire(),
        _ => {}
    }
    let reply = api.answer(&call, lag);
    if common.echoes_first.load(Ordering::SeqCst) && call.method != Method::GET {
        let _ = tokio::time::timeout(ECHO_PATIENCE, common.outbox.flush()).await;
    }
    match misbehaviour {
        Some(Misbehaviour::TimeoutAfter { hold_milliseconds }) => line.cut_after(hold_milliseconds).await,
        Some(Misbehaviour::CreatedBut422) if reply.is_success() => {
            api.refusal(422, "scripted fault").into_response()
        }
        _ => reply.into_response(),
    }
}

/// The line to one client.
#[derive(Debug, Clone)]
struct Line(Arc<AtomicBool>);

impl Line {
    /// Holds the connection, then drops it: whatever is answered is never written.
    async fn cut_after(&self, milliseconds: u64) -> Response {
        tokio::time::sleep(hold(milliseconds)).await;
        self.0.store(true, Ordering::SeqCst);
        Reply::new(500, serde_json::Value::Null).into_response()
    }
}

impl Connected<IncomingStream<'_, Cuttable>> for Line {
    fn connect_info(stream: IncomingStream<'_, Cuttable>) -> Self {
        stream.io().line.clone()
    }
}

/// A listener whose connections can be cut by a handler.
struct Cuttable(TcpListener);

struct CuttableStream {
    stream: TcpStream,
    line: Line,
}

impl Listener for Cuttable {
    type Io = CuttableStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        let (stream, address) = Listener::accept(&mut self.0).await;
        // Without it small answers wait for the client's acknowledgement.
        let _ = stream.set_nodelay(true);
        (CuttableStream { stream, line: Line(Arc::default()) }, address)
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.0.local_addr()
    }
}

impl CuttableStream {
    fn open(&mut self) -> io::Result<Pin<&mut TcpStream>> {
        if self.line.0.load(Ordering::SeqCst) {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        Ok(Pin::new(&mut self.stream))
    }
}

impl AsyncRead for CuttableStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.open() {
            Ok(stream) => stream.poll_read(context, buffer),
            Err(cut) => Poll::Ready(Err(cut)),
        }
    }
}

impl AsyncWrite for CuttableStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.open() {
            Ok(stream) => stream.poll_write(context, bytes),
            Err(cut) => Poll::Ready(Err(cut)),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.open() {
            Ok(stream) => stream.poll_flush(context),
            Err(cut) => Poll::Ready(Err(cut)),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
