//! `[inbound]`: how the account's webhooks are proven, and how their sender is answered.
//!
//! The scheme is the profile's; the secrets are the firm's (`webhook_secrets`), all of them live.

use serde::Deserialize;
use serde_json::Value;

/// `[inbound]`. Without `verify` no webhook is accepted.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inbound {
    /// How a sender proves itself.
    pub verify: Option<Verify>,
    /// What a sender that asks whether somebody is there gets back.
    pub handshake: Option<Handshake>,
    /// What a sender is answered.
    #[serde(default)]
    pub answers: Answers,
}

/// `[inbound.verify]`. There is no kind `none`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Verify {
    /// HMAC-SHA256 over a template of the body and signed headers.
    Hmac(Hmac),
    /// The Standard Webhooks scheme (github.com/standard-webhooks, specification 1.0): `webhook-id`,
    /// `webhook-timestamp`, `webhook-signature: v1,<base64>`; secrets are base64, with or without `whsec_`.
    StandardWebhooks {
        /// How far the stamp may lie from our clock, in seconds, either way.
        #[serde(default = "five_minutes")]
        window_seconds: u32,
    },
    /// A secret header, as Zapier can send one. It proves that the sender knows the secret, not that nobody changed the
    /// body: that rests on TLS.
    SharedHeader {
        /// The header's name.
        header: String,
    },
    /// HTTP basic authentication (RFC 7617); the secrets are the passwords.
    Basic {
        /// The user.
        user: String,
    },
}

/// `[inbound.verify]` of kind `hmac`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hmac {
    /// The header with the signature, or several between `separator`.
    pub header: String,
    /// What stands before the digits, such as `sha256=`.
    #[serde(default)]
    pub prefix: String,
    /// How the signature is written.
    #[serde(default)]
    pub encoding: Encoding,
    /// How the secret's text becomes the key.
    #[serde(default)]
    pub key: KeyForm,
    /// What is signed.
    #[serde(default)]
    pub signed: Template,
    /// The header with the moment of signing; it must be part of what is signed.
    pub timestamp_header: Option<String>,
    /// What that moment is counted in.
    #[serde(default)]
    pub timestamp_unit: TimestampUnit,
    /// The header with the delivery's id; it must be part of what is signed.
    pub id_header: Option<String>,
    /// What separates several signatures.
    #[serde(default = "comma")]
    pub separator: String,
    /// How far the stamp may lie from our clock, in seconds, either way.
    #[serde(default = "five_minutes")]
    pub window_seconds: u32,
}

/// How a signature is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// Hexadecimal, in either case.
    #[default]
    Hex,
    /// Base64 (RFC 4648 section 4).
    Base64,
    /// Base64 for addresses (RFC 4648 section 5), with or without padding.
    Base64url,
}

/// How a secret's text becomes the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyForm {
    /// Its bytes as they stand.
    #[default]
    Text,
    /// It is hexadecimal.
    Hex,
    /// It is base64.
    Base64,
}

/// What a stamp is counted in, since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimestampUnit {
    /// Seconds.
    #[default]
    Seconds,
    /// Milliseconds.
    Milliseconds,
}

/// A piece of what is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// These characters.
    Text(String),
    /// The timestamp header as it came.
    Timestamp,
    /// The id header as it came.
    Id,
    /// The raw body.
    Body,
}

/// What is signed, such as `{timestamp}.{body}`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Template(Vec<Part>);

impl Template {
    /// Its pieces, in order.
    pub fn parts(&self) -> &[Part] {
        &self.0
    }

    fn has(&self, part: &Part) -> bool {
        self.0.contains(part)
    }
}

impl Default for Template {
    fn default() -> Self {
        Self(vec![Part::Body])
    }
}

impl TryFrom<String> for Template {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = text.as_str();
        while let Some((before, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}').ok_or("`{` without `}`")?;
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            parts.push(match name {
                "timestamp" => Part::Timestamp,
                "id" => Part::Id,
                "body" => Part::Body,
                other => {
                    return Err(format!(
                        "`{{{other}}}` is not known; a template has {{timestamp}}, {{id}} and {{body}}"
                    ));
                }
            });
            rest = after;
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        match parts.iter().filter(|part| **part == Part::Body).count() {
            1 => Ok(Self(parts)),
            _ => Err("what is signed must hold {body} once: else anybody could change it".into()),
        }
    }
}

