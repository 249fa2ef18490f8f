//! What the program logs while a test runs.

use std::io::Write;
use std::sync::{Arc, Mutex};

use tracing::subscriber::DefaultGuard;
use tracing_subscriber::fmt::MakeWriter;

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Lines {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// Everything that is logged on this thread, at every level, as long as this is kept.
pub struct Log {
    lines: Lines,
    _logging: DefaultGuard,
    _second: tracing::Dispatch,
}

impl Log {
    pub fn capture() -> Self {
        let lines = Lines::default();
        // While only one subscriber is registered, tracing asks that of whichever thread meets a line first, and a
        // thread of another test, which has none, would switch the line off for good. A second one makes it ask all.
        let second = tracing::Dispatch::new(tracing_subscriber::registry());
        let subscriber =
            tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(lines.clone());
        let logging = tracing::subscriber::set_default(subscriber.with_ansi(false).finish());
        Self { lines, _logging: logging, _second: second }
    }

    /// What this program logged; the HTTP library's own lines, at a level nobody runs with, are not its.
    pub fn ours(&self) -> String {
        let log = String::from_utf8(self.lines.0.lock().unwrap().clone()).unwrap();
        log.lines().filter(|line| line.contains("casebridge::")).flat_map(|line| [line, "\n"]).collect()
    }
}
