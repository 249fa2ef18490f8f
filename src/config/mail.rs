//! `[firms.casepeer.mail]`.

use serde::Deserialize;

use super::Secret;

/// The server that notes are mailed by, where the profile carries them so.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MailConfig {
    /// Its name or address.
    pub server: String,
    /// Its port; 587 for `starttls`, 465 for `tls`, 25 for `none` if not said.
    pub port: Option<u16>,
    /// How the connection is protected.
    #[serde(default)]
    pub encryption: MailEncryption,
    /// The sender, whom the case management must know.
    pub from: String,
    /// Who signs in, if somebody must.
    pub user: Option<String>,
    /// With this.
    pub password: Option<Secret>,
}

/// How a connection to a mail server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MailEncryption {
    /// TLS once the server was greeted (RFC 3207); without it nothing is sent.
    #[default]
    Starttls,
    /// TLS from the first byte (RFC 8314).
    Tls,
    /// Nothing protects it: for a server on this machine.
    None,
}

impl MailConfig {
    pub(super) fn check(&self) -> Result<(), (&'static str, String)> {
        if email_address::EmailAddress::is_valid(&self.from) {
            let is_local = matches!(self.server.as_str(), "localhost" | "127.0.0.1" | "::1");
            if self.encryption == MailEncryption::None && !is_local {
                let why = "`none` is for a server on this machine: notes would be sent in the clear; write `starttls`";
                return Err(("mail.encryption", why.into()));
            }
            if self.user.is_some() != self.password.is_some() {
                return Err(("mail.user", "needs both `user` and `password`, or neither".into()));
            }
            return Ok(());
        }
        Err(("mail.from", format!("`{}` is not an e-mail address", self.from)))
    }
}
