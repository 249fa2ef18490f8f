//! What is synced for a firm, as people settle it at the console: in place of the configuration's `[firms.sync]`, in
//! versions, with what it would have done seen before it is saved.
//!
//! The file stays what it was. While the console's mapping is in force the file's is not, which the console shows; going
//! back to the file is one more version.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError};

use futures_util::{StreamExt, join, stream};
use serde_json::{Map, Value};

use super::automations::happened::{self, Happened};
use super::desk::NotDone;
use super::firms::Settled;
use super::replay::NoPreview;
use super::what_if::Difference;
use super::{Bridge, Firm};
use crate::domain::{Actor, Deed, FirmId, Role, System, User};
use crate::operations::catalog::find;
use crate::operations::{casepeer, highlevel};
use crate::rules::SyncRules;
use crate::store::{AuditEntry, EventFilter, MappingRow, StoreError};

/// The newest events that are looked through for those of different people, and for values that came.
const LOOKED_THROUGH: usize = 500;
/// How many events are planned at once: each reads records of both systems.
const AT_ONCE: usize = 4;

/// A firm's mapping as somebody sees it.
pub struct MappingSeen {
    /// The firm, with the rules in force.
    pub firm: Arc<Firm>,
    /// What was settled in the console, the newest first.
    pub versions: Vec<MappingRow>,
}

impl MappingSeen {
    /// Whether the console's is in force, and not the configuration's.
    pub fn is_settled(&self) -> bool {
        self.versions.first().is_some_and(|row| row.json.is_some())
    }

    /// The newest version; 0 if there is none.
    pub fn version(&self) -> u32 {
        self.versions.first().map_or(0, |row| row.version)
    }
}

/// What a changed mapping would have done.
#[derive(Debug, Default)]
pub struct WhatIf {
    /// How many events were planned anew.
    pub looked: usize,
    /// Those for which other calls would be made.
    pub differences: Vec<Difference>,
    /// For how many it cannot be said, and why for the first of them.
    pub unsaid: usize,
    /// Why it cannot be said for the first of those.
    pub why: Option<String>,
}

/// The values that both vendors have, for picking.
#[derive(Debug, Default)]
pub struct Values {
    /// CASEpeer's statuses.
    pub statuses: Vec<String>,
    /// CASEpeer's case types.
    pub case_types: Vec<String>,
    /// CASEpeer's sources of leads.
    pub sources: Vec<String>,
    /// CASEpeer's users.
    pub casepeer_users: Vec<User>,
    /// HighLevel's users.
    pub highlevel_users: Vec<User>,
    /// HighLevel's pipelines with their stages.
    pub pipelines: Vec<(String, Vec<String>)>,
    /// HighLevel's tags.
    pub tags: Vec<String>,
    /// The keys of HighLevel's custom fields.
    pub custom_fields: Vec<String>,
    /// HighLevel's reasons for losing a deal.
    pub lost_reasons: Vec<String>,
    /// What could not be read, and why.
    pub missing: Vec<String>,
}

/// The values that came in events, with how often each did.
#[derive(Debug, Default)]
pub struct Met {
    /// CASEpeer's statuses.
    pub statuses: BTreeMap<String, usize>,
    /// CASEpeer's case types.
    pub case_types: BTreeMap<String, usize>,
    /// The sources of both systems.
    pub sources: BTreeMap<String, usize>,
    /// The categories of CASEpeer's notes.
    pub categories: BTreeMap<String, usize>,
    /// HighLevel's tags.
    pub tags: BTreeMap<String, usize>,
}

fn read(json: &str) -> Result<SyncRules, String> {
    SyncRules::from_json(serde_json::from_str(json).map_err(|error| error.to_string())?)
}

impl Bridge {
    /// Takes over what was settled in the console, if anybody changed it, in this process or another.
    pub(super) async fn refresh_mappings(&self) -> Result<(), StoreError> {
        let changes = self.store.mappings_changed().await?;
        let is_known = *self.mappings.lock().unwrap_or_else(PoisonError::into_inner) == Some(changes);
        if is_known {
            return Ok(());
        }
        let mut settled = Settled::new();
        for row in self.store.mappings().await? {
            match row.json.as_deref().map(read) {
                None => {}
                Some(Ok(rules)) => drop(settled.insert(row.firm, rules)),
                // One of another build's: the configuration's is in force, and the console says so.
                Some(Err(why)) => {
                    tracing::error!(firm = %row.firm, "the console's mapping cannot be read, and the configuration's is used: {why}");
                }
            }
        }
        self.firms.settle(settled);
        *self.mappings.lock().unwrap_or_else(PoisonError::into_inner) = Some(changes);
        Ok(())
    }

