//! Reading the leads and cases of a CASEpeer client: those of its person that show it now.

use jiff::Timestamp;

use super::super::session::{Session, Stop};
use super::{contact, matter};
use crate::domain::{RecordKind, RecordRef};
use crate::plan::MatterView;

/// The client's linked matters as they are now, cases before the leads that they began as.
pub(super) async fn view(
    session: &Session<'_>,
    client: &RecordRef,
    merged: Option<&RecordRef>,
    now: Timestamp,
) -> Result<Option<Vec<MatterView>>, Stop> {
    let firm = &session.firm.id;
    let mut records = session.store.records_with(firm, client).await?;
    if let Some(merged) = merged {
        records.extend(session.store.records_with(firm, merged).await?);
        records.sort();
        records.dedup();
    }
    records.retain(contact::is_matter);
    let links = session.store.links_of(firm, &records).await?;
    let of_contact = |record: &RecordRef| {
        links.iter().any(|link| {
            link.casepeer == *record && link.highlevel.kind == RecordKind::Contact && link.is_live()
        })
    };
    records.retain(|record| of_contact(record));
    let (cases, leads): (Vec<_>, Vec<_>) =
        records.into_iter().partition(|record| record.kind == RecordKind::Case);
    let mut views: Vec<MatterView> = Vec::new();
    for record in cases.into_iter().chain(leads) {
        if views.iter().any(|view| view.matter.lead.as_ref() == Some(&record)) {
            continue;
        }
        if let Some(view) = matter::view(session, &record, now).await?
            && view.matter.client.as_ref() == Some(client)
        {
            views.push(view);
        }
    }
    Ok(Some(views))
}
