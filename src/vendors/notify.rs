//! Telling people: by e-mail, by a chat's incoming webhook, by a signed webhook.

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::Sha256;

use super::casepeer::mail::Mailer;
use super::{Failure, HttpClient};
use crate::config::{NotificationsConfig, Secret};
use crate::domain::CallClass;
use crate::operations::Effect;

/// What is told.
#[derive(Debug, Clone)]
pub struct Telling {
    /// The same for every attempt.
    pub id: String,
    /// One line.
    pub subject: String,
    /// The whole.
    pub text: String,
    /// The same for programs.
    pub data: Value,
    /// When it is sent.
    pub at: Timestamp,
}

/// A way to tell people.
pub struct Channel {
    /// Its name: `email:` and the recipient, `slack`, `webhook`.
    pub name: String,
    way: Way,
}

enum Way {
    Mail { mailer: Mailer, to: String },
    Chat { url: Secret },
    Webhook { url: String, secret: Secret },
}

impl Channel {
    /// Those of the configuration. A mail for each recipient, so that one that bounces keeps it from nobody else.
    pub fn all(config: &NotificationsConfig) -> Vec<Self> {
        let mut channels = Vec::new();
        if let Some(email) = &config.email {
            channels.extend(email.to.iter().enumerate().map(|(index, to)| Self {
                // The address is personal data, which the store's table of notices does not hold.
                name: format!("email:{index}"),
                way: Way::Mail { mailer: Mailer::new(&email.mail()), to: to.clone() },
            }));
        }
        channels.extend(
            config
                .slack
                .as_ref()
                .map(|slack| Self { name: "slack".into(), way: Way::Chat { url: slack.url.clone() } }),
        );
        channels.extend(config.webhook.as_ref().map(|webhook| Self {
            name: "webhook".into(),
            way: Way::Webhook { url: webhook.url.clone(), secret: webhook.secret.clone() },
        }));
        channels
    }

    /// Tells it, once.
    pub async fn tell(&self, http: &HttpClient, telling: &Telling) -> Result<(), Failure> {
        match &self.way {
            Way::Mail { mailer, to } => {
                let mail = json!({ "to": to, "subject": telling.subject, "text": telling.text });
                let key = format!("notice/{}/{}", self.name, telling.id);
                mailer.send(Some(mail.to_string().as_bytes()), Some(&key)).await.map(|_| ())
            }
            Way::Chat { url } => {
                let body = json!({ "text": telling.text }).to_string().into_bytes();
                let json = ("Content-Type", "application/json");
                http.deliver(url.reveal(), &[json], body, Effect::Idempotent).await.map(|_| ())
            }
            Way::Webhook { url, secret } => {
                let body = telling.data.to_string().into_bytes();
                let stamp = telling.at.as_second().to_string();
                let signature = sign(secret.reveal(), &telling.id, &stamp, &body).ok_or_else(|| Failure {
                    class: CallClass::Rejected,
                    retry_after: None,
                    detail: "notifications.webhook.secret begins with `whsec_` but is not base64".into(),
                    answer: None,
                })?;
                let headers = [
                    ("Content-Type", "application/json"),
                    ("webhook-id", telling.id.as_str()),
                    ("webhook-timestamp", stamp.as_str()),
                    ("webhook-signature", signature.as_str()),
                ];
                http.deliver(url, &headers, body, Effect::Idempotent).await.map(|_| ())
            }
        }
    }
}

/// The value of `webhook-signature` (the Standard Webhooks specification, symmetric signatures): HMAC-SHA256 over id,
/// timestamp and body.
fn sign(secret: &str, id: &str, stamp: &str, body: &[u8]) -> Option<String> {
    let key = match secret.strip_prefix("whsec_") {
        Some(encoded) => STANDARD.decode(encoded).ok()?,
        None => secret.as_bytes().to_vec(),
    };
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("HMAC takes a key of any length");
    for part in [id.as_bytes(), b".", stamp.as_bytes(), b".", body] {
        mac.update(part);
    }
    Some(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_the_specifications_own_example() {
        // From the Standard Webhooks specification and its reference libraries.
        let signature = sign(
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            "1614265330",
            br#"{"test": 2432232314}"#,
        );
        assert_eq!(signature.as_deref(), Some("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="));
        assert_eq!(sign("whsec_?", "a", "1", b""), None);
    }
}