/// `[inbound.handshake]`: echoed only as said here, before anything is proven, so only a short word and nothing kept.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Handshake {
    /// A header is sent back as a header of the same name, as with `X-Hook-Secret`.
    Header {
        /// Its name.
        header: String,
    },
    /// A value of the JSON body is sent back in an object of one key.
    Body {
        /// Where the value stands.
        pointer: String,
        /// The key it is sent back under.
        key: String,
    },
}

/// `[inbound.answers]`: what a sender is answered, where it wants something else than our own receipt.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answers {
    /// To a webhook that was stored; else 202.
    pub stored: Option<Answer>,
    /// To one that was stored before; else 200.
    pub duplicate: Option<Answer>,
    /// To one that could not be stored and must come again; else 503. `Retry-After` goes with it in any case.
    pub busy: Option<Answer>,
}

/// One answer.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The JSON body; in its texts `{event}` is the event's id and `{status}` the receipt's word. Else our own.
    pub body: Option<Value>,
}

impl Answer {
    /// The body for this event.
    pub fn render(&self, event: &str, status: &str) -> Option<Value> {
        let mut body = self.body.clone()?;
        fill(&mut body, event, status);
        Some(body)
    }
}

fn fill(value: &mut Value, event: &str, status: &str) {
    match value {
        Value::String(text) => *text = text.replace("{event}", event).replace("{status}", status),
        Value::Array(items) => items.iter_mut().for_each(|item| fill(item, event, status)),
        Value::Object(map) => map.values_mut().for_each(|item| fill(item, event, status)),
        _ => {}
    }
}

fn five_minutes() -> u32 {
    300
}

fn comma() -> String {
    ",".into()
}

/// The widest window for a stamp, in seconds: a longer one would keep a captured webhook usable for longer than a
/// sender's clock can be off.
const WIDEST_WINDOW: u32 = 3600;

impl Inbound {
    /// Checks what one value alone cannot show: the key below `inbound`, and what is wrong.
    pub fn check(&self) -> Result<(), (&'static str, String)> {
        match &self.verify {
            None => {}
            Some(Verify::Hmac(hmac)) => hmac.check()?,
            Some(Verify::StandardWebhooks { window_seconds }) => {
                window(*window_seconds).map_err(|why| ("verify.window_seconds", why))?;
            }
            Some(Verify::SharedHeader { header }) => {
                header_name(header).map_err(|why| ("verify.header", why))?;
            }
            Some(Verify::Basic { user }) if user.contains(':') => {
                return Err(("verify.user", "a user's name cannot hold a colon (RFC 7617)".into()));
            }
            Some(Verify::Basic { .. }) => {}
        }
        match &self.handshake {
            Some(Handshake::Header { header }) => {
                header_name(header).map_err(|why| ("handshake.header", why))?;
                let is_special = ["set-cookie", "location", "content-length", "transfer-encoding"];
                if is_special.iter().any(|special| header.eq_ignore_ascii_case(special)) {
                    return Err((
                        "handshake.header",
                        format!("`{header}` means something to whoever gets it back"),
                    ));
                }
            }
            Some(Handshake::Body { pointer, .. }) if !pointer.starts_with('/') => {
                return Err(("handshake.pointer", format!("`{pointer}` does not begin with a slash")));
            }
            _ => {}
        }
        for (key, answer) in
            [("answers.stored", &self.answers.stored), ("answers.duplicate", &self.answers.duplicate)]
        {
            if answer.as_ref().is_some_and(|answer| !(200..300).contains(&answer.status)) {
                return Err((
                    key,
                    "a webhook that is safe must be answered 2xx, or it comes for ever".into(),
                ));
            }
        }
        if self.answers.busy.as_ref().is_some_and(|busy| !matches!(busy.status, 429 | 500..=599)) {
            return Err((
                "answers.busy",
                "a webhook that is not safe must come again: 429 or 5xx, never 2xx".into(),
            ));
        }
        Ok(())
    }
}

