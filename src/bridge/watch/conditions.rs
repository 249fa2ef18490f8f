//! What needs a person, and how it is said: in the firm's words, without a name of anybody.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::config::NotificationsConfig;
use crate::domain::{Cause, FirmId, ParkCause, ReviewKind, System};
use crate::store::{Alert, BacklogRow, CauseRow, Parking, Raised};

/// Everything that is looked at.
pub(super) struct Facts<'a> {
    pub(super) now: Timestamp,
    pub(super) config: &'a NotificationsConfig,
    pub(super) names: BTreeMap<FirmId, String>,
    pub(super) waiting: Vec<Waiting>,
    pub(super) parkings: Vec<Parking>,
    pub(super) causes: Vec<CauseRow>,
    pub(super) reviews: BTreeMap<ReviewKind, u64>,
}

/// What waits, and whether it is a person nobody knows yet.
pub(super) struct Waiting {
    pub(super) is_new_lead: bool,
    pub(super) row: BacklogRow,
}

/// What kind of alert a key is, for a label of a metric.
pub(super) fn kind(key: &str) -> String {
    let key = key.strip_prefix(super::LOCAL).unwrap_or(key);
    key.split(':').next().unwrap_or_default().to_owned()
}

/// Everything that people are to be told of now.
pub(super) fn find(facts: &Facts<'_>) -> Vec<Raised> {
    let mut found: Vec<Raised> = facts.parkings.iter().filter_map(|parking| parked(facts, parking)).collect();
    let parked: Vec<&FirmId> = facts.parkings.iter().map(|parking| &parking.firm).collect();
    let mut firms: Vec<&FirmId> = facts.waiting.iter().map(|waiting| &waiting.row.firm).collect();
    firms.dedup();
    found
        .extend(firms.into_iter().filter(|firm| !parked.contains(firm)).filter_map(|firm| late(facts, firm)));
    found.extend(facts.causes.iter().map(|row| undelivered(facts, row)));
    found.extend(questions(facts));
    found
}

/// The firm before what is said of it.
fn of_firm(facts: &Facts<'_>, firm: &FirmId, text: &str) -> String {
    let name = facts.names.get(firm).map_or(firm.as_str(), String::as_str);
    if firm.is_unknown() { text.to_owned() } else { format!("{name}: {text}") }
}

/// Who waits longest for what, in words: "3 new leads", and where they have not come.
struct Late {
    what: String,
    destination: System,
    since: Timestamp,
}

fn of(facts: &Facts<'_>, firm: &FirmId) -> Option<Late> {
    let of_firm = || facts.waiting.iter().filter(|waiting| &waiting.row.firm == firm);
    let has_leads = of_firm().any(|waiting| waiting.is_new_lead);
    let counted = || of_firm().filter(|waiting| waiting.is_new_lead || !has_leads);
    // Where most of them come from.
    let source = [System::HighLevel, System::CasePeer].into_iter().max_by_key(|source| {
        counted()
            .filter(|waiting| waiting.row.source == *source)
            .map(|waiting| waiting.row.events)
            .sum::<u64>()
    })?;
    let counted = || counted().filter(|waiting| waiting.row.source == source);
    let events: u64 = counted().map(|waiting| waiting.row.events).sum();
    let since = counted().map(|waiting| waiting.row.oldest).min()?;
    let what = match (has_leads, events) {
        (true, 1) => "1 new lead has".to_owned(),
        (true, many) => format!("{many} new leads have"),
        (false, 1) => "1 change has".to_owned(),
        (false, many) => format!("{many} changes have"),
    };
    Some(Late { what, destination: source.opposite(), since })
}

