//! The configuration of a bridge under test.

use std::path::Path;

/// The firm's settings that most tests share; a test may give its own.
pub const SYNC: &str = r#"
[firms.sync]
[[firms.sync.initial_tasks]]
case_type = "Auto Accident"
key = "police-report"
title = "Order the police report"
due_in = "2d"
[[firms.sync.initial_tasks]]
case_type = "*"
key = "welcome"
title = "Send the welcome package"
[firms.sync.statuses."Intake"]
milestone = "lead_open"
pipeline = "Intake"
stage = "In intake"
[firms.sync.statuses."Treating"]
milestone = "signed"
pipeline = "Intake"
stage = "Signed"
opportunity = "won"
[firms.sync.statuses."Turned down"]
milestone = "rejected"
pipeline = "Intake"
stage = "Closed"
opportunity = "lost"
[firms.sync.notes]
to_highlevel = ["Intake"]
[firms.sync.tasks]
text_to_highlevel = true
"#;

/// The two vendors a bridge is told of.
pub struct Vendors<'a> {
    pub highlevel_url: &'a str,
    /// One or several, separated by commas.
    pub highlevel_key: &'a str,
    pub location: &'a str,
    pub highlevel_token: &'a str,
    pub casepeer_url: &'a str,
    pub casepeer_token: &'a str,
    pub inbound_token: &'a str,
    pub webhook_secret: &'a str,
}

/// Lines of `[firms.casepeer]`, made with a function that keeps a secret in a file and gives its reference.
pub type CasePeerLines<'a> = dyn Fn(&SecretFiles<'_>) -> String + 'a;

/// Keeps a secret in a file of this name and gives its reference.
pub type SecretFiles<'a> = dyn Fn(&str, &str) -> String + 'a;

/// The lines for the published contract.
fn contract<'a>(vendors: &'a Vendors<'a>) -> impl Fn(&SecretFiles<'_>) -> String + 'a {
    |secret| {
        let bearer = secret("bearer", vendors.casepeer_token);
        let url = vendors.casepeer_url;
        format!("base_url = {url:?}\nauth = {{ kind = \"bearer_static\", token = {bearer} }}")
    }
}

/// A configuration file without `[server]` and `[store]`. Keys and secrets are files beside it, as in a container.
pub fn configuration_text(directory: &Path, vendors: &Vendors<'_>, sync: &str) -> String {
    configuration_text_by_profile(directory, vendors, &contract(vendors), sync)
}

/// The same with these lines of `[firms.casepeer]`.
pub(super) fn configuration_text_by_profile(
    directory: &Path,
    vendors: &Vendors<'_>,
    casepeer: &CasePeerLines<'_>,
    sync: &str,
) -> String {
    let secret = |name: &str, value: &str| {
        let path = directory.join(name);
        std::fs::write(&path, value).unwrap();
        format!("{{ file = {:?} }}", path.display().to_string())
    };
    let key = secret("key", "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA=");
    let token = secret("token", vendors.highlevel_token);
    let workflow = secret("workflow", "workflow-token-of-acme");
    let workflow_header = secret("workflow-header", "workflow-secret");
    let inbound = secret("inbound", vendors.inbound_token);
    let webhook = secret("webhook", vendors.webhook_secret);
    let older = secret("webhook-older", "the-secret-before-the-rotation");
    let casepeer = casepeer(&secret);
    let highlevel_keys: Vec<_> =
        vendors.highlevel_key.split(',').map(|key| format!("\"ed25519:{key}\"")).collect();
    format!(
        r#"
[crypto]
keys = [{{ id = "k1", secret = {key} }}]
[highlevel]
base_url = "{highlevel_url}"
webhook_keys = [{highlevel_keys}]
[[firms]]
id = "acme"
[firms.highlevel]
location_id = "{location}"
token = {token}
workflow_token = {workflow}
workflow_header = {{ name = "X-Bridge-Secret", secret = {workflow_header} }}
[firms.casepeer]
inbound_token = {inbound}
webhook_secrets = [{webhook}, {older}]
{casepeer}
{sync}
"#,
        highlevel_url = vendors.highlevel_url,
        highlevel_keys = highlevel_keys.join(", "),
        location = vendors.location,
    )
}
