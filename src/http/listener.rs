//! A bound port and what serves it.

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use axum::Router;
use axum::extract::{MatchedPath, Request};
use axum_server::Handle;
use tokio::task::JoinHandle;
use tracing::Span;

/// How long a client may take to send its headers.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// The most bytes of headers: HighLevel's are under 2 KiB.
const LARGEST_HEADERS: usize = 64 * 1024;

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
        let mut server = axum_server::from_tcp(socket)?.handle(handle.clone());
        server
            .http_builder()
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