impl Hmac {
    fn check(&self) -> Result<(), (&'static str, String)> {
        header_name(&self.header).map_err(|why| ("verify.header", why))?;
        window(self.window_seconds).map_err(|why| ("verify.window_seconds", why))?;
        if self.separator.is_empty() {
            return Err(("verify.separator", "empty; leave it out if there is only one signature".into()));
        }
        let headers = [
            ("verify.timestamp_header", &self.timestamp_header, Part::Timestamp, "{timestamp}"),
            ("verify.id_header", &self.id_header, Part::Id, "{id}"),
        ];
        for (key, header, part, place) in headers {
            match (header, self.signed.has(&part)) {
                (Some(header), true) => header_name(header).map_err(|why| (key, why))?,
                (Some(header), false) => {
                    let why = format!(
                        "`{header}` is not part of what is signed, so anybody could change it: put {place} into `signed`"
                    );
                    return Err((key, why));
                }
                (None, true) => {
                    return Err((key, format!("`signed` has {place}: name the header it comes in")));
                }
                (None, false) => {}
            }
        }
        Ok(())
    }
}

fn window(seconds: u32) -> Result<(), String> {
    match seconds {
        1..=WIDEST_WINDOW => Ok(()),
        _ => Err(format!("{seconds} is not between 1 and {WIDEST_WINDOW} seconds")),
    }
}

/// A header's name is a token (RFC 9110 section 5.6.2).
fn header_name(name: &str) -> Result<(), String> {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || !name.bytes().all(is_token) {
        return Err(format!("`{name}` is not a header's name"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        match toml::from_str::<Inbound>(text) {
            Ok(inbound) => {
                inbound.check().map_or_else(|(key, why)| format!("{key}: {why}"), |()| "accepted".into())
            }
            Err(wrong) => wrong.to_string(),
        }
    }

    #[test]
    fn what_would_let_a_forger_in_or_lose_a_webhook_is_refused_with_its_reason() {
        let hmac = |rest: &str| refused(&format!("[verify]\nkind = 'hmac'\nheader = 'X-Sig'\n{rest}"));
        let answer = |which: &str, status: u16| refused(&format!("[answers.{which}]\nstatus = {status}"));
        for (said, reason) in [
            (refused("[verify]\nkind = 'none'"), "unknown variant `none`"),
            (hmac("signed = '{timestamp}'"), "what is signed must hold {body} once"),
            (hmac("signed = '{body}{body}'"), "what is signed must hold {body} once"),
            (hmac("signed = '{url}.{body}'"), "`{url}` is not known"),
            (hmac("signed = '{body'"), "`{` without `}`"),
            (
                hmac("timestamp_header = 'X-T'"),
                "`X-T` is not part of what is signed, so anybody could change it",
            ),
            (hmac("id_header = 'X-I'"), "verify.id_header: `X-I` is not part of what is signed"),
            (hmac("signed = '{timestamp}.{body}'"), "`signed` has {timestamp}: name the header it comes in"),
            (hmac("window_seconds = 86400"), "86400 is not between 1 and 3600 seconds"),
            (hmac("separator = ''"), "verify.separator: empty"),
            (refused("[verify]\nkind = 'shared_header'\nheader = 'X Y'"), "`X Y` is not a header's name"),
            (refused("[verify]\nkind = 'basic'\nuser = 'a:b'"), "cannot hold a colon"),
            (
                refused("[handshake]\nkind = 'header'\nheader = 'Set-Cookie'"),
                "means something to whoever gets it",
            ),
            (refused("[handshake]\nkind = 'body'\npointer = 'a'\nkey = 'a'"), "does not begin with a slash"),
            (answer("stored", 500), "a webhook that is safe must be answered 2xx"),
            (answer("duplicate", 409), "a webhook that is safe must be answered 2xx"),
            (answer("busy", 200), "a webhook that is not safe must come again: 429 or 5xx, never 2xx"),
        ] {
            assert!(said.contains(reason), "{said}\nshould say {reason}");
        }
        assert_eq!(hmac("signed = '{timestamp}.{body}'\ntimestamp_header = 'X-T'"), "accepted");
    }
}
