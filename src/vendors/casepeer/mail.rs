//! Notes as e-mails into a case's file, by the firm's mail server.

use lettre::message::header::ContentType;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use serde_json::Value;

use crate::config::{MailConfig, MailEncryption};
use crate::domain::CallClass;
use crate::operations::Response;
use crate::vendors::Failure;

/// How long the server may take for a step.
const TIMEOUT: std::time::Duration = std::time::Duration::from_secs(30);

/// A firm's mail server.
pub(in crate::vendors) struct Mailer {
    server: AsyncSmtpTransport<Tokio1Executor>,
    from: String,
}

impl Mailer {
    pub(in crate::vendors) fn new(settings: &MailConfig) -> Self {
        let name = settings.server.clone();
        let (tls, port) = match settings.encryption {
            MailEncryption::None => (Tls::None, 25),
            MailEncryption::Starttls => (Tls::Required(parameters(&name)), 587),
            MailEncryption::Tls => (Tls::Wrapper(parameters(&name)), 465),
        };
        let mut server = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(name)
            .port(settings.port.unwrap_or(port))
            .tls(tls)
            .timeout(Some(TIMEOUT));
        if let (Some(user), Some(password)) = (&settings.user, &settings.password) {
            server = server.credentials(Credentials::new(user.clone(), password.reveal().to_owned()));
        }
        Self { server: server.build(), from: settings.from.clone() }
    }

    /// Sends the mail that a request's body describes. `key` makes its `Message-ID`, so that a server that keeps those
    /// knows a repeated one.
    pub(in crate::vendors) async fn send(
        &self,
        body: Option<&[u8]>,
        key: Option<&str>,
    ) -> Result<Response, Failure> {
        let mail: Value = body.and_then(|body| serde_json::from_slice(body).ok()).unwrap_or_default();
        let text = |name: &str| mail.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let failed = |class, detail: String| Failure { class, retry_after: None, detail, answer: None };
        let unfit = |what: &str| failed(CallClass::Rejected, format!("the mail's {what} is not an address"));
        let to = text("to").parse().map_err(|_| unfit("recipient"))?;
        let from = self.from.parse().map_err(|_| unfit("sender"))?;
        let id = key.map(|key| format!("<{}@casebridge>", hex::encode(key)));
        let message = Message::builder()
            .from(from)
            .to(to)
            .subject(text("subject"))
            .message_id(id)
            .header(ContentType::TEXT_PLAIN)
            .body(text("text"))
            .map_err(|_| failed(CallClass::Rejected, "the mail cannot be written".into()))?;
        match self.server.send(message).await {
            Ok(_) => Ok(Response { status: 200, etag: None, link: None, body: Value::Null }),
            // The server's own words may repeat an address: only its code is told.
            Err(error) => Err(match error.status() {
                Some(code) if error.is_permanent() => {
                    failed(CallClass::Rejected, format!("the mail server refused it with {code}"))
                }
                Some(code) => {
                    failed(CallClass::RateLimited, format!("the mail server cannot take it now ({code})"))
                }
                None if was_never_reached(&error) => {
                    failed(CallClass::Unreachable, "the mail server could not be reached".into())
                }
                // It may have kept the mail before the connection broke.
                None => failed(CallClass::Ambiguous, "the mail server broke off".into()),
            }),
        }
    }
}