/// A firm that is not worked on: its credential was refused, or a system is down.
fn parked(facts: &Facts<'_>, parking: &Parking) -> Option<Raised> {
    let (firm, system) = (&parking.firm, parking.system?);
    let lasts = facts.now.duration_since(parking.since);
    let at = facts.config.time_of_day(parking.since);
    let cause = match parking.cause {
        ParkCause::Credentials => format!("credential was refused at {at}"),
        ParkCause::Outage if lasts >= facts.config.after => format!("API has not answered since {at}"),
        ParkCause::Outage | ParkCause::Paused => return None,
    };
    let text = match of(facts, firm) {
        Some(late) => {
            let whose =
                if late.destination == system { "its".to_owned() } else { format!("{}'s", system.title()) };
            let span = words(facts.now.duration_since(late.since));
            format!("{} not reached {} for {span}: {whose} {cause}", late.what, late.destination.title())
        }
        None => format!("{}'s {cause}: nothing waits for it yet, and nothing can be synced", system.title()),
    };
    Some(Raised {
        key: format!(
            "{}:{firm}:{system}",
            if parking.cause == ParkCause::Credentials { "credential" } else { "outage" }
        ),
        firm: firm.clone(),
        message: of_firm(facts, firm, &text),
        is_urgent: true,
    })
}

/// A firm whose events wait although nothing is known to be broken.
fn late(facts: &Facts<'_>, firm: &FirmId) -> Option<Raised> {
    let late = of(facts, firm)?;
    let span = facts.now.duration_since(late.since);
    if span < facts.config.after {
        return None;
    }
    let text = format!(
        "{} not reached {} for {}; `casebridge events list --state retrying` says why",
        late.what,
        late.destination.title(),
        words(span)
    );
    Some(Raised {
        key: format!("late:{firm}"),
        firm: firm.clone(),
        message: of_firm(facts, firm, &text),
        is_urgent: true,
    })
}

/// Events that were given up.
fn undelivered(facts: &Facts<'_>, row: &CauseRow) -> Raised {
    let why = match row.cause {
        Cause::Unreadable => "this version cannot read what was sent",
        Cause::NotOurs => "no firm here has their location, or they are another app's",
        Cause::TooOld => "they were older than any sender's retries",
        Cause::Rejected => "the other system understood the call and said no",
        Cause::Conflict => "the record kept changing",
        Cause::Exhausted => "every attempt failed",
        Cause::Setup => "something must be set up or corrected first",
        Cause::Missing => "a record was announced that its system does not know",
        Cause::Ambiguous => "a person must say which record is meant",
    };
    let what = match row.events {
        1 => "1 event was given up".to_owned(),
        many => format!("{many} events were given up"),
    };
    let since = facts.config.time_of_day(row.oldest);
    let text = format!("{what} since {since}: {why}; `casebridge events list --undelivered` shows them");
    Raised {
        key: format!("undelivered:{}:{}", row.firm, row.cause),
        firm: row.firm.clone(),
        message: of_firm(facts, &row.firm, &text),
        is_urgent: false,
    }
}

/// Questions that only a person can answer.
fn questions(facts: &Facts<'_>) -> Option<Raised> {
    let open: u64 = facts.reviews.values().sum();
    let message = match open {
        0 => return None,
        1 => "1 question waits for a person: `casebridge review list`".to_owned(),
        many => format!("{many} questions wait for a person: `casebridge review list`"),
    };
    Some(Raised { key: "review".into(), firm: FirmId::unknown(), message, is_urgent: false })
}

/// A sender whose webhooks fail verification, one like the other.
pub(super) fn failing(key: String, system: System, refused: u64, since: &str) -> Raised {
    let (name, place) = match system {
        System::HighLevel => {
            ("HighLevel", "if HighLevel has a new signing key, put it into highlevel.webhook_keys")
        }
        System::CasePeer => {
            ("CASEpeer", "compare the secret on that side with firms.casepeer.webhook_secrets")
        }
    };
    let message = format!(
        "Webhooks from {name} fail verification since {since}: {refused} were refused and none accepted; {place}. \
         What was refused is found by the next sweep"
    );
    Raised { key, firm: FirmId::unknown(), message, is_urgent: true }
}

/// A test event that did not come through.
pub(super) fn probe(key: String, why: &str) -> Raised {
    let message = format!("The bridge's own test event did not come through: {why}");
    Raised { key, firm: FirmId::unknown(), message, is_urgent: true }
}

/// That it is over.
pub(super) fn over(alert: &Alert, ended: Timestamp, config: &NotificationsConfig) -> String {
    let lasted = words(ended.duration_since(alert.opened_at));
    format!("Over since {}, after {lasted}: {}", config.time_of_day(ended), alert.message)
}

