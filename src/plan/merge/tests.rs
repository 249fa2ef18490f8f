//! Every cell of the merge, and its laws. The expectation is written as sentences about who changed what, and not as
//! the order of cases that the code has.

use proptest::prelude::*;

use super::*;
use crate::domain::Field;
use crate::rules::{Direction, Owner, Policy, WriteRule};

/// Whether this side has another value than was agreed on: nobody's choice if it has none.
fn has_changed(base: Option<&str>, side: Option<&str>) -> bool {
    side.is_some() && side != base
}

/// What a person would expect.
fn expected(
    (base, left, right): (Option<&str>, Option<&str>, Option<&str>),
    policy: Policy,
    newer: Option<System>,
) -> Verdict {
    let can_reach = |to: System| match (policy.direction, to) {
        (Direction::Both, _)
        | (Direction::ToHighlevel, System::HighLevel)
        | (Direction::ToCasepeer, System::CasePeer) => true,
        (Direction::ToHighlevel, System::CasePeer) | (Direction::ToCasepeer, System::HighLevel) => false,
    };
    let value_of = |side| if side == System::HighLevel { left } else { right };
    if policy.write == WriteRule::Never || (left.is_none() && right.is_none()) {
        return Verdict::Nothing;
    }
    if left == right {
        return if left == base { Verdict::Nothing } else { Verdict::Agreed };
    }
    let (left_changed, right_changed) = (has_changed(base, left), has_changed(base, right));
    let both_have_one = left.is_some() && right.is_some();
    if !left_changed && !right_changed {
        return Verdict::LeftAlone(Why::Emptied);
    }
    if policy.write == WriteRule::IfEmpty && both_have_one {
        return Verdict::LeftAlone(Why::NotEmpty);
    }
    let (from, is_conflict) = match (left_changed, right_changed) {
        (true, true) => {
            let winner = match policy.owner {
                Owner::HighLevel => Some(System::HighLevel),
                Owner::CasePeer => Some(System::CasePeer),
                Owner::Newest => newer,
                Owner::Manual => None,
            };
            let Some(winner) = winner else { return Verdict::Review };
            (winner, true)
        }
        (true, false) => (System::HighLevel, false),
        _ => (System::CasePeer, false),
    };
    assert!(value_of(from).is_some());
    match (can_reach(from.opposite()), is_conflict) {
        (false, _) => Verdict::LeftAlone(Why::Direction),
        (true, true) => Verdict::Conflict(from.opposite()),
        (true, false) => Verdict::Write(from.opposite()),
    }
}

/// Base, HighLevel and CASEpeer each absent or one of three values × direction × write rule × owner × what the dates say.
#[test]
fn every_cell() {
    let values = [None, Some("X"), Some("A"), Some("B")];
    let dates = [None, Some(System::HighLevel), Some(System::CasePeer)];
    let mut cells = 0;
    for base in values {
        for left in values {
            for right in values {
                for direction in Direction::ALL {
                    for write in WriteRule::ALL {
                        for owner in Owner::ALL {
                            for newer in dates {
                                let policy = Policy { direction, write, owner };
                                let found = decide(base, left, right, policy, newer);
                                let wanted = expected((base, left, right), policy, newer);
                                assert_eq!(found, wanted, "{base:?} {left:?} {right:?} {policy:?} {newer:?}");
                                cells += 1;
                            }
                        }
                    }
                }
            }
        }
    }
    assert_eq!(cells, 4 * 4 * 4 * 3 * 3 * 4 * 3);
}

/// The cells that people ask about, as a table to read.
#[test]
fn the_cells_that_people_ask_about() {
    use System::{CasePeer, HighLevel};
    use Verdict::{Conflict, LeftAlone, Nothing, Review, Write};
    let (none, a, b, x) = (None, Some("A"), Some("B"), Some("X"));
    let policy = |owner| Policy { direction: Direction::Both, write: WriteRule::Always, owner };
    #[rustfmt::skip]
    let table = [
        ("only HighLevel changed",             x, a, x,    Owner::CasePeer,  None,            Write(CasePeer)),
        ("only CASEpeer changed",              x, x, b,    Owner::HighLevel, None,            Write(HighLevel)),
        ("both changed, HighLevel owns it",    x, a, b,    Owner::HighLevel, None,            Conflict(CasePeer)),
        ("both changed, CASEpeer owns it",     x, a, b,    Owner::CasePeer,  None,            Conflict(HighLevel)),
        ("both changed, the newest stands",    x, a, b,    Owner::Newest,    Some(HighLevel), Conflict(CasePeer)),
        ("both changed, the dates are silent", x, a, b,    Owner::Newest,    None,            Review),
        ("both changed, a person decides",     x, a, b,    Owner::Manual,    Some(HighLevel), Review),
        ("one changed, a person need not",     x, a, x,    Owner::Manual,    None,            Write(CasePeer)),
        ("never agreed, CASEpeer empty",       none, a, none, Owner::CasePeer, None,          Write(CasePeer)),
        ("never agreed, HighLevel empty",      none, none, b, Owner::HighLevel, None,         Write(HighLevel)),
        ("never agreed, both differ",          none, a, b, Owner::HighLevel, None,            Conflict(CasePeer)),
        ("never agreed, a person decides",     none, a, b, Owner::Manual,    None,            Review),
        ("emptied in CASEpeer",                a, a, none, Owner::CasePeer,  None,            LeftAlone(Why::Emptied)),
        ("emptied there, changed here",        x, a, none, Owner::CasePeer,  None,            Write(CasePeer)),
        ("emptied on both sides",              x, none, none, Owner::CasePeer, None,          Nothing),
    ];
    for (what, base, left, right, owner, newer, verdict) in table {
        assert_eq!(decide(base, left, right, policy(owner), newer), verdict, "{what}");
    }
}

