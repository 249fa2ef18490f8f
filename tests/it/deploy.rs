//! What `deploy/` ships, tried with the real programs where they are installed; one clear line says so where not.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child as Process, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use casebridge::clock::SystemClock;
use casebridge::twin::{Twin, TwinConfig};
use casebridge::webhook::highlevel::sign::{SIGNATURE_HEADER, SigningKey};
use serde_json::json;
use sqlx::Connection;
use tokio::sync::Mutex;

use crate::crash::child::{Child, Home};
use crate::crash::{Database, PATIENCE, eventually};
use crate::house::source;
use crate::store::PostgresDatabase;
use crate::support::{SYNC, Vendors};

/// Whether a program is there; says so if not.
fn is_installed(program: &str, package: &str) -> bool {
    let found = Command::new(program).arg("-v").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    if !found {
        eprintln!("skipped: {program} is not installed (Debian package {package})");
    }
    found
}

fn deploy(file: &str) -> String {
    format!("{}/deploy/{file}", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn the_alert_rules_hold_for_made_up_series() {
    if !is_installed("promtool", "prometheus") {
        return;
    }
    for (arguments, file) in
        [(&["check", "rules"][..], "prometheus.rules.yml"), (&["test", "rules"], "prometheus.rules.test.yml")]
    {
        let output = Command::new("promtool").args(arguments).arg(deploy(file)).output().unwrap();
        let told =
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{told}");
    }
}

/// The metrics a text names.
fn metrics(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, _) in text.match_indices("casebridge_") {
        let name: String =
            text[at..].chars().take_while(|one| one.is_ascii_lowercase() || *one == '_').collect();
        let name = name.strip_suffix("_bucket").unwrap_or(&name);
        found.insert(name.to_owned());
    }
    found
}

#[test]
fn the_dashboard_and_the_rules_name_metrics_that_there_are() {
    let described = metrics(&source("src/telemetry.rs"));
    assert!(described.len() > 20, "{described:?}");
    for file in ["deploy/prometheus.rules.yml", "deploy/grafana.dashboard.json", "README.md"] {
        let named: Vec<_> = metrics(&source(file)).into_iter().filter(|name| name != "casebridge_").collect();
        let unknown: Vec<_> = named.iter().filter(|name| !described.contains(*name)).collect();
        assert!(unknown.is_empty(), "{file} names {unknown:?}");
    }
    let dashboard: serde_json::Value =
        serde_json::from_str(&source("deploy/grafana.dashboard.json")).unwrap();
    assert!(dashboard["panels"].as_array().unwrap().len() > 15);
}

/// A proxy at work, with the site as it is shipped but for addresses and certificates.
struct Proxy {
    process: Process,
    url: String,
}

impl Proxy {
    async fn nginx(directory: &Path, receivers: &[&str]) -> Self {
        let port = free_port();
        let servers: String = receivers
            .iter()
            .map(|url| format!("server {} max_fails=1 fail_timeout=5s; ", host(url)))
            .collect();
        let mut site = String::new();
        for line in source("deploy/nginx.conf").lines() {
            let trimmed = line.trim_start();
            let replaced = match trimmed {
                _ if trimmed.starts_with("server 127.0.0.1:8080") => servers.clone(),
                _ if trimmed.starts_with("listen 443") => format!("listen 127.0.0.1:{port};"),
                _ if trimmed.starts_with("listen [::]") || trimmed.starts_with("ssl_") => String::new(),
                _ if trimmed.starts_with("access_log") => {
                    format!("access_log {}/access.log casebridge;", directory.display())
                }
                _ if trimmed.starts_with("error_log") => {
                    format!("error_log {}/error.log emerg;", directory.display())
                }
                _ => line.to_owned(),
            };
            site.push_str(&replaced);
            site.push('\n');
        }
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .iter()
            .map(|name| format!("{name}_temp_path {}/{name};\n", directory.display()))
            .collect();
        let whole = format!(
            "daemon off;\nmaster_process off;\npid {0}/pid;\nerror_log {0}/main.log;\nevents {{}}\nhttp {{\n{temporary}{site}}}\n",
            directory.display()
        );
        let file = directory.join("nginx.conf");
        std::fs::write(&file, whole).unwrap();
        Self::start(Command::new("nginx").arg("-p").arg(directory).arg("-c").arg(&file), port).await
    }

    async fn caddy(directory: &Path, receiver: &str) -> Self {
        let port = free_port();
        let site = source("deploy/Caddyfile")
            .replacen("\n{\n", "\n{\n\tadmin off\n", 1)
            .replace("bridge.example.com {", &format!("http://127.0.0.1:{port} {{"))
            .replace("reverse_proxy 127.0.0.1:8080", &format!("reverse_proxy {}", host(receiver)));
        let file = directory.join("Caddyfile");
        std::fs::write(&file, site).unwrap();
        let log = std::fs::File::create(directory.join("access.log")).unwrap();
        let mut command = Command::new("caddy");
        command.args(["run", "--adapter", "caddyfile", "--config"]).arg(&file);
        Self::start(command.env("HOME", directory).stderr(log), port).await
    }

    async fn start(command: &mut Command, port: u16) -> Self {
        let process = command.stdout(Stdio::null()).spawn().unwrap();
        let this = Self { process, url: format!("http://127.0.0.1:{port}") };
        let (http, asked) = (client(), format!("{}/nothing", this.url));
        eventually("the proxy answers", PATIENCE, async || http.get(&asked).send().await.ok().map(|_| ()))
            .await;
        this
    }

    /// Only the public routes are there.
    async fn hides_what_is_not_public(&self) {
        for path in ["/metrics", "/api/v1/events", "/openapi.json", "/", "/api/v1/secrets"] {
            let answer = client().get(format!("{}{path}", self.url)).send().await.unwrap();
            assert_eq!(answer.status(), 404, "{path}");
        }
    }

    /// With no bridge behind it, HighLevel's routes are answered with what it retries. Secrets in addresses stay out of
    /// the log.
    async fn has_highlevel_come_again(&self, directory: &Path) {
        let post =
            async |path: &str| client().post(format!("{}{path}", self.url)).body("{}").send().await.unwrap();
        for path in
            ["/webhooks/highlevel", "/webhooks/highlevel/token", "/webhooks/crm", "/webhooks/crm/token"]
        {
            let answer = post(path).await;
            assert_eq!(answer.status(), 429, "{path}");
            assert_eq!(answer.headers()["retry-after"], "10", "{path}");
            assert_eq!(answer.headers()["content-type"], "application/problem+json", "{path}");
        }
        let casepeer = post("/webhooks/casepeer/token").await;
        assert!(casepeer.status().is_server_error(), "{}", casepeer.status());
        let log = std::fs::read_to_string(directory.join("access.log")).unwrap();
        assert!(log.contains("/webhooks/highlevel/-") && !log.contains("/token"), "{log}");
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn free_port() -> u16 {
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    TcpListener::bind(any).unwrap().local_addr().unwrap().port()
}

fn host(url: &str) -> &str {
    url.trim_start_matches("http://")
}

fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}

/// The two vendors as a bridge of this test is told of them.
fn vendors<'a>(twin: &'a Twin, (highlevel, casepeer): (&'a str, &'a str), key: &'a str) -> Vendors<'a> {
    Vendors {
        highlevel_url: highlevel,
        highlevel_key: key,
        location: twin.highlevel.location(),
        highlevel_token: "twin-token",
        casepeer_url: casepeer,
        casepeer_token: "twin-token",
        inbound_token: "inbound-token-of-acme-0001",
        webhook_secret: "webhook-secret-of-acme-0001",
    }
}

async fn unlimited_twin() -> Twin {
    Twin::start(TwinConfig { unlimited: true, ..TwinConfig::new(Arc::new(SystemClock)) }).await.unwrap()
}

/// How many webhooks are sent, and after how many one receiver is killed.
const WEBHOOKS: usize = 300;
const KILLED_AFTER: usize = 100;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_nginx_a_receiver_may_be_killed_and_the_bridge_stopped() {
    if !is_installed("nginx", "nginx-light") {
        return;
    }
    let Some(database) = PostgresDatabase::create().await else { return };
    let url = database.url.clone();
    let database = Database::Postgres(database);
    let twin = unlimited_twin().await;
    let key = Arc::new(SigningKey::from_seed(&[7; 32]));
    let (highlevel, casepeer, public) = (twin.highlevel.url(), twin.casepeer.url(), key.public_key());
    let vendors = vendors(&twin, (&highlevel, &casepeer), &public);
    let directories =
        [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let home = |index: usize| Home {
        directory: directories[index].path(),
        data: directories[index].path(),
        database: &database,
        drain_seconds: 0,
    };
    let mut one = Child::start(&home(0), &vendors, SYNC).await;
    let mut two = Child::start(&home(1), &vendors, SYNC).await;
    let nginx = Proxy::nginx(directories[2].path(), &[&one.url, &two.url]).await;

    let http = client();
    let (sent, accepted) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(Vec::new())));
    let location = twin.highlevel.location().to_owned();
    let senders: Vec<_> = (0..8)
        .map(|_| {
            let (http, key, url) = (http.clone(), Arc::clone(&key), nginx.url.clone());
            let (sent, accepted, location) = (Arc::clone(&sent), Arc::clone(&accepted), location.clone());
            tokio::spawn(async move {
                while sent.fetch_add(1, Ordering::SeqCst) < WEBHOOKS {
                    let id = uuid::Uuid::now_v7().to_string();
                    let body = json!({ "type": "InboundMessage", "locationId": location, "webhookId": id })
                        .to_string();
                    // As HighLevel does: what is refused with 429 comes again.
                    loop {
                        let request = http.post(format!("{url}/webhooks/highlevel"));
                        let request = request.header(SIGNATURE_HEADER, key.sign(body.as_bytes()));
                        let answer = request.body(body.clone()).send().await.unwrap();
                        match answer.status().as_u16() {
                            200 | 202 => break,
                            429 => assert!(answer.headers().contains_key("retry-after")),
                            other => panic!("answered {other}"),
                        }
                        tokio::task::yield_now().await;
                    }
                    accepted.lock().await.push(id);
                }
            })
        })
        .collect();
    let look = async || (sent.load(Ordering::SeqCst) > KILLED_AFTER).then_some(());
    eventually("the load is under way", PATIENCE, look).await;
    one.kill();
    for sender in senders {
        sender.await.unwrap();
    }
    let accepted = accepted.lock().await.clone();
    assert_eq!(accepted.len(), WEBHOOKS);
    let mut connection = sqlx::PgConnection::connect(&url).await.unwrap();
    let keys: Vec<String> =
        sqlx::query_scalar("SELECT delivery_key FROM event WHERE type = 'InboundMessage'")
            .fetch_all(&mut connection)
            .await
            .unwrap();
    let keys: BTreeSet<String> = keys.into_iter().collect();
    let lost: Vec<_> = accepted.iter().filter(|id| !keys.contains(&format!("id:{id}"))).collect();
    assert!(lost.is_empty() && keys.len() == WEBHOOKS, "{} lost, {} stored", lost.len(), keys.len());

    nginx.hides_what_is_not_public().await;
    two.kill();
    nginx.has_highlevel_come_again(directories[2].path()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_caddy_a_webhook_arrives_and_the_bridge_may_be_stopped() {
    if !is_installed("caddy", "caddy") {
        return;
    }
    let (twin, key) = (unlimited_twin().await, SigningKey::from_seed(&[7; 32]));
    let (highlevel, casepeer, public) = (twin.highlevel.url(), twin.casepeer.url(), key.public_key());
    let vendors = vendors(&twin, (&highlevel, &casepeer), &public);
    let (home, proxy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let database = Database::Sqlite;
    let home = Home { directory: home.path(), data: home.path(), database: &database, drain_seconds: 0 };
    let mut bridge = Child::start(&home, &vendors, SYNC).await;
    let caddy = Proxy::caddy(proxy.path(), &bridge.url).await;

    let body =
        json!({ "type": "InboundMessage", "locationId": vendors.location, "webhookId": "1" }).to_string();
    for (signature, answered) in [(key.sign(body.as_bytes()), 202), (key.sign(b"another"), 401)] {
        let request =
            client().post(format!("{}/webhooks/highlevel", caddy.url)).header(SIGNATURE_HEADER, signature);
        assert_eq!(request.body(body.clone()).send().await.unwrap().status(), answered);
    }
    caddy.hides_what_is_not_public().await;
    bridge.kill();
    caddy.has_highlevel_come_again(proxy.path()).await;
}

#[test]
fn the_unit_is_confined() {
    if !is_installed("systemd-analyze", "systemd") {
        return;
    }
    let output = Command::new("systemd-analyze")
        .args(["security", "--offline=true", "--threshold=20"])
        .arg(deploy("casebridge.service"))
        .output()
        .unwrap();
    let told =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    if told.contains("unrecognized option") {
        eprintln!("skipped: this systemd-analyze cannot look at a file");
        return;
    }
    assert!(output.status.success(), "{told}");
}
