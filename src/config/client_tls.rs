//! `[firms.casepeer.tls]` and the proxy beside it: how an account is reached that the usual way does not lead to.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::Secret;
use super::source::check_url;

type Wrong = (&'static str, String);

/// `[firms.casepeer.tls]`: files in PEM.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientTlsConfig {
    /// An authority that is trusted beside those of this machine.
    pub ca: Option<PathBuf>,
    /// What the bridge shows of itself, and what stands between that and its authority.
    pub certificate: Option<PathBuf>,
    /// The private key of that.
    pub key: Option<PathBuf>,
}

impl ClientTlsConfig {
    pub(super) fn check(&self) -> Result<(), Wrong> {
        if self.certificate.is_some() != self.key.is_some() {
            return Err(("tls", "needs both `certificate` and `key`, or neither".into()));
        }
        let files = [("tls.ca", &self.ca), ("tls.certificate", &self.certificate), ("tls.key", &self.key)];
        if files.iter().all(|(_, file)| file.is_none()) {
            return Err(("tls", "empty: name `ca`, or `certificate` and `key`".into()));
        }
        files
            .into_iter()
            .try_for_each(|(key, file)| file.as_deref().map_or(Ok(()), |file| readable(key, file)))
    }
}

fn readable(key: &'static str, file: &Path) -> Result<(), Wrong> {
    let text = std::fs::read(file)
        .map_err(|error| (key, format!("the file {} cannot be read: {error}", file.display())))?;
    let text = zeroize::Zeroizing::new(text);
    let wanted = if key == "tls.key" { "PRIVATE KEY-----" } else { "-----BEGIN CERTIFICATE-----" };
    if text.windows(wanted.len()).any(|part| part == wanted.as_bytes()) {
        return Ok(());
    }
    let what = if key == "tls.key" { "private key" } else { "certificate" };
    Err((key, format!("{} holds no {what} in PEM", file.display())))
}

pub(super) fn check_proxy(proxy: Option<&str>, login: Option<&Secret>) -> Result<(), Wrong> {
    match (proxy, login) {
        (None, None) => Ok(()),
        (None, Some(_)) => Err(("proxy_login", "for no proxy: name it in `proxy`".into())),
        // Before all else: the address is shown, and a password in it would be.
        (Some(url), _) if url.contains('@') => {
            Err(("proxy", "write user and password into `proxy_login`, not into the address".into()))
        }
        (Some(url), _) if check_url(url).is_err() => Err((
            "proxy",
            format!("`{url}` is not an http(s) address, such as http://proxy.example.com:3128"),
        )),
        (_, Some(login)) if !login.reveal().contains(':') => {
            Err(("proxy_login", "is written `user:password`".into()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tls(lines: &str) -> Wrong {
        toml::from_str::<ClientTlsConfig>(lines).unwrap().check().unwrap_err()
    }

    #[test]
    fn what_is_wrong_with_the_files_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("pem");
        std::fs::write(&file, "-----BEGIN CERTIFICATE-----").unwrap();
        let file = file.display();
        for (lines, key, words) in [
            (String::new(), "tls", "empty: name `ca`"),
            (format!("certificate = \"{file}\""), "tls", "needs both `certificate` and `key`"),
            ("ca = \"/no/such\"".to_owned(), "tls.ca", "the file /no/such cannot be read"),
            (format!("certificate = \"{file}\"\nkey = \"{file}\""), "tls.key", "holds no private key in PEM"),
        ] {
            let (at, why) = tls(&lines);
            assert!(at == key && why.contains(words), "{lines}: {at}: {why}");
        }
        std::fs::write(directory.path().join("pem"), "PRIVATE KEY-----").unwrap();
        let (at, why) = tls(&format!("ca = \"{file}\""));
        assert!(at == "tls.ca" && why.contains("holds no certificate in PEM"), "{why}");
    }

    #[test]
    fn what_is_wrong_with_a_proxy_is_named_and_its_password_is_not() {
        let login = Secret::new("ada:hush");
        for (proxy, login, words) in [
            (None, Some(&login), "name it in `proxy`"),
            (Some("http://ada:hush@proxy:1"), None, "into `proxy_login`"),
            (Some("proxy:3128"), None, "is not an http(s) address"),
            (Some("http://proxy:3128"), Some(&Secret::new("hush")), "`user:password`"),
        ] {
            let (_, why) = check_proxy(proxy, login).unwrap_err();
            assert!(why.contains(words) && !why.contains("hush"), "{why}");
        }
        check_proxy(Some("http://proxy:3128"), Some(&login)).unwrap();
    }
}
