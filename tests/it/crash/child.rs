//! The real program as a child process, ended in every way a system can end it, and started again on the same files.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{self, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};

use rustix::process::{Pid, Signal, kill_process};

use super::{Database, PATIENCE, eventually};
use crate::support::{Vendors, configuration_text};

/// What a child is told besides its vendors.
pub struct Home<'a> {
    /// Where its configuration and secrets are.
    pub directory: &'a Path,
    /// Where its database is.
    pub data: &'a Path,
    pub database: &'a Database,
    pub drain_seconds: u64,
}

/// A bridge in a process of its own.
pub struct Child {
    pub url: String,
    pub admin_url: String,
    config: PathBuf,
    log: PathBuf,
    filter: &'static str,
    http: reqwest::Client,
    process: process::Child,
}

impl Child {
    /// Starts it and waits until traffic may come.
    pub async fn start(home: &Home<'_>, vendors: &Vendors<'_>, sync: &str) -> Self {
        Self::start_logging(home, vendors, sync, "warn").await
    }

    /// The same with another log filter.
    pub async fn start_logging(
        home: &Home<'_>,
        vendors: &Vendors<'_>,
        sync: &str,
        filter: &'static str,
    ) -> Self {
        let (public, admin) = (free_port(), free_port());
        let server = format!(
            "[server]\npublic = \"127.0.0.1:{public}\"\nadmin = \"127.0.0.1:{admin}\"\ndrain_seconds = {}\n",
            home.drain_seconds
        );
        let store = home.database.section(home.data);
        let text = configuration_text(home.directory, vendors, sync);
        let config = home.directory.join("casebridge.toml");
        std::fs::write(&config, format!("{server}{store}{text}")).unwrap();
        let log = home.directory.join("log");
        let process = spawn(&config, &log, filter);
        let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
        let (url, admin_url) = (format!("http://127.0.0.1:{public}"), format!("http://127.0.0.1:{admin}"));
        let mut child = Self { url, admin_url, config, log, filter, http, process };
        child.is_ready().await;
        child
    }

    /// Waits until traffic may come.
    async fn is_ready(&mut self) {
        let (http, url, log) = (self.http.clone(), format!("{}/readyz", self.admin_url), self.log.clone());
        let process = &mut self.process;
        let look = async || {
            if let Some(status) = process.try_wait().unwrap() {
                panic!("the program ended with {status}:\n{}", tail(&log));
            }
            let answer = http.get(&url).send().await.ok()?;
            answer.status().is_success().then_some(())
        };
        let ready = eventually("the program is ready", 2 * PATIENCE, look);
        let came = tokio::time::timeout(PATIENCE, ready).await;
        assert!(came.is_ok(), "the program is not ready within {PATIENCE:?}:\n{}", tail(&log));
    }

    /// What `/readyz` says; none if nobody answers.
    pub async fn readiness(&self) -> Option<u16> {
        let answer = self.http.get(format!("{}/readyz", self.admin_url)).send().await.ok()?;
        Some(answer.status().as_u16())
    }

    /// Ends it as a power cut would: nothing of it runs any more, not even for an instant.
    pub fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.process), signal).unwrap();
    }

    /// Starts it again on the same files.
    pub async fn start_again(&mut self) {
        self.process = spawn(&self.config, &self.log, self.filter);
        self.is_ready().await;
    }

    /// Waits until it has ended by itself.
    pub async fn ended(&mut self) -> ExitStatus {
        let process = &mut self.process;
        eventually("the program ends", PATIENCE, async || process.try_wait().unwrap()).await
    }

    pub fn is_running(&mut self) -> bool {
        self.process.try_wait().unwrap().is_none()
    }

    /// The end of what it logged.
    pub fn log(&self) -> String {
        tail(&self.log)
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // It may have ended long ago.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn spawn(config: &Path, log: &Path, filter: &str) -> process::Child {
    let log = File::options().create(true).append(true).open(log).unwrap();
    Command::new(env!("CARGO_BIN_EXE_casebridge"))
        .args(["serve", "--config"])
        .arg(config)
        .env("CASEBRIDGE_LOG", filter)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap()
}

fn tail(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(30)..].join("\n")
}

/// A port below those the system gives out by itself, so that nobody takes it between two starts.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 20_000 + u16::try_from(process::id() % 100).unwrap() * 100;
    loop {
        let port = first + NEXT.fetch_add(1, Ordering::SeqCst) % 2_000;
        if TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).is_ok() {
            return port;
        }
    }
}
