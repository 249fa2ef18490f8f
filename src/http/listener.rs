//! A bound port and what serves it.

use std::net::{SocketAddr, TcpListener};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::extract::{MatchedPath, Request};
use axum_server::Handle;
use axum_server::accept::Accept;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;
use tracing::Span;

/// How long a client may take to send its headers.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// The most bytes of headers: HighLevel's are under 2 KiB.
const LARGEST_HEADERS: usize = 64 * 1024;

/// The most connections a listener holds. Below the 1,024 files a process may have open unless it is given more, so
/// that a crowd on one listener leaves the other, the store and the vendors reachable.
const MOST_CONNECTIONS: usize = 640;

/// Takes a connection only while there is room; the rest is closed at once, which every sender knows as "try again".
#[derive(Clone)]
struct Bounded {
    permits: Arc<Semaphore>,
}

impl<Service: Send + 'static> Accept<TcpStream, Service> for Bounded {
    type Stream = Held;
    type Service = Service;
    type Future = std::future::Ready<std::io::Result<(Held, Service)>>;

    fn accept(&self, stream: TcpStream, service: Service) -> Self::Future {
        std::future::ready(match Arc::clone(&self.permits).try_acquire_owned() {
            Ok(permit) => {
                // Answers are small and awaited one by one: none should wait to be filled up.
                stream.set_nodelay(true).map(|()| (Held { stream, _permit: permit }, service))
            }
            Err(_) => {
                tracing::warn!(connections = MOST_CONNECTIONS, "a connection was closed: there are too many");
                Err(std::io::ErrorKind::ConnectionRefused.into())
            }
        })
    }
}

/// A connection that counts.
struct Held {
    stream: TcpStream,
    _permit: OwnedSemaphorePermit,
}

impl AsyncRead for Held {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, into)
    }
}

impl AsyncWrite for Held {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
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

    /// Serves a bound port.
    pub fn serve(socket: TcpListener, router: Router) -> std::io::Result<Self> {
        let address = socket.local_addr()?;
        let handle = Handle::new();
        let acceptor = Bounded { permits: Arc::new(Semaphore::new(MOST_CONNECTIONS)) };
        let mut server = axum_server::from_tcp(socket)?.handle(handle.clone()).acceptor(acceptor);
        // Only HTTP/1 is bounded here, so nothing else is spoken.
        let builder = server.http_builder();
        *builder = builder.clone().http1_only();
        builder
            .http1()
            .timer(hyper_util::rt::TokioTimer::new())
            .header_read_timeout(HEADER_TIMEOUT)
            .max_buf_size(LARGEST_HEADERS);
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        let task = tokio::spawn(server.serve(service));
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
