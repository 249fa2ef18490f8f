//! Accounts that the usual way does not lead to: behind an authority of their own, one that asks for a certificate, or a
//! proxy.

use std::path::Path;
use std::sync::Arc;

use axum::routing::{get, post};
use axum::{Json, Router};
use axum_server::Handle;
use axum_server::tls_rustls::RustlsConfig;
use casebridge::bridge::casepeer_client;
use casebridge::config;
use casebridge::domain::CallClass;
use casebridge::operations::casepeer::health;
use casebridge::vendors::Exchange;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::RootCertStore;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use rustls::server::WebPkiClientVerifier;
use serde_json::json;
use wiremock::matchers::{header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::support::{Vendors, clock, configuration_text};

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority(name: &str) -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A certificate for this name and its key, in PEM.
fn issued(by: &Authority, name: &str) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    (params.signed_by(&key, by).unwrap().pem(), key.serialize_pem())
}

fn der(pem: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()
}

/// An account by TLS, which answers only to those with a certificate of the authority, if one is named.
struct Account {
    url: String,
    handle: Handle<std::net::SocketAddr>,
}

impl Account {
    async fn start(server: &Authority, clients: Option<&Authority>) -> Self {
        let (certificate, key) = issued(server, "localhost");
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = rustls::ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .unwrap();
        let builder = match clients {
            None => builder.with_no_client_auth(),
            Some(authority) => {
                let mut roots = RootCertStore::empty();
                roots.add(der(&authority.pem())).unwrap();
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                builder.with_client_cert_verifier(verifier.build().unwrap())
            }
        };
        let config = builder.with_single_cert(vec![der(&certificate)], key).unwrap();
        let token = json!({ "access_token": "issued", "token_type": "Bearer", "expires_in": 3600 });
        let router = Router::new()
            .route("/me", get(async || Json(json!({ "id": "firm-1" }))))
            .route("/tokens", post(async move || Json(token.clone())));
        let handle = Handle::<std::net::SocketAddr>::new();
        let serving =
            axum_server::bind_rustls(([127, 0, 0, 1], 0).into(), RustlsConfig::from_config(Arc::new(config)));
        tokio::spawn(serving.handle(handle.clone()).serve(router.into_make_service()));
        let address = handle.listening().await.expect("it listens");
        Self { url: format!("https://localhost:{}", address.port()), handle }
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        self.handle.shutdown();
    }
}

/// The firm's configuration with this address and these lines of `[firms.casepeer]`.
fn configured(directory: &Path, url: &str, lines: &str) -> String {
    let vendors = Vendors {
        highlevel_url: "http://127.0.0.1:9",
        highlevel_key: "MCowBQYDK2VwAyEAi2HR1srL4o18O8BRa7gVJY7G7bupbN3H9AwJrHCDiOg=",
        location: "loc-1",
        highlevel_token: "token",
        casepeer_url: url,
        casepeer_token: "bearer",
        inbound_token: "inbound-token-of-acme",
        webhook_secret: "webhook-secret",
    };
    let text = configuration_text(directory, &vendors, "");
    let base = format!("base_url = {url:?}\n");
    text.replace(&base, &format!("{base}{lines}\n"))
}

/// Asks the account whether it is there.
async fn ask(text: &str) -> Result<Exchange, String> {
    let config = config::parse("test.toml", text, &Vec::new()).map_err(|wrong| wrong.to_string())?;
    let clock: casebridge::clock::SharedClock = clock();
    let client = casepeer_client(&config, &config.firms[0], &clock)?;
    Ok(client.send(&health(client.profile()).unwrap(), None, None).await)
}

async fn status(text: &str) -> Option<u16> {
    let exchange = ask(text).await.unwrap();
    assert!(exchange.result.is_ok(), "{:?}", exchange.result);
    exchange.status()
}

async fn refusal(text: &str) -> String {
    let failure = ask(text).await.unwrap().result.unwrap_err();
    assert_eq!(failure.class, CallClass::Unreachable, "{failure}");
    failure.detail
}

fn write(directory: &Path, name: &str, text: &str) -> String {
    std::fs::write(directory.join(name), text).unwrap();
    directory.join(name).display().to_string()
}

const OWN_AUTHORITY: &str = "an account's own authority is named in firms.casepeer.tls.ca";

