//! What goes wrong between two systems that people edit: a conflict, somebody who may be somebody else, a webhook that
//! never came.

use std::time::Instant;

use serde_json::json;

use super::{LEAD_EMAIL, Story, missed, text, tick};
use crate::bridge::SweepOptions;
use crate::cli::failure::Failure;
use crate::cli::output::say;
use crate::domain::{FirmId, Resolution, ReviewAction};
use crate::store::{ReviewFilter, ReviewStory};
use crate::twin::NewLead;

/// The demo's firm.
const FIRM: &str = "demo";

impl Story<'_> {
    /// Sam's contact and lead.
    fn sam(&self, step: u8) -> Result<(String, String), Failure> {
        let (contacts, leads) = (self.twin.highlevel.contacts(), self.twin.casepeer.leads());
        let contact = contacts.iter().find(|contact| contact["email"] == LEAD_EMAIL);
        let lead = leads.iter().find(|lead| lead["client"]["email"] == LEAD_EMAIL);
        let (Some(contact), Some(lead)) = (contact, lead) else { return Err(missed(step, "Sam's records")) };
        Ok((text(contact, "id").to_owned(), text(lead, "id").to_owned()))
    }

    /// Both sides change one field before either hears of the other.
    pub(super) async fn conflict(&self) -> Result<(), Failure> {
        say("\n7. Marketing and intake correct Sam's city at the same moment, each to another one.")?;
        let clock = Instant::now();
        let (contact, lead) = self.sam(7)?;
        self.hold(true);
        self.twin.highlevel.update_contact(&contact, json!({ "city": "Dallas" }));
        let houston = json!({ "client": { "address": { "city": "Houston" } } });
        self.twin.casepeer.update_lead(&lead, houston);
        self.hold(false);
        self.quiet(7).await?;
        let agreed = self.sight(7, "one city on both sides", || {
            let here = self.twin.highlevel.contact(&contact)?["city"].clone();
            let there = self.twin.casepeer.lead(&lead)?["client"]["address"]["city"].clone();
            (here == there && here == "Dallas").then_some(here)
        });
        agreed.await?;
        tick(
            clock,
            "a conflict: until a client signs, HighLevel's value stands (owner) → Dallas on both sides",
        )
    }

    /// A caller who may be Sam, and may not.
    pub(super) async fn review(&self) -> Result<(), Failure> {
        say("\n8. The front desk takes down a Sam King under Sam Rivera's number: is it the same person?")?;
        let clock = Instant::now();
        let lead = self.twin.casepeer.create_lead(NewLead {
            first_name: "Sam".into(),
            last_name: "King".into(),
            phone: "+15125550101".into(),
            case_type: "Dog Bite".into(),
            ..NewLead::default()
        });
        self.quiet(8).await?;
        let question = self.question(8).await?;
        let like = question.details.highlevel.first();
        let score = like.and_then(|like| like.score).unwrap_or_default();
        let reasons = like.map(|like| like.reasons.join(", ")).unwrap_or_default();
        tick(clock, &format!("CASEpeer lead {lead} waits for a person: {score} of 1000 ({reasons})"))?;
        let clock = Instant::now();
        let answer = Resolution::new(ReviewAction::Link);
        let answered = self.bridge.resolve(question.row.id, answer, "demo").await;
        answered.map_err(|why| Failure::failed(format!("step 8: {why}")))?;
        let corrected = self.sight(8, "Sam's name in the new lead", || {
            let lead = self.twin.casepeer.lead(&lead)?;
            (lead["client"]["last_name"] == "Rivera").then_some(())
        });
        corrected.await?;
        tick(
            clock,
            &format!("answered `link`: it is Sam → CASEpeer lead {lead} linked, its name corrected"),
        )?;
        self.quiet(8).await
    }

    async fn question(&self, step: u8) -> Result<ReviewStory, Failure> {
        let open = self.store.reviews(ReviewFilter { limit: 1, ..ReviewFilter::default() }).await?;
        let Some(row) = open.first() else { return Err(missed(step, "a question to a person")) };
        self.store.review(row.id).await?.ok_or_else(|| missed(step, "a question to a person"))
    }

    /// A change whose webhook is lost on the way.
    pub(super) async fn gap(&self) -> Result<(), Failure> {
        say(
            "\n9. Sam moves, and HighLevel's webhook about it never arrives. A sweep compares both systems.",
        )?;
        let clock = Instant::now();
        let (contact, lead) = self.sam(9)?;
        self.twin.highlevel.drop_next_webhooks(1);
        self.twin.highlevel.update_contact(&contact, json!({ "address1": "9 Oak Lane" }));
        self.quiet(9).await?;
        let swept = self.bridge.reconcile(&FirmId::new(FIRM), SweepOptions::default(), &mut |_| {}).await;
        let report = swept.map_err(|why| Failure::failed(format!("step 9: {why}")))?;
        tick(
            clock,
            &format!("{} records compared, {} change nobody told of", report.read(), report.gaps.len()),
        )?;
        let healed = self.sight(9, "the street in CASEpeer", || {
            let lead = self.twin.casepeer.lead(&lead)?;
            (lead["client"]["address"]["line1"] == "9 Oak Lane").then_some(())
        });
        healed.await?;
        tick(clock, &format!("healed: HighLevel contact {contact} → CASEpeer lead {lead}"))?;
        self.quiet(9).await
    }

    fn hold(&self, is_held: bool) {
        self.twin.highlevel.hold_webhooks(is_held);
        self.twin.casepeer.hold_webhooks(is_held);
    }
}
