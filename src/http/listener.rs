//! A bound port and what serves it.

use std::future::Future;
use std::net::{SocketAddr, TcpListener};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::extract::{MatchedPath, Request};
use axum_server::Handle;
use axum_server::accept::Accept;
use axum_server::tls_rustls::RustlsAcceptor;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;
use tokio::time::{Instant, Sleep};
use tracing::Span;

use super::limits::Limits;
use super::tls::Tls;

/// Takes a connection only while there is room; the rest is closed at once, which every sender knows as "try again".
#[derive(Clone)]
struct Bounded {
    permits: Arc<Semaphore>,
    most: usize,
    idle: Duration,
}

impl<Service: Send + 'static> Accept<TcpStream, Service> for Bounded {
    type Stream = Held;
    type Service = Service;
    type Future = std::future::Ready<std::io::Result<(Held, Service)>>;

    fn accept(&self, stream: TcpStream, service: Service) -> Self::Future {
        std::future::ready(match Arc::clone(&self.permits).try_acquire_owned() {
            Ok(permit) => {
                // Answers are small and awaited one by one: none should wait to be filled up.
                stream.set_nodelay(true).map(|()| (Held::new(stream, self.idle, permit), service))
            }
            Err(_) => {
                tracing::warn!(connections = self.most, "a connection was closed: there are too many");
                Err(std::io::ErrorKind::ConnectionRefused.into())
            }
        })
    }
}

/// A connection that counts, and ends when nothing has gone either way for too long.
struct Held {
    stream: TcpStream,
    idle: Duration,
    /// When something went last.
    last: Instant,
    /// When to look whether that is too long ago.
    look: Pin<Box<Sleep>>,
    _permit: OwnedSemaphorePermit,
}

impl Held {
    fn new(stream: TcpStream, idle: Duration, permit: OwnedSemaphorePermit) -> Self {
        let look = Box::pin(tokio::time::sleep(idle));
        Self { stream, idle, last: Instant::now(), look, _permit: permit }
    }

    /// Whether nothing has gone for too long; wakes the connection when that may have become so.
    fn is_idle(&mut self, context: &mut Context<'_>) -> bool {
        while self.look.as_mut().poll(context).is_ready() {
            let until = self.last + self.idle;
            if until <= Instant::now() {
                return true;
            }
            self.look.as_mut().reset(until);
        }
        false
    }
}

impl AsyncRead for Held {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let read = Pin::new(&mut self.stream).poll_read(context, into);
        if read.is_ready() {
            self.last = Instant::now();
        } else if self.is_idle(context) {
            return Poll::Ready(Err(std::io::ErrorKind::TimedOut.into()));
        }
        read
    }
}

impl AsyncWrite for Held {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        if written.is_ready() {
            self.last = Instant::now();
        } else if self.is_idle(context) {
            return Poll::Ready(Err(std::io::ErrorKind::TimedOut.into()));
        }
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        if written.is_ready() {
            self.last = Instant::now();
        } else if self.is_idle(context) {
            return Poll::Ready(Err(std::io::ErrorKind::TimedOut.into()));
        }
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// A port that is being served.
pub struct Listener {
    address: SocketAddr,
    handle: Handle<SocketAddr>,
    task: JoinHandle<std::io::Result<()>>,
}

impl Listener {
    /// Binds a port, without serving it yet.
    pub fn bind(address: SocketAddr) -> Result<TcpListener, String> {
        let bound = TcpListener::bind(address).and_then(|socket| {
            socket.set_nonblocking(true)?;
            Ok(socket)
        });
        bound.map_err(|error| format!("{address} cannot be listened on: {error}"))
    }

    /// Serves a bound port within the usual limits.
    pub fn serve(socket: TcpListener, router: Router) -> std::io::Result<Self> {
        Self::serve_within(socket, router, Limits::default(), None)
    }

    /// Serves a bound port, over TLS if it is given what to prove itself with.
    pub fn serve_within(
        socket: TcpListener,
        router: Router,
        limits: Limits,
        tls: Option<&Tls>,
    ) -> std::io::Result<Self> {
        let address = socket.local_addr()?;
        let handle = Handle::new();
        let (permits, most) = (Arc::new(Semaphore::new(limits.connections)), limits.connections);
        let bounded = Bounded { permits, most, idle: limits.idle_time };
        let mut server = axum_server::from_tcp(socket)?.handle(handle.clone());
        // Only HTTP/1 is bounded here, so nothing else is spoken.
        let builder = server.http_builder();
        *builder = builder.clone().http1_only();
        builder
            .http1()
            .timer(hyper_util::rt::TokioTimer::new())
            .header_read_timeout(limits.header_time)
            .max_buf_size(limits.header_bytes);
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        let task = match tls {
            None => tokio::spawn(server.acceptor(bounded).serve(service)),
            Some(tls) => {
                let acceptor = RustlsAcceptor::new(tls.config.clone()).handshake_timeout(limits.header_time);
                tokio::spawn(server.acceptor(acceptor.acceptor(bounded)).serve(service))
            }
        };
        Ok(Self { address, handle, task })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes no new connection and waits for what is in flight, at most this long.
    pub async fn stop(self, patience: Duration) {
        self.handle.graceful_shutdown(Some(patience));
        // The task ends with an error only if accepting had failed, which was logged then.
        let _ = self.task.await;
    }
}

/// The span of a request: its route, never its address, which may hold a token.
pub(super) fn span(request: &Request) -> Span {
    let route = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str);
    tracing::debug_span!("request", http.method = %request.method(), http.route = route)
}
