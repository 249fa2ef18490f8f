//! `[notifications]`.

use jiff::civil::Time;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Deserializer, de};

use super::reconcile::span;
use super::{MailConfig, MailEncryption, Secret};

/// Whom to tell when something needs a person, and how.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NotificationsConfig {
    /// How long something may wait before anybody is told. A refused credential is told at once.
    #[serde(deserialize_with = "span")]
    pub after: SignedDuration,
    /// How often a test event is sent through the whole path; `0` is never.
    #[serde(deserialize_with = "span")]
    pub probe_every: SignedDuration,
    /// The time zone of the times in messages and of the quiet hours.
    pub time_zone: Zone,
    /// When nobody is to be told.
    pub quiet: Option<QuietHours>,
    /// By e-mail.
    pub email: Option<EmailConfig>,
    /// By a chat's incoming webhook, which takes `{"text": …}`.
    pub slack: Option<SlackConfig>,
    /// By a signed webhook.
    pub webhook: Option<SignedWebhookConfig>,
}

impl Default for NotificationsConfig {
    fn default() -> Self {
        Self {
            after: SignedDuration::from_mins(10),
            probe_every: SignedDuration::from_mins(15),
            time_zone: Zone(TimeZone::UTC),
            quiet: None,
            email: None,
            slack: None,
            webhook: None,
        }
    }
}

/// A time zone of the IANA database, which is built in.
#[derive(Debug, Clone, PartialEq)]
pub struct Zone(pub TimeZone);

impl<'de> Deserialize<'de> for Zone {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        let name = String::deserialize(source)?;
        TimeZone::get(&name).map(Self).map_err(|_| {
            de::Error::custom(format!("`{name}` is no time zone such as \"America/Chicago\" or \"UTC\""))
        })
    }
}

/// Hours in which only what is urgent is told; the rest waits for their end.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuietHours {
    /// When they begin, such as `21:00`.
    #[serde(deserialize_with = "time")]
    pub from: Time,
    /// When they end. Before `from`, it is the next day's.
    #[serde(deserialize_with = "time")]
    pub until: Time,
    /// Whether what is urgent waits, too.
    #[serde(default)]
    pub for_urgent_too: bool,
}

fn time<'de, D: Deserializer<'de>>(source: D) -> Result<Time, D::Error> {
    let text = String::deserialize(source)?;
    Time::strptime("%H:%M", &text)
        .map_err(|_| de::Error::custom(format!("`{text}` is no time such as \"21:00\"")))
}

/// Whom to tell by e-mail, and the server that carries it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmailConfig {
    /// Who is told.
    pub to: Vec<String>,
    /// The server's name or address.
    pub server: String,
    /// Its port; 587 for `starttls`, 465 for `tls`, 25 for `none` if not said.
    pub port: Option<u16>,
    /// How the connection is protected.
    #[serde(default)]
    pub encryption: MailEncryption,
    /// The sender.
    pub from: String,
    /// Who signs in, if somebody must.
    pub user: Option<String>,
    /// With this.
    pub password: Option<Secret>,
}

impl EmailConfig {
    /// The server that carries it.
    pub fn mail(&self) -> MailConfig {
        MailConfig {
            server: self.server.clone(),
            port: self.port,
            encryption: self.encryption,
            from: self.from.clone(),
            user: self.user.clone(),
            password: self.password.clone(),
        }
    }
}

/// A chat's incoming webhook.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlackConfig {
    /// Its address, which is the secret.
    pub url: Secret,
}

/// A webhook that is signed by the Standard Webhooks scheme.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedWebhookConfig {
    /// Where it goes.
    pub url: String,
    /// `whsec_` and base64, or any secret of 22 characters or more.
    pub secret: Secret,
}

/// The shortest secret: 128 bits in base64.
const SHORTEST_SECRET: usize = 22;
/// The shortest pause between probes.
const SHORTEST_PROBE: SignedDuration = SignedDuration::from_secs(30);

