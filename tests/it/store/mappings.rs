//! What the console settled about a firm's sync has versions; the newest is in force.

use casebridge::domain::FirmId;

use super::{TestStore, firm, on_both};

on_both!(a_mapping_follows_the_one_it_was_made_from);

async fn a_mapping_follows_the_one_it_was_made_from(test: &TestStore) {
    let store = &test.store;
    let bell = FirmId::new("bell");
    let save = async |firm: &FirmId, json, from| store.save_mapping(firm, json, from, "maria").await.unwrap();
    let before = store.mappings_changed().await.unwrap();
    assert_eq!(save(&firm(), Some("{1}"), 0).await, Some(1));
    assert_eq!(save(&firm(), Some("{2}"), 0).await, None, "somebody was faster");
    assert_eq!(save(&firm(), Some("{2}"), 5).await, None, "there is no such version");
    assert_eq!(save(&firm(), Some("{2}"), 1).await, Some(2));
    assert_eq!(save(&bell, Some("{3}"), 0).await, Some(1), "each firm has its own");
    let two_at_once = futures_util::join!(save(&bell, Some("{4}"), 1), save(&bell, Some("{5}"), 1));
    assert!(two_at_once.0.is_some() != two_at_once.1.is_some(), "{two_at_once:?}");
    let rows = store.mappings().await.unwrap();
    let newest: Vec<_> = rows.iter().map(|row| (row.firm.as_str(), row.version)).collect();
    assert_eq!(newest, [("acme", 2), ("bell", 2)]);
    assert_eq!((rows[0].json.as_deref(), rows[0].saved_by.as_str()), (Some("{2}"), "maria"));
    assert_eq!(save(&firm(), None, 2).await, Some(3), "back to the configuration");
    assert_eq!(store.mappings().await.unwrap()[0].json, None);
    let versions = store.mapping_versions(&firm()).await.unwrap();
    assert_eq!(versions.iter().map(|row| row.version).collect::<Vec<_>>(), [3, 2, 1]);
    assert!(store.mappings_changed().await.unwrap() > before);
}
