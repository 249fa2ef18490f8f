//! What happened: figures, a chart with its table, and the loss meter.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use maud::{Markup, html};

use super::needs::is_trouble;
use crate::console::Console;
use crate::console::events::kind_words;
use crate::console::failure::Failed;
use crate::console::page::{number, span};
use crate::console::session::Visitor;
use crate::domain::FirmId;
use crate::store::{ActivityFilter, ActivityRow, LATE_LEADS, LossFilter, LossRow, Tally, wait_of};

const HOUR_MILLIS: i64 = 3_600_000;

/// How far back is looked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Span {
    Day,
    Week,
    Month,
}

impl Span {
    pub(super) const ALL: [Self; 3] = [Self::Day, Self::Week, Self::Month];

    pub(super) fn of(word: Option<&str>) -> Self {
        Self::ALL.into_iter().find(|span| Some(span.word()) == word).unwrap_or(Self::Day)
    }

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Day => "24h",
            Self::Week => "7d",
            Self::Month => "30d",
        }
    }

    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Day => "The last 24 hours",
            Self::Week => "The last 7 days",
            Self::Month => "The last 30 days",
        }
    }

    fn hours(self) -> i64 {
        match self {
            Self::Day => 24,
            Self::Week => 24 * 7,
            Self::Month => 24 * 30,
        }
    }

    /// Hours of one column.
    fn per(self) -> i64 {
        if self == Self::Day { 1 } else { 24 }
    }
}

/// A column of the chart.
#[derive(Default, Clone)]
struct Column {
    highlevel: u64,
    casepeer: u64,
    failed: u64,
}

/// What is shown.
pub(super) struct Figures {
    over: Span,
    since: i64,
    until: i64,
    columns: BTreeMap<i64, Column>,
    kinds: BTreeMap<(String, String), (u64, u64)>,
    writes: BTreeMap<String, (u64, u64)>,
    /// How many leads took about how long, in milliseconds.
    waits: Vec<(i64, u64)>,
    late: u64,
    losses: Vec<LossRow>,
}

impl Figures {
    pub(super) async fn read(
        console: &Console,
        visitor: &Visitor,
        over: Span,
        firm: Option<&FirmId>,
    ) -> Result<Self, Failed> {
        let store = &console.bridge.store;
        let now = console.bridge.clock.now();
        let until = now.as_millisecond().div_euclid(HOUR_MILLIS);
        let per = over.per();
        let since = until - over.hours() + 1;
        let since = since - since.rem_euclid(per);
        let firms = firm.map_or_else(|| visitor.actor.reach.firms(), |firm| Some(vec![firm.clone()]));
        let ask =
            |what, since, per| store.activity(ActivityFilter { what, firms: firms.clone(), since, per });
        let events = ask(Tally::Event, since, per).await?;
        let writes = ask(Tally::Call, since, over.hours() * 10_000).await?;
        let leads = ask(Tally::Lead, since, over.hours() * 10_000).await?;
        let day = |days: i64| now.checked_sub(SignedDuration::from_hours(24 * days)).unwrap_or(now);
        let filter = LossFilter {
            firm: firm.cloned(),
            since: Some(day(7).strftime("%Y-%m-%d").to_string()),
            limit: 5_000,
        };
        let mut losses = store.losses(filter).await?;
        losses.retain(|row| visitor.actor.reach.covers(&row.firm));
        let mut figures = Self {
            over,
            since,
            until,
            columns: BTreeMap::new(),
            kinds: BTreeMap::new(),
            writes: BTreeMap::new(),
            waits: Vec::new(),
            late: 0,
            losses,
        };
        events.iter().for_each(|row| figures.add_event(row));
        for row in writes {
            let write = figures.writes.entry(row.kind).or_default();
            if row.outcome == "ok" { write.0 += row.things } else { write.1 += row.things }
        }
        for row in leads {
            match row.outcome.parse() {
                Ok(step) => figures.waits.push((wait_of(step), row.things)),
                Err(_) if row.outcome == LATE_LEADS => figures.late += row.things,
                Err(_) => {}
            }
        }
        figures.waits.sort_unstable();
        Ok(figures)
    }