fn any_fields() -> impl Strategy<Value = Fields> {
    let names = [Field::Street, Field::City, Field::DateOfLoss, Field::Status, Field::Language];
    proptest::collection::btree_map(prop::sample::select(names.to_vec()), "[ABX]", 0..5).prop_map(|map| {
        map.into_iter().fold(Fields::default(), |fields, (field, value)| fields.with(field, &value))
    })
}

fn any_rules() -> impl Strategy<Value = FieldRules> {
    let owner = prop::sample::select(vec!["highlevel", "casepeer", "newest", "manual"]);
    let write = prop::sample::select(vec!["always", "if_empty", "never"]);
    let way = prop::sample::select(vec!["both", "to_highlevel", "to_casepeer"]);
    let one = (owner, write, way);
    (one.clone(), one).prop_map(|(street, city)| {
        let section = |name, (owner, write, way): (&str, &str, &str)| {
            format!("[{name}]\nowner = \"{owner}\"\nwrite = \"{write}\"\ndirection = \"{way}\"\n")
        };
        toml::from_str(&(section("street", street) + &section("city", city))).expect("these are valid rules")
    })
}

fn any_newer() -> impl Strategy<Value = Option<System>> {
    prop::sample::select(vec![None, Some(System::HighLevel), Some(System::CasePeer)])
}

fn merge_all(
    base: &Fields,
    left: &Fields,
    right: &Fields,
    rules: &FieldRules,
    newer: Option<System>,
) -> Merged {
    let sides = Sides { base, highlevel: left, casepeer: right, newer };
    merge(sides, rules, Stage::Open, true, |_, _| true)
}

proptest! {
    /// Once a merge has been carried out, merging again finds nothing to write: the plan after apply is empty.
    #[test]
    fn a_merge_settles(
        base in any_fields(), left in any_fields(), right in any_fields(), rules in any_rules(), newer in any_newer(),
    ) {
        let merged = merge_all(&base, &left, &right, &rules, newer);
        let (mut base, mut left, mut right) = (base, left, right);
        left.overlay(&merged.to_highlevel);
        right.overlay(&merged.to_casepeer);
        for written in [&merged.to_highlevel, &merged.to_casepeer, &merged.agreed] {
            base.overlay(written);
        }
        // Whatever the dates say by then: our own write changed one of them.
        for newer in [None, Some(System::HighLevel), Some(System::CasePeer)] {
            let again = merge_all(&base, &left, &right, &rules, newer);
            // What a person decides on, or what may not go the one way, may go the other when the dates turn.
            let waits = |name: &FieldName| {
                merged.review.contains(name) || merged.left_alone.iter().any(|(left, _)| left == name)
            };
            for written in [&again.to_highlevel, &again.to_casepeer] {
                prop_assert!(written.iter().all(|(name, _)| waits(name)));
            }
            prop_assert!(again.agreed.is_empty());
        }
    }

    /// A value that only one side changed is never overwritten, and nothing is written against the policy.
    #[test]
    fn no_lone_change_is_lost(
        base in any_fields(), left in any_fields(), right in any_fields(), rules in any_rules(), newer in any_newer(),
    ) {
        let merged = merge_all(&base, &left, &right, &rules, newer);
        for field in Field::ALL {
            let name = FieldName::Known(*field);
            let changed = |side: &Fields| side.get(*field).is_some() && side.get(*field) != base.get(*field);
            if changed(&left) && !changed(&right) {
                prop_assert_eq!(merged.to_highlevel.value(&name), None);
            }
            if changed(&right) && !changed(&left) {
                prop_assert_eq!(merged.to_casepeer.value(&name), None);
            }
            prop_assert!(merged.to_highlevel.value(&name).is_none() || rules.goes_to_highlevel(&name));
            prop_assert!(merged.to_casepeer.value(&name).is_none() || rules.goes_to_casepeer(&name));
        }
    }

    /// A write takes a value that a side has, and never empties one.
    #[test]
    fn no_value_is_invented(
        base in any_fields(), left in any_fields(), right in any_fields(), rules in any_rules(), newer in any_newer(),
    ) {
        let merged = merge_all(&base, &left, &right, &rules, newer);
        for (name, value) in merged.to_highlevel.iter() {
            prop_assert_eq!(right.value(name), Some(value));
        }
        for (name, value) in merged.to_casepeer.iter() {
            prop_assert_eq!(left.value(name), Some(value));
        }
    }
}
