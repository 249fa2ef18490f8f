//! `casebridge twin`: the simulated vendors alone, for a bridge that runs elsewhere.

use std::net::SocketAddr;
use std::sync::Arc;

use super::failure::Failure;
use super::output::say;
use super::serve::Signals;
use crate::clock::SystemClock;
use crate::crypto::random_key;
use crate::twin::{self, Twin, TwinConfig, casepeer, highlevel};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Where the simulated HighLevel listens.
    #[arg(long, default_value = "127.0.0.1:4702", value_name = "ADDR")]
    highlevel: SocketAddr,
    /// Where the simulated CASEpeer listens.
    #[arg(long, default_value = "127.0.0.1:4703", value_name = "ADDR")]
    casepeer: SocketAddr,
    /// Where CASEpeer's JSON:API dialect listens.
    #[arg(long, default_value = "127.0.0.1:4704", value_name = "ADDR")]
    jsonapi: SocketAddr,
    /// Where the Zapier-like hooks listen.
    #[arg(long, default_value = "127.0.0.1:4705", value_name = "ADDR")]
    hooks: SocketAddr,
    /// The bridge's public listener, to which webhooks are sent.
    #[arg(long, default_value = "http://127.0.0.1:8080", value_name = "URL")]
    bridge: String,
    /// The id of HighLevel's one location.
    #[arg(long, default_value = twin::DEFAULT_LOCATION, value_name = "ID")]
    location: String,
    /// The firm's `casepeer.inbound_token`: stands in the address CASEpeer's webhooks are sent to.
    #[arg(long, default_value = "twin-inbound", value_name = "T")]
    inbound_token: String,
    /// One of the firm's `casepeer.webhook_secrets`: CASEpeer's webhooks are signed with it.
    #[arg(long, default_value = "twin-webhook-secret", value_name = "S")]
    webhook_secret: String,
    /// Makes ids and the signing key; the same seed makes the same ones [default: random].
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Without HighLevel's rate limits.
    #[arg(long)]
    unlimited: bool,
}

pub(super) async fn run(arguments: Arguments) -> Result<(), Failure> {
    let bridge = reqwest::Url::parse(&arguments.bridge).ok().filter(reqwest::Url::has_host);
    if bridge.is_none() {
        let why = format!("--bridge {}: not an address such as http://127.0.0.1:8080", arguments.bridge);
        return Err(Failure::usage(why));
    }
    let seed = arguments.seed.unwrap_or_else(random_seed);
    let config = TwinConfig {
        highlevel: arguments.highlevel,
        casepeer: arguments.casepeer,
        jsonapi: arguments.jsonapi,
        hooks: arguments.hooks,
        bridge: Some(arguments.bridge.clone()),
        location: arguments.location.clone(),
        inbound_token: arguments.inbound_token.clone(),
        webhook_secret: arguments.webhook_secret.clone(),
        seed,
        unlimited: arguments.unlimited,
        clock: Arc::new(SystemClock),
    };
    let twin = Twin::start(config).await.map_err(|error| {
        let Arguments { highlevel, casepeer, jsonapi, hooks, .. } = &arguments;
        Failure::failed(format!("one of {highlevel}, {casepeer}, {jsonapi}, {hooks} cannot be listened on: {error}"))
            .hint("another program may use the port; choose others with --highlevel, --casepeer, --jsonapi, --hooks")
    })?;
    let mut signals = Signals::new()?;
    say(&describe(&twin, &arguments, seed))?;
    signals.next().await;
    twin.stop().await;
    Ok(())
}

/// A seed that nobody chose.
pub(super) fn random_seed() -> u64 {
    random_key().iter().take(8).fold(0, |seed, byte| seed << 8 | u64::from(*byte))
}

/// What a bridge's configuration needs to know, and where to look.
fn describe(twin: &Twin, arguments: &Arguments, seed: u64) -> String {
    let (highlevel_url, casepeer_url) = (twin.highlevel.url(), twin.casepeer.url());
    let bridge = arguments.bridge.trim_end_matches('/');
    format!(
        "\
The simulated vendors are up (seed {seed}).

HighLevel
  highlevel.base_url               {highlevel_url}
  highlevel.webhook_keys           ed25519:{key}
  firms.highlevel.location_id      {location}
  firms.highlevel.token            {private}
  webhooks go to                   {bridge}/webhooks/highlevel

CASEpeer
  firms.casepeer.base_url          {casepeer_url}
  firms.casepeer.auth              bearer_static, token {bearer}
    or                             oauth2_client_credentials, {token_url},
                                   client {client_id}, secret {client_secret}
  firms.casepeer.inbound_token     {inbound}
  firms.casepeer.webhook_secrets   {secret}
  webhooks go to                   {bridge}/webhooks/casepeer/{inbound}
  the same account as JSON:API     {jsonapi_url}
  a Zap's catch hook               {zap_url}

Look
  {highlevel_url}/twin/state       every record on both sides
  {highlevel_url}/twin/ledger      every change, in order, and who made it
  {highlevel_url}/twin/deliveries  HighLevel's webhooks and what became of them
  {highlevel_url}/twin/key         the public signing key
  {highlevel_url}/twin/faults      POST scripts a fault, DELETE forgets HighLevel's

Stop with Ctrl-C.",
        key = twin.highlevel.public_key(),
        location = arguments.location,
        private = highlevel::PRIVATE_TOKEN,
        bearer = casepeer::TOKEN,
        token_url = twin.casepeer.token_url(),
        client_id = casepeer::CLIENT_ID,
        client_secret = casepeer::CLIENT_SECRET,
        inbound = arguments.inbound_token,
        jsonapi_url = twin.casepeer.jsonapi_url(),
        zap_url = twin.casepeer.zap_url(),
        secret = arguments.webhook_secret,
    )
}