#[tokio::test]
async fn an_authority_of_the_accounts_own_is_trusted_where_it_is_named() {
    let (here, own, other) = (tempfile::tempdir().unwrap(), authority("own"), authority("other"));
    let account = Account::start(&own, None).await;
    let by = |lines: &str| configured(here.path(), &account.url, lines);
    let why = refusal(&by("")).await;
    assert!(why.contains("not trusted (nobody known has issued it): nothing was sent"), "{why}");
    assert!(why.contains(OWN_AUTHORITY), "{why}");
    let ca = |authority: &Authority| {
        format!("tls = {{ ca = {:?} }}", write(here.path(), "ca.pem", &authority.pem()))
    };
    assert!(refusal(&by(&ca(&other))).await.contains(OWN_AUTHORITY));
    assert_eq!(status(&by(&ca(&own))).await, Some(200));
    // Another host's certificate, by the same authority.
    let text = by(&ca(&own)).replace("https://localhost", "https://127.0.0.1");
    assert!(refusal(&text).await.contains("it is another host's"));
}

#[tokio::test]
async fn an_account_that_asks_for_a_certificate_is_shown_the_firms() {
    let (here, own, firms) = (tempfile::tempdir().unwrap(), authority("own"), authority("firms"));
    let account = Account::start(&own, Some(&firms)).await;
    let ca = write(here.path(), "ca.pem", &own.pem());
    let showing = |authority: &Authority| {
        let (certificate, key) = issued(authority, "bridge.example.com");
        let certificate = write(here.path(), "client.pem", &certificate);
        let key = write(here.path(), "client.key", &key);
        format!("tls = {{ ca = {ca:?}, certificate = {certificate:?}, key = {key:?} }}")
    };
    let by = |lines: &str| configured(here.path(), &account.url, lines);
    let wanted = "does not take the bridge's certificate, or wants one: what it accepts is named in \
                  firms.casepeer.tls.certificate and key";
    for lines in [format!("tls = {{ ca = {ca:?} }}"), showing(&own)] {
        let why = refusal(&by(&lines)).await;
        assert!(why.contains(wanted), "{lines}: {why}");
    }
    let text = by(&showing(&firms));
    assert_eq!(status(&text).await, Some(200));
    // Tokens are asked for by the same way.
    let bearer = text.lines().find(|line| line.starts_with("auth = ")).unwrap();
    let secret = write(here.path(), "client-secret", "twin-secret");
    let auth = format!(
        "auth = {{ kind = \"oauth2_client_credentials\", token_url = \"{}/tokens\", client_id = \"c\", \
         client_secret = {{ file = {secret:?} }} }}",
        account.url
    );
    let exchange = ask(&text.replace(bearer, &auth)).await.unwrap();
    assert_eq!((exchange.status(), exchange.calls), (Some(200), 2), "a token, and the question");

    // A key that is another certificate's is found before anything is sent, and not repeated.
    let foreign = KeyPair::generate().unwrap().serialize_pem();
    write(here.path(), "client.key", &foreign);
    let why = ask(&text).await.unwrap_err();
    assert!(why.starts_with("firms.acme.casepeer.tls: cannot be used: "), "{why}");
    assert!(!why.contains(foreign.lines().nth(1).unwrap()), "{why}");
}

#[tokio::test]
async fn a_proxy_is_used_and_told_who_asks() {
    let (here, proxy) = (tempfile::tempdir().unwrap(), MockServer::start().await);
    let answer = ResponseTemplate::new(200).set_body_json(json!({ "id": "firm-1" }));
    Mock::given(method("GET"))
        .and(path("/api/me"))
        .and(header("host", "casepeer.invalid"))
        .and(header("proxy-authorization", "Basic YWRhOmh1c2g="))
        .respond_with(answer)
        .mount(&proxy)
        .await;
    let login = write(here.path(), "login", "ada:hush");
    let named = format!("proxy = {:?}", proxy.uri());
    let lines = format!("{named}\nproxy_login = {{ file = {login:?} }}");
    // No resolver knows the host: only the proxy can have answered.
    let text = configured(here.path(), "http://casepeer.invalid/api", &lines);
    assert_eq!(status(&text).await, Some(200));
    let text = configured(here.path(), "http://casepeer.invalid/api", &named);
    assert_eq!(ask(&text).await.unwrap().status(), Some(404), "the proxy knows nobody without a login");
    let text = configured(here.path(), "http://casepeer.invalid/api", "");
    assert_eq!(refusal(&text).await, "could not be reached");
    let text =
        configured(here.path(), "http://casepeer.invalid/api", "proxy = \"http://ada:hush@127.0.0.1:1\"");
    let why = ask(&text).await.unwrap_err();
    assert!(why.contains("casepeer.proxy: write user and password into `proxy_login`"), "{why}");
    assert!(!why.contains("hush"), "{why}");
}
