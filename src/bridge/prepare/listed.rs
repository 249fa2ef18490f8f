//! A lead or case as a list showed it, with its person's contact as another list did: nothing is read for it but what
//! changes seldom.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, RandomState};

use jiff::Timestamp;

use super::super::session::{Session, Stop};
use super::{contact, matter, take};
use crate::domain::{Contact, Field, Fields, Link, Matter, RecordKind, RecordRef, parse_external_ref};
use crate::plan::{MatterView, Snapshot, Standing, View};

/// A location's contacts as the search showed them, by id, e-mail and phone.
#[derive(Default)]
pub(in crate::bridge) struct Contacts {
    all: Vec<Contact>,
    by_id: HashMap<String, u32>,
    /// Whose each e-mail and phone is, by a hash, in its order once they are found by it.
    keys: Vec<(u64, u32)>,
    is_sorted: bool,
    hasher: RandomState,
}

impl Contacts {
    /// How many there are.
    pub(in crate::bridge) fn len(&self) -> usize {
        self.all.len()
    }

    /// One more; the first stays where the search shows one twice.
    pub(in crate::bridge) fn add(&mut self, contact: Contact) {
        let place = u32::try_from(self.all.len()).expect("fewer are held than can be counted");
        if self.get(&contact.record.id).is_some() {
            return;
        }
        self.by_id.insert(contact.record.id.clone(), place);
        self.keys.extend(keys(&self.hasher, &contact.fields).map(|key| (key, place)));
        self.is_sorted = false;
        self.all.push(contact);
    }

    /// No more will be added.
    pub(in crate::bridge) fn sort(&mut self) {
        self.keys.sort_unstable();
        self.is_sorted = true;
    }

    /// One of them.
    pub(in crate::bridge) fn get(&self, id: &str) -> Option<&Contact> {
        self.by_id.get(id).and_then(|place| self.all.get(*place as usize))
    }

    /// Those that share an e-mail or a phone with these fields.
    fn sharing(&self, fields: &Fields) -> BTreeMap<u32, &Contact> {
        debug_assert!(self.is_sorted);
        let mut found = BTreeMap::new();
        for key in keys(&self.hasher, fields) {
            let from = self.keys.partition_point(|(known, _)| *known < key);
            for (_, place) in self.keys[from..].iter().take_while(|(known, _)| *known == key) {
                found.insert(*place, &self.all[*place as usize]);
            }
        }
        found
    }
}

fn keys(hasher: &RandomState, fields: &Fields) -> impl Iterator<Item = u64> {
    let key = |field| fields.get(field).map(|value| hasher.hash_one((field, value)));
    [key(Field::Email), key(Field::Phone)].into_iter().flatten()
}

/// What two lists and the store say of a matter.
pub(in crate::bridge) enum Listed {
    /// The matter and its person's contact: the one it is linked to, or those that could be it.
    Seen(Box<Snapshot>),
    /// It is another record's to be looked at, or its contact was deleted.
    Nothing,
    /// More than lists must be read to say.
    Unsure,
}

/// What the lists say. `links` has the links of the matters of the page, `theirs` those of [`contacts_of`] them, oldest
/// first.
pub(in crate::bridge) async fn listed(
    session: &Session<'_>,
    matter: &Matter,
    contacts: &Contacts,
    (links, theirs): (&[Link], &[Link]),
    now: Timestamp,
) -> Result<Listed, Stop> {
    let own = own_links(matter, links);
    let is_live = |link: &&&Link| link.highlevel.kind == RecordKind::Contact && link.is_live();
    let link = own.iter().filter(is_live).find(|link| link.casepeer == matter.record);
    if let Some(case) = matter.case.as_ref().filter(|_| matter.record.kind == RecordKind::Lead) {
        let is_linked = own.iter().filter(is_live).any(|link| link.casepeer == *case);
        return Ok(if is_linked { Listed::Nothing } else { Listed::Unsure });
    }
    if link.is_none() && own.iter().any(|link| is_live(&link)) {
        // A case takes over the link of the lead it began as.
        return Ok(Listed::Unsure);
    }
    let alike = alike(session, matter, contacts);
    let (known, candidates) = match (link, alike) {
        (Some(link), _) => match contacts.get(&link.highlevel.id) {
            Some(contact) => (Some(contact.clone()), Vec::new()),
            None => return Ok(Listed::Unsure),
        },
        (None, _) if own.iter().any(|link| !link.is_live()) => return Ok(Listed::Nothing),
        (None, Some(alike)) => (None, alike.into_iter().cloned().collect()),
        (None, None) => return Ok(Listed::Unsure),
    };
    let of_contacts =
        |link: &&Link| known.iter().chain(&candidates).any(|contact| contact.record == link.highlevel);
    let theirs: Vec<Link> = theirs.iter().filter(of_contacts).cloned().collect();
    if link.is_none() && !theirs.is_empty() {
        // One of several matters of a person.
        return Ok(Listed::Unsure);
    }
    let view = MatterView {
        matter: matter.clone(),
        link: link.map(|link| (**link).clone()),
        standing: Standing::of(matter, &theirs),
        siblings: matter::siblings(matter, theirs),
        contact: known,
        candidates,
        left_off: 0,
        decisions: Vec::new(),
        opportunity: own
            .iter()
            .find(|link| link.highlevel.kind == RecordKind::Opportunity)
            .map(|link| (*link).clone()),
        pipelines: matter::pipelines(session, matter, now).await?,
        lost_reasons: matter::lost_reasons(session, matter, now).await?,
    };
    Ok(Listed::Seen(Box::new(take(session, Some(View::Matter(Box::new(view))), now).await?)))
}

/// The contacts whose links tell more of a matter: the one it is linked to, those that could be its client's.
pub(in crate::bridge) fn contacts_of(
    session: &Session<'_>,
    matter: &Matter,
    contacts: &Contacts,
    links: &[Link],
) -> Vec<RecordRef> {
    let own = own_links(matter, links).into_iter();
    let linked = own.map(|link| link.highlevel.clone()).filter(|record| record.kind == RecordKind::Contact);
    let alike = alike(session, matter, contacts).unwrap_or_default();
    linked.chain(alike.into_iter().map(|contact| contact.record.clone())).collect()
}

/// The matter and what it was or became.
pub(in crate::bridge) fn related(matter: &Matter) -> impl Iterator<Item = &RecordRef> {
    [Some(&matter.record), matter.case.as_ref(), matter.lead.as_ref()].into_iter().flatten()
}

fn own_links<'a>(matter: &Matter, links: &'a [Link]) -> Vec<&'a Link> {
    links.iter().filter(|link| related(matter).any(|record| *record == link.casepeer)).collect()
}

/// The contacts that could be a matter's client's; nothing if the lists do not say.
fn alike<'a>(session: &Session<'_>, matter: &Matter, contacts: &'a Contacts) -> Option<Vec<&'a Contact>> {
    let named = matter.external_ref.as_deref();
    let named = named.and_then(|name| parse_external_ref(name, &session.firm.location, RecordKind::Contact));
    if let Some(named) = named {
        return contacts.get(&named.id).map(|contact| vec![contact]);
    }
    let alike = contacts.sharing(&matter.fields);
    (alike.len() <= contact::MOST_CANDIDATES).then(|| alike.into_values().collect())
}