impl NotificationsConfig {
    pub(super) fn check(&self) -> Result<(), (String, String)> {
        let wrong = |key: &str, why: String| Err((key.to_owned(), why));
        if !self.after.is_positive() {
            return wrong("after", "is not longer than nothing; write a span of time such as `10m`".into());
        }
        if self.probe_every.is_negative()
            || self.probe_every.is_positive() && self.probe_every < SHORTEST_PROBE
        {
            return wrong("probe_every", "is shorter than 30 seconds; write `15m`, or `0` for never".into());
        }
        if self.quiet.is_some_and(|quiet| quiet.from == quiet.until) {
            return wrong("quiet", "begins and ends at the same time".into());
        }
        if let Some(email) = &self.email {
            if email.to.is_empty() {
                return wrong("email.to", "nobody is told; name an address".into());
            }
            if let Some(to) = email.to.iter().find(|to| !email_address::EmailAddress::is_valid(to)) {
                return wrong("email.to", format!("`{to}` is not an e-mail address"));
            }
            email.mail().check().map_err(|(key, why)| (key.replacen("mail.", "email.", 1), why))?;
        }
        if let Some(slack) = &self.slack {
            // The address is the secret, so it is not repeated.
            if super::source::check_url(slack.url.reveal()).is_err() {
                return wrong("slack.url", "is not an address that begins with `https://`".into());
            }
        }
        if let Some(webhook) = &self.webhook {
            super::source::check_url(&webhook.url).map_err(|why| ("webhook.url".to_owned(), why))?;
            if webhook.secret.reveal().len() < SHORTEST_SECRET {
                let why = format!(
                    "is shorter than {SHORTEST_SECRET} characters; make one with `casebridge secrets new webhook-secret`"
                );
                return wrong("webhook.secret", why);
            }
        }
        Ok(())
    }

    /// The addresses it names.
    pub(super) fn outbound(&self) -> impl Iterator<Item = String> {
        let slack = self.slack.as_ref().map(|slack| slack.url.reveal().to_owned());
        slack.into_iter().chain(self.webhook.as_ref().map(|webhook| webhook.url.clone()))
    }

    /// When something of this urgency may be told, if it is found now.
    pub fn tell_at(&self, now: Timestamp, is_urgent: bool) -> Timestamp {
        let Some(quiet) = self.quiet else { return now };
        if is_urgent && !quiet.for_urgent_too {
            return now;
        }
        let local = now.to_zoned_datetime(self.time_zone.0.clone());
        let time = local.time();
        let is_quiet = if quiet.from < quiet.until {
            quiet.from <= time && time < quiet.until
        } else {
            time >= quiet.from || time < quiet.until
        };
        if !is_quiet {
            return now;
        }
        let today = local.date();
        let day = if time < quiet.until { Ok(today) } else { today.tomorrow() };
        let end = day.and_then(|day| self.time_zone.0.to_timestamp(day.to_datetime(quiet.until)));
        end.unwrap_or(now)
    }

    /// The time of day, as a message says it.
    pub fn time_of_day(&self, at: Timestamp) -> String {
        at.to_zoned_datetime(self.time_zone.0.clone()).strftime("%H:%M").to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> NotificationsConfig {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn quiet_hours_end_in_the_morning_of_the_time_zone() {
        let night = "time_zone = \"America/Chicago\"\nquiet = { from = \"21:00\", until = \"07:00\" }";
        let noon = "quiet = { from = \"12:00\", until = \"13:00\", for_urgent_too = true }";
        for (text, now, is_urgent, expected) in [
            // 22:30 in Chicago, then 06:59, then 07:00.
            (night, "2026-11-25T04:30:00Z", false, "2026-11-25T13:00:00Z"),
            (night, "2026-11-25T12:59:00Z", false, "2026-11-25T13:00:00Z"),
            (night, "2026-11-25T13:00:00Z", false, "2026-11-25T13:00:00Z"),
            (night, "2026-11-25T04:30:00Z", true, "2026-11-25T04:30:00Z"),
            (noon, "2026-11-25T12:10:00Z", true, "2026-11-25T13:00:00Z"),
            (noon, "2026-11-25T13:00:00Z", false, "2026-11-25T13:00:00Z"),
            ("", "2026-11-25T04:30:00Z", false, "2026-11-25T04:30:00Z"),
        ] {
            let found = config(text).tell_at(now.parse().unwrap(), is_urgent);
            assert_eq!(found, expected.parse().unwrap(), "{text} {now}");
        }
        assert_eq!(config(night).time_of_day("2026-11-24T20:02:00Z".parse().unwrap()), "14:02");
    }
}
