//! `casebridge healthcheck`: for a container without curl.

use std::time::Duration;

use super::failure::Failure;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// What to ask.
    #[arg(long, default_value = "http://127.0.0.1:8080/readyz", env = "CASEBRIDGE_HEALTHCHECK_URL")]
    url: String,
}

const TIMEOUT: Duration = Duration::from_secs(3);

pub(super) async fn run(arguments: Arguments) -> Result<(), Failure> {
    let client = reqwest::Client::builder().timeout(TIMEOUT).build();
    let client = client.map_err(|error| Failure::failed(error.to_string()))?;
    match client.get(&arguments.url).send().await {
        Ok(answer) if answer.status().is_success() => Ok(()),
        Ok(answer) => Err(Failure::failed(format!("{} answers {}", arguments.url, answer.status()))),
        Err(_) => Err(Failure::failed(format!("{} does not answer", arguments.url))
            .hint("is `casebridge serve` running, with server.public on this port?")),
    }
}
