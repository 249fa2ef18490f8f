//! Three-way merge of a person's fields against the values both sides agreed on last.

use crate::domain::{Field, Fields, System};

/// What a merge found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Merged {
    /// Values to write to HighLevel.
    pub to_highlevel: Fields,
    /// Values to write to CASEpeer.
    pub to_casepeer: Fields,
    /// Values that are equal already but differ from the base.
    pub agreed: Fields,
    /// Fields that changed on both sides, with the side whose value stands.
    pub conflicts: Vec<(Field, System)>,
    /// Fields that differ and were never agreed on, or were emptied on one side: left as they are on both.
    pub left_alone: Vec<Field>,
}

/// Merges field by field. `owner` decides where both sides changed since the base.
///
/// | base | HighLevel | CASEpeer | result |
/// |---|---|---|---|
/// | any | a | a | agreed |
/// | x | a | x | a to CASEpeer |
/// | x | x | b | b to HighLevel |
/// | x | a | b | the owner's value to the other |
/// | – | a | b | left alone: nobody knows which is right |
/// | not a | a | – | a to CASEpeer |
/// | a | a | – | left alone: emptied there, and an empty value overwrites nothing |
pub fn merge(base: &Fields, highlevel: &Fields, casepeer: &Fields, owner: System) -> Merged {
    let mut merged = Merged::default();
    for field in Field::ALL {
        let known = base.get(field);
        match (highlevel.get(field), casepeer.get(field)) {
            (None, None) => {}
            (Some(left), Some(right)) if left == right => {
                if known != Some(left) {
                    merged.agreed.put(field, left.to_owned());
                }
            }
            (Some(left), None) if known != Some(left) => merged.to_casepeer.put(field, left.to_owned()),
            (None, Some(right)) if known != Some(right) => merged.to_highlevel.put(field, right.to_owned()),
            (Some(_), None) | (None, Some(_)) => merged.left_alone.push(field),
            (Some(left), Some(right)) => match known {
                None => merged.left_alone.push(field),
                Some(known) if known == right => merged.to_casepeer.put(field, left.to_owned()),
                Some(known) if known == left => merged.to_highlevel.put(field, right.to_owned()),
                Some(_) => {
                    merged.conflicts.push((field, owner));
                    match owner {
                        System::HighLevel => merged.to_casepeer.put(field, left.to_owned()),
                        System::CasePeer => merged.to_highlevel.put(field, right.to_owned()),
                    }
                }
            },
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn city(value: Option<&str>) -> Fields {
        value.map(|value| Fields::default().with(Field::City, value)).unwrap_or_default()
    }

    /// Every cell of the table: (base, HighLevel, CASEpeer, owner) → (to HighLevel, to CASEpeer, agreed).
    #[test]
    fn every_cell() {
        use System::{CasePeer, HighLevel};
        let (none, a, b, x) = (None, Some("A"), Some("B"), Some("X"));
        #[rustfmt::skip]
        let table = [
            (none, none, none, HighLevel, none, none, none),
            (none, a,    none, HighLevel, none, a,    none),
            (none, none, b,    HighLevel, b,    none, none),
            (none, a,    a,    HighLevel, none, none, a),
            (none, a,    b,    HighLevel, none, none, none),
            (x,    none, none, HighLevel, none, none, none),
            (x,    x,    x,    HighLevel, none, none, none),
            (x,    a,    a,    HighLevel, none, none, a),
            (x,    a,    x,    HighLevel, none, a,    none),
            (x,    a,    x,    CasePeer,  none, a,    none),
            (x,    x,    b,    HighLevel, b,    none, none),
            (x,    x,    b,    CasePeer,  b,    none, none),
            (x,    a,    b,    HighLevel, none, a,    none),
            (x,    a,    b,    CasePeer,  b,    none, none),
            (x,    x,    none, HighLevel, none, none, none),
            (x,    none, x,    HighLevel, none, none, none),
            (x,    a,    none, HighLevel, none, a,    none),
            (x,    none, b,    HighLevel, b,    none, none),
        ];
        for (base, left, right, owner, to_left, to_right, agreed) in table {
            let merged = merge(&city(base), &city(left), &city(right), owner);
            let found = (merged.to_highlevel, merged.to_casepeer, merged.agreed);
            assert!(
                found == (city(to_left), city(to_right), city(agreed)),
                "{base:?} {left:?} {right:?} {owner}"
            );
        }
    }

    fn any_fields() -> impl Strategy<Value = Fields> {
        proptest::collection::btree_map(prop::sample::select(&Field::ALL[4..]), "[ABX]", 0..4).prop_map(
            |map| {
                map.into_iter().fold(Fields::default(), |fields, (field, value)| fields.with(field, &value))
            },
        )
    }

    proptest! {
        /// Once a merge has been carried out, merging again finds nothing to write.
        #[test]
        fn a_merge_settles(base in any_fields(), left in any_fields(), right in any_fields(), casepeer_owns: bool) {
            let owner = if casepeer_owns { System::CasePeer } else { System::HighLevel };
            let merged = merge(&base, &left, &right, owner);
            let (mut base, mut left, mut right) = (base, left, right);
            left.overlay(&merged.to_highlevel);
            right.overlay(&merged.to_casepeer);
            for written in [&merged.to_highlevel, &merged.to_casepeer, &merged.agreed] {
                base.overlay(written);
            }
            let again = merge(&base, &left, &right, owner);
            prop_assert!(again.to_highlevel.is_empty() && again.to_casepeer.is_empty() && again.agreed.is_empty());
        }

        /// A value that only one side changed is never overwritten.
        #[test]
        fn no_lone_change_is_lost(base in any_fields(), left in any_fields(), right in any_fields()) {
            let merged = merge(&base, &left, &right, System::HighLevel);
            for field in Field::ALL {
                let changed = |side: &Fields| side.get(field).is_some() && side.get(field) != base.get(field);
                if changed(&left) && !changed(&right) {
                    prop_assert_eq!(merged.to_highlevel.get(field), None);
                }
                if changed(&right) && !changed(&left) {
                    prop_assert_eq!(merged.to_casepeer.get(field), None);
                }
            }
        }
    }
}
