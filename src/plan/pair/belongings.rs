//! What a contact has on account of its matter: tags of the status, the business that sent it.

use sha2::{Digest, Sha256};

use super::super::snapshot::{Pair, Snapshot};
use crate::domain::{Base, Command, Contact, EffectKey, Field, Plan, Target};
use crate::rules::SyncRules;

/// Puts on the tags of the status, and takes off those that an earlier status put on. Others are nobody's business.
pub(super) fn tags(plan: &mut Plan, contact: &Contact, pair: &Pair, rules: &SyncRules) {
    let (link, matter) = (&pair.link, &pair.matter);
    let Some(rule) = matter.status.as_deref().and_then(|status| rules.status(status)) else { return };
    let mut wanted: Vec<String> = rule.tags.iter().map(|tag| tag.to_lowercase()).collect();
    wanted.sort();
    wanted.dedup();
    let held = link.base.tags.clone().unwrap_or_default();
    if wanted == held {
        return;
    }
    let has = |tag: &String| contact.tags.iter().any(|known| known.eq_ignore_ascii_case(tag));
    let missing: Vec<String> = wanted.iter().filter(|tag| !has(tag)).cloned().collect();
    let stale: Vec<String> = held.into_iter().filter(|tag| !wanted.contains(tag) && has(tag)).collect();
    let key = |verb| EffectKey(format!("{verb}:{}:of:{}@{}", contact.record, matter.record, link.revision));
    if !missing.is_empty() {
        let contact = Target::Record(contact.record.clone());
        plan.add(
            Command::AddTags { contact, tags: missing, effect: key("tags") },
            "the status has these tags",
        );
    }
    if !stale.is_empty() {
        let contact = contact.record.clone();
        plan.add(
            Command::RemoveTags { contact, tags: stale, effect: key("untag") },
            "the status no longer has them",
        );
    }
    let base = Base { tags: Some(wanted), ..Base::default() };
    let (highlevel, casepeer) = (contact.record.clone(), link.casepeer.clone());
    plan.add(Command::Agree { highlevel, casepeer, base }, "the tags are those of the status");
}

/// Puts the contact under the business that sent the matter, which is made if HighLevel has none of that name.
pub(super) fn business(
    plan: &mut Plan,
    contact: &Contact,
    pair: &Pair,
    snapshot: &Snapshot,
    rules: &SyncRules,
) {
    let (link, matter) = (&pair.link, &pair.matter);
    let fields = &matter.fields;
    let (Some(kind), Some(name)) = (fields.get(Field::SourceType), fields.get(Field::Source)) else { return };
    if !rules.is_business(kind) || kind == name || link.base.business.as_deref() == Some(name) {
        return;
    }
    let known = snapshot.businesses.iter().find(|(_, known)| known.eq_ignore_ascii_case(name));
    if let Some(held) = &contact.business
        && link.base.business.is_none()
        && known.is_none_or(|(id, _)| id != held)
    {
        plan.remark("the contact is under another business already, which stands");
        return;
    }
    if known.is_none() {
        // A firm's referrer may be a person: the key must not name it.
        let digest = Sha256::digest(name.to_lowercase().as_bytes());
        let hex: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        let effect = EffectKey(format!("business:{hex}"));
        plan.add(
            Command::CreateBusiness { name: name.to_owned(), effect },
            "HighLevel has no business of this name",
        );
    }
    let join = Command::JoinBusiness {
        contact: contact.record.clone(),
        matter: link.casepeer.clone(),
        name: name.to_owned(),
        revision: link.revision,
    };
    plan.add(join, "the business sent it");
}
