//! Taking over a changed configuration while `serve` runs: on SIGHUP, or when its file or a profile's has changed.

use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::failure::Failure;
use crate::bridge::{Bridge, FileState};
use crate::config::{Loaded, Reloaded};

/// How often the files are looked at.
const EVERY: Duration = Duration::from_secs(2);

/// Watches the files of a configuration in force.
pub struct Reloader {
    bridge: Arc<Bridge>,
    loaded: Loaded,
}

/// What came of looking.
#[derive(Debug, PartialEq, Eq)]
pub enum Looked {
    /// Nothing has changed.
    Same,
    /// Taken over.
    TakenOver,
    /// Not taken over, and why: what was in force stays.
    Refused(String),
}

impl Reloader {
    /// Watches over what this bridge works by.
    pub fn new(bridge: Arc<Bridge>, loaded: Loaded) -> Self {
        let watching = Self { bridge, loaded };
        watching.note(None, Vec::new());
        watching
    }

    /// Says at the console how the file stands.
    fn note(&self, refused: Option<String>, needs_restart: Vec<String>) {
        let path = Some(self.loaded.path().display().to_string());
        self.bridge.note_file(FileState { path, refused, needs_restart });
    }

    /// Looks whether a file has changed, and takes it over.
    pub fn look(&mut self) -> Looked {
        if self.loaded.has_moved() { self.reload() } else { Looked::Same }
    }

    /// Reads the files anew and takes them over, if they are right.
    pub fn reload(&mut self) -> Looked {
        let taken = self.loaded.reread().map_err(|wrong| wrong.to_string());
        let taken = taken.and_then(|taken| self.bridge.reload(&taken.loaded.config).map(|()| taken));
        match taken {
            Ok(Reloaded { loaded, changed, needs_restart }) => {
                self.loaded = loaded;
                tracing::info!("the configuration was read anew: {}", listed(&changed));
                if !needs_restart.is_empty() {
                    let keys = listed(&needs_restart);
                    tracing::warn!("these changed keys wait for a restart: {keys}");
                }
                self.note(None, needs_restart);
                Looked::TakenOver
            }
            Err(why) => {
                tracing::error!(
                    "the changed configuration was refused, and the one before stays in force: {why}"
                );
                self.note(Some(why.clone()), Vec::new());
                Looked::Refused(why)
            }
        }
    }

    /// Watches until the task is dropped.
    pub(super) async fn run(mut self, mut hang_up: Signal) {
        let mut ticks = tokio::time::interval(EVERY);
        loop {
            tokio::select! {
                _ = hang_up.recv() => drop(self.reload()),
                _ = ticks.tick() => drop(self.look()),
            }
        }
    }
}

/// Listens for SIGHUP. From then on it does not end the program, so that this comes first.
pub(super) fn hang_up() -> Result<Signal, Failure> {
    signal(SignalKind::hangup())
        .map_err(|error| Failure::failed(format!("signals cannot be listened for: {error}")))
}

fn listed(keys: &[String]) -> String {
    if keys.is_empty() { "nothing of it changed, profiles perhaps".into() } else { keys.join(", ") }
}
