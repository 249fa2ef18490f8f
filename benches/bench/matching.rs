//! How well people are recognised, on populations the matching was not tuned on.

mod population;
mod verdict;

use std::time::Instant;

use self::population::population;
use self::verdict::{judge, ratio};
use super::Plan;
use super::table::{Bound, Report, Table, number};

/// Seeds of no meaning: three digits of e, one population each.
const SEEDS: [u64; 4] = [718, 281, 828, 459];
const PEOPLE: usize = 20_000;

pub fn run(plan: &Plan, report: &mut Report) {
    let people = if plan.is_full { 10 * PEOPLE } else { PEOPLE };
    let table = Table::new(
        "Matching: each contact of a made-up population against all of CASEpeer",
        &[
            &format!("{:<12}", "seed"),
            "contacts",
            "   pairs",
            "findable",
            "  linked",
            " wrong",
            "precision",
            "recall",
            "with review",
            " asked",
            "second leads",
            "contacts/s",
            "     budget",
        ],
    );
    for seed in SEEDS {
        let people = population(people, seed);
        let begun = Instant::now();
        let found = judge(&people);
        let rate = people.highlevel.len() as f64 / begun.elapsed().as_secs_f64();
        let judged = report.judge(
            &format!("precision of automatic links, seed {seed}"),
            found.precision(),
            "",
            Bound::AtLeast(0.999),
        );
        let percent = |share: f64| format!("{:.1} %", 100.0 * share);
        table.row([
            seed.to_string(),
            people.highlevel.len().to_string(),
            found.pairs.to_string(),
            found.findable.to_string(),
            found.links.to_string(),
            found.wrong.to_string(),
            format!("{:.5}", found.precision()),
            percent(found.recall()),
            percent(found.recall_with_review()),
            percent(ratio(found.asked, people.highlevel.len())),
            percent(ratio(found.seconds, found.findable)),
            number(rate),
            judged,
        ]);
    }
}
