//! What is printed: tables as they fill, and at the end every budget with what was found.

use std::io::Write;
use std::time::{Duration, Instant};

/// Prints a line at once, so that a long run shows how far it is.
pub fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    // With standard output closed there is nobody left to tell.
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

/// A table that is printed row by row.
pub struct Table {
    widths: Vec<usize>,
}

impl Table {
    /// Prints the title and the headings; a column is as wide as its heading, padded with blanks.
    pub fn new(title: &str, headings: &[&str]) -> Self {
        say(&format!("\n{title}\n"));
        let table = Self { widths: headings.iter().map(|heading| heading.chars().count()).collect() };
        table.row(headings.iter().map(|heading| heading.trim().to_owned()));
        table
    }

    /// Prints a row: the first cell to the left, the others to the right.
    pub fn row(&self, cells: impl IntoIterator<Item = String>) {
        let cells = self.widths.iter().zip(cells).enumerate().map(|(index, (width, cell))| {
            if index == 0 { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
        });
        say(cells.collect::<Vec<_>>().join("  ").trim_end());
    }
}

/// A budget.
#[derive(Debug, Clone, Copy)]
pub enum Bound {
    /// No less.
    AtLeast(f64),
    /// No more.
    AtMost(f64),
}

impl Bound {
    fn holds(self, figure: f64) -> bool {
        match self {
            Self::AtLeast(least) => figure >= least,
            Self::AtMost(most) => figure <= most,
        }
    }

    fn words(self) -> String {
        match self {
            Self::AtLeast(least) => format!("≥ {}", number(least)),
            Self::AtMost(most) => format!("≤ {}", number(most)),
        }
    }
}

/// The budgets that were looked at.
#[derive(Default)]
pub struct Report {
    rows: Vec<[String; 4]>,
    missed: usize,
}

impl Report {
    /// Notes a figure and says in a word whether it is within its budget.
    pub fn judge(&mut self, what: &str, figure: f64, unit: &str, bound: Bound) -> String {
        let is_met = bound.holds(figure);
        self.missed += usize::from(!is_met);
        let verdict = if is_met { "ok" } else { "MISSED" };
        let figure = format!("{} {unit}", number(figure));
        self.rows.push([what.to_owned(), figure, bound.words(), verdict.to_owned()]);
        format!("{} {verdict}", bound.words())
    }

    /// Prints every budget that was looked at.
    pub fn print(&self) {
        if self.rows.is_empty() {
            return;
        }
        let title = format!("Budgets: {} looked at, {} missed", self.rows.len(), self.missed);
        let table =
            Table::new(&title, &[&format!("{:<72}", "what"), "        found", "      budget", " verdict"]);
        for row in &self.rows {
            table.row(row.clone());
        }
    }
}

/// A number with as many digits as tell something.
pub fn number(value: f64) -> String {
    if value >= 1_000.0 {
        let digits = format!("{value:.0}");
        let places = digits.len();
        let grouped = digits.char_indices().map(|(index, digit)| {
            let comma = if index > 0 && (places - index).is_multiple_of(3) { "," } else { "" };
            format!("{comma}{digit}")
        });
        grouped.collect()
    } else if value >= 100.0 {
        format!("{value:.0}")
    } else if value >= 10.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    }
}

/// A span in milliseconds.
pub fn milliseconds(span: Duration) -> f64 {
    span.as_secs_f64() * 1_000.0
}

/// The value below which this part of a sorted list lies.
pub fn quantile(sorted: &[Duration], part: f64) -> Duration {
    let last = sorted.len().saturating_sub(1);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and the length")]
    let index = (last as f64 * part).ceil() as usize;
    sorted.get(index).copied().unwrap_or_default()
}

/// The machine the figures are of, and how much of it others took.
pub struct Machine {
    busy: Duration,
    ours: Duration,
    since: Instant,
}

impl Machine {
    /// Says what it is, and watches it from now on.
    pub fn watch() -> Self {
        let read = |path| std::fs::read_to_string(path).unwrap_or_default();
        let field = |text: &str, key: &str| {
            let line = text.lines().find(|line| line.starts_with(key)).unwrap_or_default();
            line.split_once(':').map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
        };
        say(&format!(
            "{} × {}, memory {}, {} {}",
            std::thread::available_parallelism().map_or(0, usize::from),
            field(&read("/proc/cpuinfo"), "model name"),
            field(&read("/proc/meminfo"), "MemTotal"),
            std::env::consts::OS,
            read("/proc/sys/kernel/osrelease").trim(),
        ));
        Self { busy: busy(), ours: processor_time("self", Whose::WithChildren), since: Instant::now() }
    }

    /// Says how much of it other programs took meanwhile: much makes the figures worth little.
    pub fn report(&self) {
        let ours = processor_time("self", Whose::WithChildren) - self.ours;
        let others = (busy() - self.busy).saturating_sub(ours);
        let share = others.as_secs_f64() / self.since.elapsed().as_secs_f64();
        let seconds = self.since.elapsed().as_secs();
        say(&format!("\n{seconds} s, in which other programs kept {share:.2} processors busy on average"));
    }
}

/// How long all processors together have been busy.
fn busy() -> Duration {
    let stat = std::fs::read_to_string("/proc/stat").unwrap_or_default();
    let total = stat.lines().next().unwrap_or_default();
    let ticks: Vec<u64> = total.split_whitespace().filter_map(|ticks| ticks.parse().ok()).collect();
    // The fourth and fifth are idle and waiting for the disk; after the eighth come parts of the first.
    let busy: u64 = ticks
        .iter()
        .take(8)
        .enumerate()
        .filter(|(place, _)| !matches!(place, 3 | 4))
        .map(|(_, part)| part)
        .sum();
    Duration::from_millis(busy * 10)
}

const TICK: Duration = Duration::from_millis(10);

/// Whose processor time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// The process's.
    Alone,
    /// That of its ended children besides.
    WithChildren,
}

/// How much processor time a process has used.
pub fn processor_time(process: &str, whose: Whose) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // After the name, which may hold blanks, the 12th to 15th are user and system time and the children's, in ticks.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11);
    let count = if whose == Whose::Alone { 2 } else { 4 };
    fields.take(count).filter_map(|ticks| ticks.parse::<u32>().ok()).map(|ticks| TICK * ticks).sum()
}