    fn add_event(&mut self, row: &ActivityRow) {
        let column = self.columns.entry(row.hour).or_default();
        let kind = self.kinds.entry((row.source.clone(), row.kind.clone())).or_default();
        kind.0 += row.things;
        if is_trouble(&row.outcome) {
            column.failed += row.things;
            kind.1 += row.things;
        }
        if row.source == "highlevel" {
            column.highlevel += row.things;
        } else {
            column.casepeer += row.things;
        }
    }

    /// Every column, those without anything too.
    fn all(&self) -> impl Iterator<Item = (Timestamp, Column)> {
        let per = self.over.per();
        let hours = (self.since..=self.until).step_by(usize::try_from(per).unwrap_or(1));
        hours.map(|hour| {
            let at = Timestamp::from_millisecond(hour * HOUR_MILLIS).unwrap_or(Timestamp::MIN);
            (at, self.columns.get(&hour).cloned().unwrap_or_default())
        })
    }

    fn named(&self, at: Timestamp) -> String {
        let form = if self.over == Span::Day { "%-d %b, %H:00" } else { "%-d %b" };
        at.strftime(form).to_string()
    }

    /// The wait that this share of leads was below.
    fn wait(&self, share: u64) -> Option<i64> {
        let all: u64 = self.waits.iter().map(|(_, leads)| leads).sum();
        let mut passed = 0;
        self.waits.iter().find_map(|(wait, leads)| {
            passed += leads;
            (passed * 100 >= all * share).then_some(*wait)
        })
    }

    pub(super) fn cards(&self) -> Markup {
        let received: u64 = self.columns.values().map(|one| one.highlevel + one.casepeer).sum();
        let failed: u64 = self.columns.values().map(|one| one.failed).sum();
        let (written, refused) =
            self.writes.values().fold((0, 0), |(good, bad), one| (good + one.0, bad + one.1));
        let leads: u64 = self.waits.iter().map(|(_, leads)| leads).sum();
        let told = |wait: Option<i64>| {
            wait.map_or_else(|| "–".to_owned(), |wait| span(SignedDuration::from_millis(wait)))
        };
        html! {
            section aria-labelledby="figures" {
                h2 #figures { (self.over.title()) }
                div.grid.figures {
                    div.card {
                        p.label { "Speed to lead" }
                        p.figure { (told(self.wait(50))) " " small { "half are faster" } }
                        p.hint { @if leads == 0 { "No new lead yet." } @else { (number(leads)) " leads; 95 % within " (told(self.wait(95))) "." } }
                        @if self.late > 0 { p { strong { (number(self.late)) @if self.late == 1 { " lead has" } @else { " leads have" } " waited over 2 minutes" } } }
                    }
                    div.card { p.label { "Webhooks received" } p.figure { (number(received)) } p.hint { "from both systems" } }
                    div.card { p.label { "Changes written" } p.figure { (number(written)) } p.hint { @if refused == 0 { "none refused" } @else { (number(refused)) @if refused == 1 { " try" } @else { " tries" } " did not go through" } } }
                    div.card { p.label { "Undelivered" } p.figure { (number(failed)) } p.hint { @if failed == 0 { "nothing was lost" } @else { "each waits above with its cause" } } }
                }
            }
        }
    }

