//! The programs under test, each a process of its own: `casebridge serve`, and a bare server to compare with.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::routing::post;
use casebridge::config::{self, Config};
use casebridge::crypto::Keyring;
use casebridge::domain::FirmId;
use casebridge::http::Listener;
use casebridge::store::SharedStore;
use tempfile::TempDir;

use super::database::Database;
use super::stock;
use super::table::{Whose, processor_time};

/// The firm's location in HighLevel.
pub const LOCATION: &str = "twinLocation00000001";
/// The token in the path of CASEpeer's webhooks.
pub const INBOUND_TOKEN: &str = "twin-inbound";
/// What CASEpeer's webhooks are signed with.
pub const WEBHOOK_SECRET: &str = "twin-webhook-secret";
/// The firm.
pub const FIRM: &str = "acme";

/// How long a program may take to be ready.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where the vendors are.
pub struct Vendors {
    /// HighLevel's API.
    pub highlevel_url: String,
    /// The key its webhooks are signed with, beside the bench's own.
    pub highlevel_key: Option<String>,
    /// CASEpeer's API.
    pub casepeer_url: String,
}

impl Vendors {
    /// Nobody is there: what is measured makes no call.
    pub fn none() -> Self {
        let nowhere = "http://127.0.0.1:9".to_owned();
        Self { highlevel_url: nowhere.clone(), highlevel_key: None, casepeer_url: nowhere }
    }
}

/// An installation with a fresh database, in a directory of its own on the disk that is built on.
pub struct Site {
    pub database: Database,
    pub url: String,
    pub config: Config,
    directory: TempDir,
}

impl Site {
    pub fn new(database: Database, vendors: &Vendors) -> Self {
        let directory =
            tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("the disk takes a directory");
        let url = database.create(directory.path());
        let text = configuration(directory.path(), &url, vendors);
        std::fs::write(directory.path().join("casebridge.toml"), &text).expect("the disk takes a file");
        let config =
            config::parse("casebridge.toml", &text, &Vec::new()).expect("the configuration is right");
        Self { database, url, config, directory }
    }

    /// The keys of the configuration.
    pub fn keyring(&self) -> Arc<Keyring> {
        Arc::new(self.config.crypto.keyring().expect("the configuration has a key"))
    }

    /// Opens its store from this process.
    pub async fn store(&self) -> SharedStore {
        self.database.open(&self.url, self.keyring()).await
    }

