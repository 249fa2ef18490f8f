//! TLS on the public listener, for those without a proxy before it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use axum_server::tls_rustls::RustlsConfig;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest, Sha256};

/// The certificate and the key that the public listener proves itself with, read anew when their files change.
pub struct Tls {
    pub(super) config: RustlsConfig,
    certificate: PathBuf,
    key: PathBuf,
    /// The files as they were read last.
    read: Mutex<[u8; 32]>,
}

impl Tls {
    /// Reads both files.
    pub fn read(certificate: &Path, key: &Path) -> Result<Self, String> {
        let (config, digest) = load(certificate, key)?;
        Ok(Self {
            config: RustlsConfig::from_config(Arc::new(config)),
            certificate: certificate.to_owned(),
            key: key.to_owned(),
            read: Mutex::new(digest),
        })
    }

    /// Takes over files that have changed, for connections from now on; whether they had. While one of the two is new
    /// and the other is not yet, what was in force stays.
    pub fn refresh(&self) -> Result<bool, String> {
        let (config, digest) = load(&self.certificate, &self.key)?;
        let mut read = self.read.lock().expect("nothing panics while it holds the digest");
        if *read == digest {
            return Ok(false);
        }
        self.config.reload_from_config(Arc::new(config));
        *read = digest;
        Ok(true)
    }
}

fn load(certificate: &Path, key: &Path) -> Result<(ServerConfig, [u8; 32]), String> {
    let bytes = |path: &Path| std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()));
    let (chain, secret) = (bytes(certificate)?, zeroize::Zeroizing::new(bytes(key)?));
    let digest = Sha256::new().chain_update(&chain).chain_update(&secret[..]).finalize().into();
    let wrong = |path: &Path, why: String| format!("{}: {why}", path.display());
    let chain = CertificateDer::pem_slice_iter(&chain).collect::<Result<Vec<_>, _>>();
    let chain = chain.map_err(|error| wrong(certificate, error.to_string()))?;
    if chain.is_empty() {
        return Err(wrong(certificate, "it holds no certificate in PEM".into()));
    }
    // The error of a key does not repeat it.
    let secret = PrivateKeyDer::from_pem_slice(&secret)
        .map_err(|_| wrong(key, "it holds no private key in PEM".into()))?;
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, secret));
    let mut config = config.map_err(|error| wrong(certificate, error.to_string()))?;
    // Only HTTP/1 is bounded, so nothing else is spoken.
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok((config, digest))
}