    /// The chart, its table, what was received by type and what was written by kind.
    pub(super) fn activity(&self, firm: Option<&str>) -> Markup {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("span", self.over.word());
        if let Some(firm) = firm.filter(|firm| !firm.is_empty()) {
            query.append_pair("firm", firm);
        }
        let csv = format!("/activity.csv?{}", query.finish());
        html! {
            section aria-labelledby="activity" {
                div.between { h2 #activity { "Activity" } a href=(csv) download { "As CSV" } }
                div.card {
                    div.chart data-chart="activity-table" role="img" aria-label="Webhooks over time; the table below says the same" {}
                    details {
                        summary { "The same as a table" }
                        div.table tabindex="0" role="region" aria-label="Webhooks over time" {
                            table #activity-table {
                                thead { tr { th scope="col" { "From (UTC)" } th scope="col" { "HighLevel" } th scope="col" { "CASEpeer" } th scope="col" { "Undelivered" } } }
                                tbody {
                                    @for (at, column) in self.all() {
                                        tr data-at=(at.as_second()) {
                                            th scope="row" { (self.named(at)) }
                                            td.number { (column.highlevel) } td.number { (column.casepeer) } td.number { (column.failed) }
                                        }
                                    }
                                }
                            }
                        }
                    }
                }
                div.grid.after {
                    div.card {
                        h3 { "Received, by type" }
                        @if self.kinds.is_empty() { p { "Nothing in this time." } }
                        @else { (self.kinds_table()) }
                    }
                    div.card {
                        h3 { "Written" }
                        @if self.writes.is_empty() { p { "Nothing in this time." } }
                        @else {
                            table {
                                thead { tr { th scope="col" { "What" } th.number scope="col" { "Done" } th.number scope="col" { "Not through" } } }
                                tbody { @for (operation, (good, bad)) in &self.writes { tr { th scope="row" { (kind_words(operation)) } td.number { (number(*good)) } td.number { (number(*bad)) } } } }
                            }
                        }
                    }
                }
            }
        }
    }

    fn kinds_table(&self) -> Markup {
        html! {
            table {
                thead { tr { th scope="col" { "Type" } th.number scope="col" { "Received" } th.number scope="col" { "Undelivered" } } }
                tbody {
                    @for ((source, kind), (all, bad)) in &self.kinds {
                        tr { th scope="row" { (kind_words(kind)) " " span.hint { (if source == "highlevel" { "HighLevel" } else { "CASEpeer" }) } }
                            td.number { (number(*all)) } td.number { (number(*bad)) } }
                    }
                }
            }
        }
    }

    /// What webhooks told of, and what sweeps had to find.
    pub(super) fn losses(&self) -> Markup {
        let mut by_kind: BTreeMap<&str, [u64; 4]> = BTreeMap::new();
        for row in &self.losses {
            let sums = by_kind.entry(&row.kind).or_default();
            for (sum, add) in sums.iter_mut().zip([row.changed, row.received, row.healed, row.unexplained]) {
                *sum += add;
            }
        }
        html! {
            section aria-labelledby="losses" {
                h2 #losses { "Loss meter, 7 days" }
                p.lead { "A sweep compares both systems with what webhooks told of, and heals what they did not." }
                @if by_kind.is_empty() { p.empty { "No sweep has run yet. It does so by itself, or with " code { "casebridge reconcile" } "." } }
                @else {
                    div.table tabindex="0" role="region" aria-label="Loss meter" { table {
                        thead { tr { @for name in ["Record", "Changed", "Told by webhook", "Found and healed", "Not yet explained"] { th scope="col" { (name) } } } }
                        tbody { @for (kind, [changed, received, healed, unexplained]) in &by_kind { tr {
                            th scope="row" { (kind.replace(':', " ")) }
                            td.number { (number(*changed)) } td.number { (number(*received)) } td.number { (number(*healed)) } td.number { (number(*unexplained)) }
                        } } }
                    } }
                }
            }
        }
    }

    pub(super) fn csv(&self) -> String {
        let mut text = "from_utc,highlevel,casepeer,undelivered\n".to_owned();
        for (at, column) in self.all() {
            text.push_str(&format!("{at},{},{},{}\n", column.highlevel, column.casepeer, column.failed));
        }
        text
    }
}