/// A span as people say it.
pub(super) fn words(span: SignedDuration) -> String {
    let minutes = span.as_mins().max(1);
    match (minutes, minutes / 60, minutes / 1_440) {
        (1, ..) => "a minute".into(),
        (minutes, 0 | 1, _) => format!("{minutes} minutes"),
        (_, hours, 0 | 1) => format!("{hours} hours"),
        (.., days) => format!("{days} days"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: &str = "2026-11-24T14:14:00Z";

    fn row(source: System, kind: &str, events: u64, minutes: i64) -> BacklogRow {
        let now: Timestamp = NOON.parse().unwrap();
        let oldest = now - SignedDuration::from_mins(minutes);
        BacklogRow { firm: FirmId::new("acme"), source, kind: kind.into(), events, oldest }
    }

    fn lead(events: u64, minutes: i64) -> Waiting {
        Waiting { is_new_lead: true, row: row(System::HighLevel, "ContactCreate", events, minutes) }
    }

    fn change(source: System, events: u64, minutes: i64) -> Waiting {
        Waiting { is_new_lead: false, row: row(source, "x", events, minutes) }
    }

    fn broken(system: System, cause: ParkCause) -> Parking {
        Parking {
            firm: FirmId::new("acme"),
            cause,
            system: Some(system),
            reason: "answered 401: Ada's token".into(),
            since: "2026-11-24T14:02:00Z".parse().unwrap(),
            probe_at: None,
        }
    }

    fn said(waiting: Vec<Waiting>, parkings: Vec<Parking>) -> Vec<String> {
        let config = NotificationsConfig::default();
        let names = BTreeMap::from([(FirmId::new("acme"), "Acme Injury Law".to_owned())]);
        let facts = Facts {
            now: NOON.parse().unwrap(),
            config: &config,
            names,
            waiting,
            parkings,
            causes: Vec::new(),
            reviews: BTreeMap::new(),
        };
        find(&facts).into_iter().map(|raised| raised.message).collect()
    }

    #[test]
    fn a_dead_credential_is_told_in_business_words() {
        use ParkCause::{Credentials, Outage, Paused};
        use System::{CasePeer, HighLevel};
        for (waiting, parking, expected) in [
            (
                vec![lead(3, 12), change(HighLevel, 9, 30)],
                broken(CasePeer, Credentials),
                "Acme Injury Law: 3 new leads have not reached CASEpeer for 12 minutes: its credential was refused at 14:02",
            ),
            (
                vec![lead(1, 1)],
                broken(HighLevel, Credentials),
                "Acme Injury Law: 1 new lead has not reached CASEpeer for a minute: HighLevel's credential was refused at 14:02",
            ),
            (
                vec![change(CasePeer, 4, 150)],
                broken(HighLevel, Outage),
                "Acme Injury Law: 4 changes have not reached HighLevel for 2 hours: its API has not answered since 14:02",
            ),
            (
                vec![],
                broken(CasePeer, Credentials),
                "Acme Injury Law: CASEpeer's credential was refused at 14:02: nothing waits for it yet, and nothing can be synced",
            ),
        ] {
            assert_eq!(said(waiting, vec![parking]), [expected]);
        }
        assert!(said(vec![lead(3, 12)], vec![broken(CasePeer, Paused)]).is_empty(), "a person did that");
    }

    #[test]
    fn what_waits_for_no_known_reason_is_told_after_a_while() {
        assert!(said(vec![lead(2, 9)], vec![]).is_empty());
        let told = said(vec![lead(2, 11), change(System::CasePeer, 5, 50)], vec![]);
        assert_eq!(told.len(), 1);
        assert!(
            told[0].starts_with("Acme Injury Law: 2 new leads have not reached CASEpeer for 11 minutes"),
            "{told:?}"
        );
    }

    #[test]
    fn a_key_says_what_kind_of_alert_it_is() {
        assert_eq!(kind("credential:acme:casepeer"), "credential");
        assert_eq!(kind("here:verification:highlevel"), "verification");
        assert_eq!(words(SignedDuration::from_hours(72)), "3 days");
    }
}
