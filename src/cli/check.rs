//! `casebridge check`: is this installation in order?

use std::io::Write;
use std::sync::Arc;

use super::ConfigArgument;
use super::failure::Failure;
use super::serve::{keyring, open_store};
use crate::bridge::{Bridge, Fault, Firm, SecretAge, try_casepeer, try_highlevel};
use crate::clock::{SharedClock, SystemClock};
use crate::config::Config;
use crate::operations::highlevel::scopes::FEATURES;
use crate::store::{MappingRow, Quota};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    config: ConfigArgument,
}

/// As people say it: one firm, two firms.
fn counted(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// One finding.
struct Finding {
    what: String,
    result: Result<String, Fault>,
}

pub(super) async fn run(arguments: Arguments) -> Result<(), Failure> {
    let config = arguments.config.load()?;
    let mut findings = vec![Finding {
        what: "configuration".into(),
        result: Ok(format!(
            "{} in {}",
            counted(config.firms.len(), "firm"),
            arguments.config.config.display()
        )),
    }];
    let clock: SharedClock = Arc::new(SystemClock);
    let keyring = keyring(&config)?;
    findings.push(Finding { what: "keys".into(), result: Ok(format!("{keyring:?}, the first seals")) });
    let store = open_store(&config, &keyring, &clock).await?;
    let pending = store.counts().await;
    findings.push(Finding {
        what: "store".into(),
        result: match pending {
            Ok(counts) => Ok(format!(
                "answers; pending: {}",
                counted(usize::try_from(counts.pending()).unwrap_or(usize::MAX), "event")
            )),
            Err(error) => Err(Fault {
                why: error.to_string(),
                fix: "see store.url, and whether the disk is full".into(),
            }),
        },
    });
    warn(&config, &mut findings);
    findings.extend(store.quotas().await?.iter().map(quota));
    let bridge = Bridge::new(&config, store, keyring, clock).map_err(Failure::configuration)?;
    bridge.refresh_rules().await?;
    findings.extend(bridge.store.mappings().await?.iter().filter_map(mapping));
    findings.extend(bridge.secret_ages().await?.iter().filter(|age| age.is_due).map(old_secret));
    for firm in bridge.firms.iter() {
        let (highlevel, casepeer) = tokio::join!(try_highlevel(&firm), try_casepeer(&firm));
        let location = format!("{}: HighLevel location {}", firm.id, firm.location);
        findings.push(Finding { what: location, result: highlevel });
        findings.push(Finding { what: format!("{}: CASEpeer", firm.id), result: casepeer });
        findings.push(scopes_of(&firm).await);
    }
    report(&findings)
}

/// What is allowed but seldom meant.
fn warn(config: &Config, findings: &mut Vec<Finding>) {
    if config.firms.is_empty() {
        let fix = "add [[firms]]; deploy/casebridge.example.toml shows one".to_owned();
        findings.push(Finding { what: "firms".into(), result: Err(Fault { why: "none".into(), fix }) });
    }
    let urls = config
        .firms
        .iter()
        .map(|firm| (format!("{}: casepeer.base_url", firm.id), &firm.casepeer.base_url))
        .chain([
            ("highlevel.base_url".to_owned(), &config.highlevel.base_url),
            ("highlevel.authorize_url".to_owned(), &config.highlevel.authorize_url),
        ])
        .chain(config.server.public_url.iter().map(|url| ("server.public_url".to_owned(), url)));
    for (what, url) in urls {
        if is_plain_and_remote(url) {
            let why = format!("{url} is not encrypted: tokens and people's data could be read on the way");
            findings.push(Finding { what, result: Err(Fault { why, fix: "write it with https".into() }) });
        }
    }
}

fn is_plain_and_remote(url: &str) -> bool {
    let Ok(url) = reqwest::Url::parse(url) else { return false };
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let is_local =
        host == "localhost" || host.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback());
    url.scheme() == "http" && !is_local
}

fn quota(quota: &Quota) -> Finding {
    let what = format!("{}: {} quota", quota.firm, quota.system.title());
    let fault = |why| {
        Fault {
        why,
        fix: "what is urgent goes first and the rest waits for the vendor's next day; if that is every day, ask the \
              vendor for more, or see what else uses the same credential"
            .into(),
    }
    };
    let line = quota.line();
    Finding { what, result: if quota.exhausted_at.is_some() { Err(fault(line)) } else { Ok(line) } }
}

/// That a firm is synced as the console has it, and not as the file says.
fn mapping(row: &MappingRow) -> Option<Finding> {
    row.json.as_ref()?;
    let said = format!(
        "the console's stands in place of the file's [firms.sync]: version {}, saved {:.0} by {}; its page shows how they \
         differ, and goes back to the file's",
        row.version, row.saved_at, row.saved_by
    );
    Some(Finding { what: format!("{}: mapping", row.firm), result: Ok(said) })
}

fn old_secret(age: &SecretAge) -> Finding {
    let why = format!("{} days old; 90 are advised at most", age.age_days);
    let fix = "`casebridge secrets rotate` says how it is changed without a pause".into();
    Finding { what: format!("secret {}", age.reference), result: Err(Fault { why, fix }) }
}

/// What the connection's scopes allow.
async fn scopes_of(firm: &Firm) -> Finding {
    let what = format!("{}: HighLevel scopes", firm.id);
    let result = match firm.highlevel.granted().await {
        Ok(granted) => Ok(granted.scopes.map_or_else(
            || {
                "a private token does not tell its scopes; a missing one is named when it is needed"
                    .to_owned()
            },
            |scopes| features(&scopes),
        )),
        Err(failure) => Err(Fault {
            why: failure.detail,
            fix: format!("connect it with `casebridge firms connect {}`", firm.id),
        }),
    };
    Finding { what, result }
}

/// Which features these scopes allow, and what the others lack.
fn features(granted: &[String]) -> String {
    let lines = FEATURES.iter().map(|feature| {
        let missing: Vec<_> = feature.missing(granted).collect();
        match missing.is_empty() {
            true => format!("\n        yes  {}", feature.name),
            false => format!("\n        no   {} (not granted: {})", feature.name, missing.join(", ")),
        }
    });
    format!("{} granted{}", granted.len(), lines.collect::<String>())
}

fn report(findings: &[Finding]) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    let mut failed = 0;
    for finding in findings {
        // A reader that has gone misses the list, but the exit code still says what came of it.
        let _ = match &finding.result {
            Ok(fact) => writeln!(out, "ok    {}: {fact}", finding.what),
            Err(fault) => {
                failed += 1;
                writeln!(out, "FAIL  {}: {}\n      fix: {}", finding.what, fault.why, fault.fix)
            }
        };
    }
    if failed == 0 {
        Ok(())
    } else {
        Err(Failure::failed(format!("{failed} of {} checks failed", findings.len())))
    }
}
