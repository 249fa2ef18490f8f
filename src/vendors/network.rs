//! How a connection is made: what is bounded for all, what an account has of its own, and what is said when none comes
//! about.

use std::error::Error;
use std::time::Duration;

use rustls::{AlertDescription, CertificateError};

use super::{Failure, HttpClient};
use crate::config::{CasePeerConfig, ClientTlsConfig};
use crate::domain::CallClass;
use crate::operations::Effect;

/// How long a whole exchange may take.
const TIMEOUT: Duration = Duration::from_secs(30);
/// How long it may take to connect.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

impl HttpClient {
    /// The same client by an account's own way: its authority, the certificate the bridge shows it, its proxy. What it
    /// may reach stays as it was.
    ///
    /// # Errors
    /// What is wrong with the files, beside the key that names them.
    pub fn by_way_of(&self, account: &CasePeerConfig) -> Result<Self, String> {
        if account.tls.is_none() && account.proxy.is_none() {
            return Ok(self.clone());
        }
        let mut builder = reqwest::Client::builder();
        if let Some(tls) = &account.tls {
            builder = showing(tls, builder)?;
        }
        if let Some(url) = &account.proxy {
            let proxy = reqwest::Proxy::all(url).map_err(|_| "casepeer.proxy: not an address".to_owned())?;
            let login = account.proxy_login.as_ref().and_then(|login| login.reveal().split_once(':'));
            builder = builder.proxy(match login {
                Some((user, password)) => proxy.basic_auth(user, password),
                None => proxy,
            });
        }
        let client = bounded(builder).build();
        // The library's words do not repeat the key.
        let client = client.map_err(|wrong| format!("casepeer.tls: cannot be used: {}", root(&wrong)))?;
        let mut way = self.clone();
        way.client = client;
        Ok(way)
    }
}

fn showing(
    tls: &ClientTlsConfig,
    mut builder: reqwest::ClientBuilder,
) -> Result<reqwest::ClientBuilder, String> {
    if let Some(file) = &tls.ca {
        let wrong = |why: String| format!("casepeer.tls.ca: {}: {why}", file.display());
        let text = std::fs::read(file).map_err(|error| wrong(error.to_string()))?;
        let authorities = reqwest::Certificate::from_pem_bundle(&text)
            .map_err(|_| wrong("it holds no certificate in PEM".into()))?;
        builder = builder.tls_certs_merge(authorities);
    }
    if let (Some(certificate), Some(key)) = (&tls.certificate, &tls.key) {
        let read = |name: &str, file: &std::path::Path| {
            std::fs::read(file)
                .map(zeroize::Zeroizing::new)
                .map_err(|error| format!("casepeer.tls.{name}: {}: {error}", file.display()))
        };
        let (mut both, key) = (read("certificate", certificate)?, read("key", key)?);
        both.push(b'\n');
        both.extend_from_slice(&key);
        let identity = reqwest::Identity::from_pem(&both)
            .map_err(|_| "casepeer.tls: the files hold no certificate and private key in PEM".to_owned())?;
        builder = builder.identity(identity);
    }
    Ok(builder)
}

fn bounded(builder: reqwest::ClientBuilder) -> reqwest::ClientBuilder {
    builder
        .timeout(TIMEOUT)
        .connect_timeout(CONNECT_TIMEOUT)
        // A credential must not follow a redirect to somewhere else, and nothing is gained by one to the same host.
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("casebridge/", env!("CARGO_PKG_VERSION")))
}

/// A client of the usual way.
///
/// # Panics
/// When the system has no usable TLS, which no configuration can mend.
pub(super) fn usual(builder: reqwest::ClientBuilder) -> reqwest::Client {
    bounded(builder).build().expect("the TLS library starts")
}

/// What an exchange that broke off after the request left is.
pub(super) fn broken_off(effect: Effect) -> CallClass {
    match effect {
        Effect::Create => CallClass::Ambiguous,
        Effect::Read | Effect::Idempotent => CallClass::Timeout,
    }
}

/// What an error of the HTTP library means for a request of this effect.
pub(super) fn transport_failure(error: &reqwest::Error, effect: Effect) -> Failure {
    // The error's own text has the URL in it, whose query may name a person.
    let (class, detail) = match tls_problem(error) {
        // Neither side has said anything yet but who it is.
        Some(problem) => (CallClass::Unreachable, problem),
        None if error.is_connect() => (CallClass::Unreachable, "could not be reached".to_owned()),
        None if error.is_timeout() => (broken_off(effect), "did not answer in time".to_owned()),
        None if error.is_builder() => {
            (CallClass::Rejected, "was given a request that cannot be sent".to_owned())
        }
        None => (broken_off(effect), "broke off the connection".to_owned()),
    };
    Failure { class, retry_after: None, detail, answer: None }
}

/// Why the two sides do not trust each other, with what a person can do about it.
pub(super) fn tls_problem(error: &reqwest::Error) -> Option<String> {
    match tls_error(error)? {
        rustls::Error::InvalidCertificate(why) => Some(format!(
            "showed a certificate that is not trusted ({}): nothing was sent; an account's own authority is named in \
             firms.casepeer.tls.ca, any other in this machine's store of them",
            words(why)
        )),
        rustls::Error::AlertReceived(
            AlertDescription::CertificateRequired
            | AlertDescription::BadCertificate
            | AlertDescription::UnknownCA
            | AlertDescription::CertificateUnknown
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateRevoked
            | AlertDescription::AccessDenied,
        ) => Some(
            "does not take the bridge's certificate, or wants one: what it accepts is named in \
             firms.casepeer.tls.certificate and key"
                .to_owned(),
        ),
        _ => None,
    }
}

fn words(why: &CertificateError) -> &'static str {
    match why {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "it has ended",
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => "it is not valid yet",
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "it is another host's"
        }
        CertificateError::Revoked => "it was revoked",
        CertificateError::UnknownIssuer => "nobody known has issued it",
        _ => "it is not in order",
    }
}

/// The TLS library's error among the causes; errors of I/O carry it inside.
fn tls_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(found) = error.downcast_ref::<rustls::Error>() {
            return Some(found);
        }
        let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        if let Some(found) = inner.and_then(|inner| tls_error(inner)) {
            return Some(found);
        }
        cause = error.source();
    }
    None
}

fn root(error: &dyn Error) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}