    fn firm_for(&self, actor: &Actor, needed: Role, id: &FirmId) -> Result<Arc<Firm>, NotDone> {
        self.known_firm(actor, needed, id)?;
        self.firms.find(id).ok_or(NotDone::NotThere)
    }

    /// A firm's mapping for somebody who may see the firm.
    pub async fn mapping_for(&self, actor: &Actor, id: &FirmId) -> Result<MappingSeen, NotDone> {
        self.known_firm(actor, Role::Viewer, id)?;
        self.refresh_mappings().await?;
        let firm = self.firms.find(id).ok_or(NotDone::NotThere)?;
        Ok(MappingSeen { firm, versions: self.store.mapping_versions(id).await? })
    }

    /// Syncs a firm by these rules from now on; none for those of the configuration. They were made from this version.
    pub async fn save_mapping_as(
        &self,
        actor: &Actor,
        id: &FirmId,
        rules: Option<&SyncRules>,
        from: u32,
    ) -> Result<u32, NotDone> {
        self.known_firm(actor, Role::Admin, id)?;
        let json = rules.map(|rules| rules.to_json().to_string());
        let saved = self.store.save_mapping(id, json.as_deref(), from, &actor.name).await?;
        let version = saved.ok_or_else(|| {
            NotDone::Conflict(
                "Somebody else changed this mapping meanwhile. Look at it and change it anew.".into(),
            )
        })?;
        self.refresh_mappings().await?;
        let what = if rules.is_some() { "" } else { ", as the configuration has it" };
        let deed = AuditEntry::new(&actor.name, Deed::MappingChanged).at(id);
        self.store.note_deed(deed.about(format!("version {version}{what}"))).await?;
        // What waits may be worked on by other rules now.
        self.ring();
        Ok(version)
    }

    /// What these rules would have done with the last events of different people. Records are read from both systems,
    /// and nothing is written.
    pub async fn what_if_as(
        &self,
        actor: &Actor,
        id: &FirmId,
        rules: &SyncRules,
        most: usize,
    ) -> Result<WhatIf, NotDone> {
        let firm = self.firm_for(actor, Role::Admin, id)?;
        let other = firm.with_rules(rules.clone());
        let filter = EventFilter { firm: Some(id.clone()), limit: LOOKED_THROUGH, ..EventFilter::default() };
        let (mut seen, mut events) = (BTreeSet::new(), Vec::new());
        for row in self.store.events(filter).await? {
            if events.len() == most {
                break;
            }
            let Some(story) = self.store.event(row.id).await? else { continue };
            if story.records.first().is_some_and(|record| seen.insert(record.clone())) {
                events.push(row.id);
            }
        }
        let other = &other;
        let planned = stream::iter(events.clone()).map(|id| async move { self.what_if_by(other, id).await });
        let planned: Vec<_> = planned.buffered(AT_ONCE).collect().await;
        let mut told = WhatIf { looked: events.len(), ..WhatIf::default() };
        for one in planned {
            match one {
                Ok(difference) => told.differences.extend(difference),
                Err(NoPreview::NoEvent) => {}
                Err(why) => {
                    told.unsaid += 1;
                    told.why.get_or_insert_with(|| why.to_string());
                }
            }
        }
        Ok(told)
    }

