//! How well people are recognised: the benchmark's populations, smaller. The rules were written down from examples
//! (`plan::matching`), not from these.

#[path = "../../benches/bench/matching/population.rs"]
mod population;
#[path = "../../benches/bench/matching/verdict.rs"]
mod verdict;

use self::population::population;
use self::verdict::{judge, ratio};

#[test]
fn what_is_linked_without_asking_is_right() {
    let (mut links, mut wrong, mut findable, mut examples) = (0, 0, 0, Vec::new());
    for seed in 1..=4 {
        let found = judge(&population(4_000, seed));
        eprintln!(
            "seed {seed}: {} pairs, {} findable, {} linked, {} wrong, recall {:.3}, with review {:.3}, {} asked, {} second leads",
            found.pairs,
            found.findable,
            found.links,
            found.wrong,
            found.recall(),
            found.recall_with_review(),
            found.asked,
            found.seconds,
        );
        assert!(found.recall() > 0.75, "seed {seed}: most certain pairs are linked: {}", found.recall());
        assert!(ratio(found.seconds, found.findable) < 0.03, "seed {seed}: {} second leads", found.seconds);
        assert!(found.precision() > 0.99, "seed {seed}: {:#?}", found.examples);
        links += found.links;
        wrong += found.wrong;
        findable += found.findable;
        examples.extend(found.examples);
    }
    assert!(
        ratio(wrong, links) <= 0.001,
        "{wrong} of {links} links ({findable} findable) are wrong: {examples:#?}"
    );
}

/// A population is the same wherever it is made.
#[test]
fn a_seed_makes_one_population() {
    let (one, other) = (population(500, 7), population(500, 7));
    assert_eq!(format!("{:?}", one.highlevel), format!("{:?}", other.highlevel));
    assert_ne!(format!("{:?}", one.highlevel), format!("{:?}", population(500, 8).highlevel));
}
