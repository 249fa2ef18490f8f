//! `casebridge demo`: the bridge and both simulated vendors in this process, and a story that shows them at work.

mod home;
mod story;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use self::home::Home;
use self::story::Story;
use super::failure::Failure;
use super::output::say;
use super::reload::{Reloader, hang_up};
use super::serve::{Running, Signals};
use super::twin::random_seed;
use crate::clock::SystemClock;
use crate::console::Sandbox;
use crate::twin::{Twin, TwinConfig};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Play the story and end: 0 only if everything arrived.
    #[arg(long)]
    once: bool,
    /// Without a firm and a story: set the firm up yourself, by the console's guide.
    #[arg(long, conflicts_with = "once")]
    empty: bool,
    /// The first of four ports: webhooks, administration, the simulated HighLevel, the simulated CASEpeer.
    #[arg(long, default_value_t = 4700, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=65_532))]
    port_base: u16,
    /// Where configuration, keys and store go, and stay [default: a temporary directory, removed at the end].
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// Everything that runs.
struct Stage {
    running: Running,
    /// Takes over a changed configuration, once the story is told.
    reloader: Option<Reloader>,
    twin: Twin,
    home: Home,
}

pub(super) async fn run(arguments: Arguments) -> Result<(), Failure> {
    let mut signals = Signals::new()?;
    let mut stage = Stage::build(&arguments).await?;
    if arguments.empty {
        say(&stage.places().await?)?;
        stage.watch(&mut signals).await?;
        return stage.strike().await;
    }
    let story = Story::new(&stage.twin, &stage.running.bridge);
    let told = tokio::select! {
        told = story.tell() => told,
        () = signals.next() => return stage.strike().await,
    };
    if told.is_err() && arguments.once {
        stage.home.keep();
    }
    let config = stage.home.config();
    let hint = if arguments.once {
        format!("`casebridge events list --config {}` tells what became of each event", config.display())
    } else {
        "`casebridge events list` with the configuration above tells what became of each event".to_owned()
    };
    let told = told.map_err(|failure| failure.hint(hint));
    if !arguments.once {
        if let Err(failure) = &told {
            say(&format!("\n✗ {failure}"))?;
        }
        say(&stage.places().await?)?;
        stage.watch(&mut signals).await?;
    }
    stage.strike().await?;
    told
}

impl Stage {
    async fn build(arguments: &Arguments) -> Result<Self, Failure> {
        let base = arguments.port_base;
        let address = |offset| SocketAddr::from((Ipv4Addr::LOCALHOST, base + offset));
        (0..4).try_for_each(|offset| must_be_free(address(offset)))?;
        let home = Home::make(arguments.dir.as_deref())?;
        let config = TwinConfig {
            highlevel: address(2),
            casepeer: address(3),
            bridge: Some(format!("http://{}", address(0))),
            inbound_token: home.inbound_token.clone(),
            webhook_secret: home.webhook_secret.clone(),
            seed: random_seed(),
            ..TwinConfig::new(Arc::new(SystemClock))
        };
        let twin = Twin::start(config).await;
        let twin = twin.map_err(|error| Failure::failed(format!("the simulated vendors: {error}")))?;
        let sandbox = Sandbox {
            url: twin.highlevel.url(),
            token: crate::twin::highlevel::PRIVATE_TOKEN.into(),
            location: twin.highlevel.location().to_owned(),
            casepeer_url: twin.casepeer.url(),
            secrets: home.path().display().to_string(),
        };
        let loaded = home.configure(&twin, base, arguments.empty)?;
        let running = Running::start(&loaded.config, Arc::new(SystemClock), Some(sandbox)).await?;
        let reloader = Some(Reloader::new(Arc::clone(&running.bridge), loaded));
        Ok(Self { running, reloader, twin, home })
    }

    /// Stays up until a signal comes.
    async fn watch(&mut self, signals: &mut Signals) -> Result<(), Failure> {
        let Some(reloader) = self.reloader.take() else { return Ok(()) };
        let hang_up = hang_up()?;
        tokio::select! {
            () = signals.next() => Ok(()),
            () = reloader.run(hang_up) => Ok(()),
        }
    }

    /// Where to look while it is up.
    async fn places(&self) -> Result<String, Failure> {
        let console = self
            .running
            .setup_link()
            .await?
            .unwrap_or_else(|| format!("http://{}", self.running.admin.address()));
        let admin = format!("http://{}", self.running.admin.address());
        let twin = self.twin.highlevel.url();
        let config = self.home.config();
        Ok(format!(
            "
Look around
  {console}
                         the console; this link makes you its administrator, once
  {admin}/api/v1/events  what came and what was made of it
  {admin}/metrics        the figures for Prometheus
  {admin}/openapi.json   the bridge's own API
  {twin}/twin/state     every record on both sides
  {twin}/twin/ledger    every change, in order, and who made it
  casebridge events list --config {config}

Stop with Ctrl-C.",
            config = config.display()
        ))
    }

    async fn strike(self) -> Result<(), Failure> {
        // The vendors go first, so that no webhook meets a bridge that has gone.
        self.twin.stop().await;
        self.running.stop(Duration::ZERO).await;
        Ok(())
    }
}

/// Says beforehand, and by number, which port is taken.
fn must_be_free(address: SocketAddr) -> Result<(), Failure> {
    match TcpListener::bind(address) {
        Ok(_) => Ok(()),
        Err(error) => Err(Failure::failed(format!("port {} cannot be used: {error}", address.port())).hint(
            "another program may use it; choose four others with --port-base, such as --port-base 5700",
        )),
    }
}