    /// The values that both vendors have now. What cannot be read is said.
    pub async fn values_for(&self, actor: &Actor, id: &FirmId) -> Result<Values, NotDone> {
        let firm = &*self.firm_for(actor, Role::Operator, id)?;
        let (statuses, case_types, sources, pipelines, tags, fields) = join!(
            self.list(firm, "status.list"),
            self.list(firm, "case_type.list"),
            self.list(firm, "source.list"),
            self.list(firm, "opportunities.get-pipelines"),
            self.list(firm, "locations.get-location-tags"),
            self.list(firm, "locations.get-custom-fields"),
        );
        let (lost, here) =
            (highlevel::get_lost_reasons(&firm.location), highlevel::list_users(&firm.location));
        let there = async {
            let request = casepeer::list_users(firm.casepeer.profile()).map_err(|why| why.to_string())?;
            let answer = self.call(firm, System::CasePeer, &request, None).await.result;
            answer.map(|answer| casepeer::read_users(&answer)).map_err(|failure| failure.detail)
        };
        let (lost, here, there) = join!(
            self.call(firm, System::HighLevel, &lost, None),
            self.call(firm, System::HighLevel, &here, None),
            there
        );
        let mut missing = Vec::new();
        let mut names = |what: &str, answer: Result<Value, String>, key: &str, name: &str| -> Vec<String> {
            match answer {
                Ok(body) => named(&body[key], name),
                Err(why) => {
                    missing.push(format!("{what}: {why}"));
                    Vec::new()
                }
            }
        };
        let stages = pipelines.as_ref().map(|body| stages(&body["pipelines"])).unwrap_or_default();
        let values = Values {
            statuses: names("CASEpeer's statuses", statuses, "data", "name"),
            case_types: names("CASEpeer's case types", case_types, "data", "name"),
            sources: names("CASEpeer's sources", sources, "data", "name"),
            tags: names("HighLevel's tags", tags, "tags", "name"),
            custom_fields: names("HighLevel's custom fields", fields, "customFields", "fieldKey")
                .into_iter()
                .map(|key| key.strip_prefix("contact.").map(str::to_owned).unwrap_or(key))
                .collect(),
            pipelines: stages,
            ..Values::default()
        };
        if let Err(why) = pipelines {
            missing.push(format!("HighLevel's pipelines: {why}"));
        }
        let mut said = |what: &str, failure: String| missing.push(format!("{what}: {failure}"));
        let lost_reasons = match lost.result {
            Ok(answer) => highlevel::read_lost_reasons(&answer).into_iter().map(|(_, name)| name).collect(),
            Err(failure) => {
                said("HighLevel's reasons for losing a deal", failure.detail);
                Vec::new()
            }
        };
        let highlevel_users =
            here.result.map(|answer| highlevel::read_users(&answer)).unwrap_or_else(|failure| {
                said("HighLevel's users", failure.detail);
                Vec::new()
            });
        let casepeer_users = there.unwrap_or_else(|why| {
            said("CASEpeer's users", why);
            Vec::new()
        });
        Ok(Values { lost_reasons, highlevel_users, casepeer_users, missing, ..values })
    }

    /// The values that came in the firm's last events.
    pub async fn values_met(&self, actor: &Actor, id: &FirmId) -> Result<Met, NotDone> {
        let firm = self.firm_for(actor, Role::Operator, id)?;
        let filter = EventFilter { firm: Some(id.clone()), limit: LOOKED_THROUGH, ..EventFilter::default() };
        let mut met = Met::default();
        for row in self.store.events(filter).await? {
            let Some(trigger) = happened::trigger(&firm, row.source, &row.kind) else { continue };
            let Some(payload) = self.store.payload(row.id).await? else { continue };
            let Some(told) = Happened::read(&firm, row.source, &row.kind, trigger, &payload) else {
                continue;
            };
            let data = &told.data;
            match row.source {
                System::HighLevel => {
                    count(&mut met.tags, &data["tags"]);
                    count(&mut met.sources, &data["source"]);
                }
                System::CasePeer => {
                    for matter in [&data["lead"], &data["case"]] {
                        count(&mut met.statuses, &matter["status"]);
                        count(&mut met.case_types, &matter["case_type"]);
                        count(&mut met.sources, &matter["source"]["detail"]);
                    }
                    count(&mut met.categories, &data["note"]["category"]);
                }
            }
        }
        Ok(met)
    }
}

impl Bridge {
    /// What an action of the catalog that takes nothing answers.
    async fn list(&self, firm: &Firm, id: &str) -> Result<Value, String> {
        let entry = find(id).ok_or("the catalog has no such list")?;
        let system = entry.system.vendor().ok_or("the bridge itself is not called")?;
        let request = entry.request_for(&Map::new(), &firm.location, firm.casepeer.profile());
        let request = request.map_err(|why| why.to_string())?;
        let exchange = self.call(firm, system, &request, None).await;
        exchange.result.map(|answer| answer.body).map_err(|failure| failure.detail)
    }
}

/// The texts under this key of each item.
fn named(items: &Value, key: &str) -> Vec<String> {
    let items = items.as_array().into_iter().flatten();
    items.filter_map(|item| item[key].as_str().map(str::to_owned)).collect()
}

fn stages(pipelines: &Value) -> Vec<(String, Vec<String>)> {
    let pipelines = pipelines.as_array().into_iter().flatten();
    let name = |one: &Value| one["name"].as_str().unwrap_or_default().to_owned();
    pipelines.map(|one| (name(one), named(&one["stages"], "name"))).collect()
}

/// Counts a text, or each of a list.
fn count(into: &mut BTreeMap<String, usize>, value: &Value) {
    match value {
        Value::String(text) if !text.trim().is_empty() => *into.entry(text.clone()).or_default() += 1,
        Value::Array(items) => items.iter().for_each(|item| count(into, item)),
        _ => {}
    }
}