/// Whether there was no connection at all.
fn was_never_reached(error: &(dyn std::error::Error + 'static)) -> bool {
    use std::io::ErrorKind::{ConnectionRefused, HostUnreachable, NetworkUnreachable};
    let causes = std::iter::successors(Some(error), |error| error.source());
    let mut kinds = causes.filter_map(|cause| Some(cause.downcast_ref::<std::io::Error>()?.kind()));
    kinds.any(|kind| matches!(kind, ConnectionRefused | HostUnreachable | NetworkUnreachable))
}

/// # Panics
/// When the system has no usable TLS, which no configuration can mend.
fn parameters(name: &str) -> TlsParameters {
    TlsParameters::new(name.to_owned()).expect("the TLS library starts")
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
    use tokio::net::TcpListener;
    use tokio::task::JoinHandle;

    use super::*;

    /// A mail server (RFC 5321) for one mail: what it was told, and the answer to the recipient.
    async fn server(answer: &'static str) -> (u16, JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let told = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let (read, mut write) = stream.into_split();
            let mut lines = BufReader::new(read).lines();
            let mut told = Vec::new();
            let mut is_data = false;
            write.write_all(b"220 mail.test\r\n").await.unwrap();
            while let Ok(Some(line)) = lines.next_line().await {
                let reply = match line.split([' ', ':']).next().unwrap_or_default() {
                    "." if is_data => {
                        is_data = false;
                        "250 kept\r\n"
                    }
                    _ if is_data => "",
                    "EHLO" => "250 mail.test\r\n",
                    "RCPT" => answer,
                    "DATA" => {
                        is_data = true;
                        "354 go on\r\n"
                    }
                    "QUIT" => "221 bye\r\n",
                    _ => "250 ok\r\n",
                };
                told.push(line.clone());
                if write.write_all(reply.as_bytes()).await.is_err() || line == "QUIT" {
                    break;
                }
            }
            told
        });
        (port, told)
    }

    fn mailer(port: u16) -> Mailer {
        Mailer::new(&MailConfig {
            server: "127.0.0.1".into(),
            port: Some(port),
            encryption: MailEncryption::None,
            from: "bridge@firm.example".into(),
            user: None,
            password: None,
        })
    }

    fn mail() -> Vec<u8> {
        json!({ "to": "123@bcc.casepeer.com", "subject": "Note", "text": "Called back" })
            .to_string()
            .into_bytes()
    }

    #[tokio::test]
    async fn a_note_reaches_the_cases_address() {
        let (port, told) = server("250 ok\r\n").await;
        let mailer = mailer(port);
        mailer.send(Some(&mail()), Some("acme/copy-of:x")).await.unwrap();
        drop(mailer);
        let told = told.await.unwrap();
        for line in [
            "MAIL FROM:<bridge@firm.example>",
            "RCPT TO:<123@bcc.casepeer.com>",
            "Subject: Note",
            "Called back",
        ] {
            assert!(told.iter().any(|told| told.starts_with(line)), "{line} in {told:#?}");
        }
        assert!(told.iter().any(|told| told.starts_with("Message-ID: <")), "{told:#?}");
    }

    #[tokio::test]
    async fn a_refusal_is_told_without_the_servers_words() {
        for (answer, class, words) in [
            (
                "550 no 123@bcc.casepeer.com here\r\n",
                CallClass::Rejected,
                "the mail server refused it with 550",
            ),
            (
                "451 try 123@bcc.casepeer.com later\r\n",
                CallClass::RateLimited,
                "the mail server cannot take it now (451)",
            ),
        ] {
            let (port, _told) = server(answer).await;
            let failure = mailer(port).send(Some(&mail()), None).await.unwrap_err();
            assert_eq!(failure.class, class, "{failure}");
            assert_eq!(failure.detail, words);
        }
    }

    #[tokio::test]
    async fn without_a_server_nothing_was_sent() {
        let failure = mailer(1).send(Some(&mail()), None).await.unwrap_err();
        assert_eq!(failure.class, CallClass::Unreachable, "{failure}");
        assert_eq!(failure.detail, "the mail server could not be reached");
    }

    #[tokio::test]
    async fn a_server_that_breaks_off_may_have_kept_the_mail() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move { drop(listener.accept().await) });
        let failure = mailer(port).send(Some(&mail()), None).await.unwrap_err();
        assert_eq!(
            (failure.class, failure.detail.as_str()),
            (CallClass::Ambiguous, "the mail server broke off")
        );
    }

    #[tokio::test]
    async fn what_is_no_address_is_not_mailed_to() {
        let mail =
            json!({ "to": "nowhere", "subject": "Note", "text": "Called back" }).to_string().into_bytes();
        let failure = mailer(1).send(Some(&mail), None).await.unwrap_err();
        assert_eq!(failure.detail, "the mail's recipient is not an address");
    }
}