    /// Has the firm's events kept without working on them, so that the bridge is a receiver and nothing else.
    pub fn pause(&self) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("the system gives what a runtime needs");
        runtime.block_on(async {
            let store = self.store().await;
            store.pause(&FirmId::new(FIRM), "receiving is measured").await.expect("the store works");
        });
    }

    /// Another verb of the program on this installation; what it says is not shown.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_casebridge"));
        command.args(arguments).arg("--config").arg(self.directory.path().join("casebridge.toml"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// Starts `casebridge serve` and waits until it is ready.
    pub fn serve(&self) -> Server {
        let (public, admin) = (free_address(), free_address());
        let mut command = Command::new(env!("CARGO_BIN_EXE_casebridge"));
        command
            .arg("serve")
            .arg("--config")
            .arg(self.directory.path().join("casebridge.toml"))
            .env("CASEBRIDGE_SERVER__PUBLIC", public.to_string())
            .env("CASEBRIDGE_SERVER__ADMIN", admin.to_string());
        let log = self.directory.path().join("log");
        let log = File::options().append(true).create(true).open(log).expect("the disk takes a file");
        Server::start(command, public, log.into(), "/readyz")
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.database.discard(&self.url);
    }
}

fn configuration(directory: &Path, url: &str, vendors: &Vendors) -> String {
    let secret = |name: &str, value: &str| {
        let path = directory.join(name);
        std::fs::write(&path, value).expect("the disk takes a file");
        format!("{{ file = {:?} }}", path.display().to_string())
    };
    let keys = [vendors.highlevel_key.clone(), Some(stock::key().public_key())];
    let keys: Vec<String> = keys.into_iter().flatten().map(|key| format!("\"ed25519:{key}\"")).collect();
    format!(
        r#"
[server]
firm_per_second = 0
[store]
url = "{url}"
[crypto]
keys = [{{ id = "k1", secret = {key} }}]
[highlevel]
base_url = "{highlevel_url}"
webhook_keys = [{keys}]
[[firms]]
id = "{FIRM}"
[firms.highlevel]
location_id = "{LOCATION}"
token = {token}
[firms.casepeer]
base_url = "{casepeer_url}"
inbound_token = {inbound}
webhook_secrets = [{webhook}]
auth = {{ kind = "bearer_static", token = {bearer} }}
"#,
        key = secret("key", "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA="),
        keys = keys.join(", "),
        token = secret("token", "twin-token"),
        inbound = secret("inbound", INBOUND_TOKEN),
        webhook = secret("webhook", WEBHOOK_SECRET),
        bearer = secret("bearer", "twin-token"),
        highlevel_url = vendors.highlevel_url,
        casepeer_url = vendors.casepeer_url,
    )
}

/// A running program, which is killed when this is dropped.
pub struct Server {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
    /// From the start of the process to its first good answer.
    pub ready_after: Duration,
}

impl Server {
    /// A bare axum server under the settings of the real one: it reads the body and answers a receipt.
    pub fn bare() -> Self {
        let address = free_address();
        let mut command = Command::new(std::env::current_exe().expect("this program has a path"));
        command.arg("--bare").arg(address.to_string());
        Self::start(command, address, Stdio::inherit(), "/readyz")
    }

    fn start(mut command: Command, address: SocketAddr, log: Stdio, path: &str) -> Self {
        let timer = Instant::now();
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn();
        let mut server =
            Self { child: child.expect("the program starts"), address, ready_after: Duration::ZERO };
        while !answers(address, path) {
            let has_ended = server.child.try_wait().expect("a child can be asked").is_some();
            assert!(!has_ended && timer.elapsed() < PATIENCE, "a program under test did not become ready");
            std::thread::sleep(Duration::from_micros(200));
        }
        server.ready_after = timer.elapsed();
        server
    }

    /// Its resident memory in MiB, and how much of that is not pages of the program's file.
    pub fn memory(&self) -> (f64, f64) {
        memory_of(self.child.id())
    }

    /// How much processor time it has used.
    pub fn processor_time(&self) -> Duration {
        processor_time(&self.child.id().to_string(), Whose::Alone)
    }
}

/// A process's resident memory in MiB, and how much of that is not pages of its program's file; nothing once it ended.
pub fn memory_of(process: u32) -> (f64, f64) {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let mebibytes = |key| {
        let line = status.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_default();
        let kibibytes: f64 = line.trim().trim_end_matches(" kB").parse().unwrap_or_default();
        kibibytes / 1_024.0
    };
    (mebibytes("VmRSS:"), mebibytes("RssAnon:"))
}

impl Drop for Server {
    fn drop(&mut self) {
        // By SIGKILL, so that what is looked for in the store afterwards is what was on disk.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn answers(address: SocketAddr, path: &str) -> bool {
    let ask = || {
        let mut stream = TcpStream::connect(address)?;
        write!(stream, "GET {path} HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n\r\n")?;
        let mut start = [0; 12];
        stream.read_exact(&mut start)?;
        Ok::<_, std::io::Error>(start.ends_with(b"200"))
    };
    ask().unwrap_or(false)
}

fn free_address() -> SocketAddr {
    let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("the system has a free port");
    socket.local_addr().expect("a bound socket has an address")
}

/// Serves as the bare server until killed.
pub fn serve_bare(address: SocketAddr) {
    const RECEIPT: &str = r#"{"event":"0190d2a5-7b1c-7e83-8f64-0c8e3f6d2a11","status":"recorded"}"#;
    let answer = async |body: Bytes| {
        std::hint::black_box(body.len());
        (StatusCode::ACCEPTED, [("content-type", "application/json")], RECEIPT)
    };
    let router = Router::new()
        .route("/webhooks/highlevel", post(answer))
        .route("/readyz", axum::routing::get(async || "ok"));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.expect("the system gives threads").block_on(async {
        let socket = Listener::bind(address).expect("the port is free");
        let _listener = Listener::serve(socket, router).expect("the port can be served");
        std::future::pending::<()>().await;
    });
}
