//! The story: what people at a law firm do in one system, and what appears in the other.

mod trust;

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::bridge::Bridge;
use crate::cli::failure::Failure;
use crate::cli::output::say;
use crate::domain::EventState;
use crate::store::SharedStore;
use crate::twin::{Delivery, NewContact, NewLead, NewNote, Twin, casepeer::NewTask};

/// How long anything may take to appear before the story gives up.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often it is looked for.
const POLL: Duration = Duration::from_millis(1);

const LEAD_EMAIL: &str = "sam.rivera@example.com";
const CALLER_EMAIL: &str = "dana.whitfield@example.com";
const FIRST_TASKS: [&str; 2] = ["Call the client back", "Order the police report"];
const TASK: &str = "Ask for the insurance card";
const NOTE: &str = "Prefers to be called after 5 pm.";

/// A story about this twin, told while this bridge works for it.
pub(super) struct Story<'a> {
    twin: &'a Twin,
    bridge: &'a Bridge,
    store: &'a SharedStore,
}

/// The records the later steps are about.
struct Caller {
    contact: String,
    lead: String,
}

impl<'a> Story<'a> {
    pub(super) fn new(twin: &'a Twin, bridge: &'a Bridge) -> Self {
        Self { twin, bridge, store: &bridge.store }
    }

    /// Plays and prints every step, then a summary. Fails at the first thing that does not appear.
    pub(super) async fn tell(&self) -> Result<(), Failure> {
        say("Casebridge between a simulated HighLevel and a simulated CASEpeer, all on this machine.")?;
        let clock = Instant::now();
        self.web_form().await?;
        let caller = self.phone_intake().await?;
        self.task(&caller).await?;
        self.note(&caller).await?;
        self.signed(&caller).await?;
        self.redelivery().await?;
        self.conflict().await?;
        self.review().await?;
        self.gap().await?;
        self.summary(clock.elapsed()).await
    }

    async fn web_form(&self) -> Result<(), Failure> {
        say("\n1. Marketing: Sam Rivera fills in the web form, which makes a contact in HighLevel.")?;
        let clock = Instant::now();
        let contact = self.twin.highlevel.create_contact(NewContact {
            first_name: "Sam".into(),
            last_name: "Rivera".into(),
            email: LEAD_EMAIL.into(),
            phone: "+15125550101".into(),
            city: "Austin".into(),
            state: "TX".into(),
            source: "Web form".into(),
            ..NewContact::default()
        });
        let lead = self.sight(1, "a lead in CASEpeer", || {
            self.twin.casepeer.leads().into_iter().find(|lead| lead["client"]["email"] == LEAD_EMAIL)
        });
        let lead = lead.await?;
        tick(clock, &format!("HighLevel contact {contact} → CASEpeer lead {}", text(&lead, "id")))?;
        self.quiet(1).await
    }

    async fn phone_intake(&self) -> Result<Caller, Failure> {
        say("\n2. Intake: Dana Whitfield calls after a car accident, and a lead is made in CASEpeer.")?;
        let clock = Instant::now();
        let lead = self.twin.casepeer.create_lead(NewLead {
            first_name: "Dana".into(),
            last_name: "Whitfield".into(),
            email: CALLER_EMAIL.into(),
            phone: "+15125550102".into(),
            case_type: "Auto Accident".into(),
            date_of_loss: "2026-01-02".into(),
            source: "Phone".into(),
            ..NewLead::default()
        });
        let contact = self.sight(2, "a contact in HighLevel tagged cp:synced", || {
            let contacts = self.twin.highlevel.contacts();
            contacts
                .into_iter()
                .find(|contact| contact["email"] == CALLER_EMAIL && has_tag(contact, "cp:synced"))
        });
        let contact = text(&contact.await?, "id").to_owned();
        tick(clock, &format!("CASEpeer lead {lead} → HighLevel contact {contact}, tagged cp:synced"))?;
        let tasks = self.sight(2, "the two initial tasks in HighLevel", || {
            let tasks = self.twin.highlevel.tasks(&contact);
            FIRST_TASKS
                .map(|title| find(&tasks, "title", title).cloned())
                .into_iter()
                .collect::<Option<Vec<_>>>()
        });
        for task in tasks.await? {
            tick(clock, &format!("initial task {}: {}", text(&task, "id"), text(&task, "title")))?;
        }
        self.quiet(2).await?;
        Ok(Caller { contact, lead })
    }

    async fn task(&self, caller: &Caller) -> Result<(), Failure> {
        say("\n3. Paralegal: a task is added to Dana's lead in CASEpeer, and later ticked off there.")?;
        let clock = Instant::now();
        let new = NewTask { title: TASK.into(), ..NewTask::default() };
        let task = self.twin.casepeer.create_task(&caller.lead, new);
        let copy_of = || find(&self.twin.highlevel.tasks(&caller.contact), "title", TASK).cloned();
        let copy = self.sight(3, "the task's copy in HighLevel", copy_of).await?;
        tick(clock, &format!("CASEpeer task {task} → HighLevel task {}: {TASK}", text(&copy, "id")))?;
        self.quiet(3).await?;

        let clock = Instant::now();
        self.twin.casepeer.complete_task(&task);
        let completed = || copy_of().filter(|copy| copy["completed"] == true);
        let copy = self.sight(3, "the completion in HighLevel", completed).await?;
        tick(
            clock,
            &format!("CASEpeer task {task} completed → HighLevel task {} completed", text(&copy, "id")),
        )?;
        self.quiet(3).await
    }

    async fn note(&self, caller: &Caller) -> Result<(), Failure> {
        say("\n4. Intake: a note of the category Intake is written in CASEpeer.")?;
        let clock = Instant::now();
        let new = NewNote { body: NOTE.into(), category: "Intake".into(), ..NewNote::default() };
        let note = self.twin.casepeer.create_note(&caller.lead, new);
        let copy = self.sight(4, "the note in HighLevel", || {
            let notes = self.twin.highlevel.notes(&caller.contact);
            notes.into_iter().find(|note| text(note, "body").contains(NOTE))
        });
        tick(clock, &format!("CASEpeer note {note} → HighLevel note {}", text(&copy.await?, "id")))?;
        self.quiet(4).await
    }

    async fn signed(&self, caller: &Caller) -> Result<(), Failure> {
        say(
            "\n5. Attorney: Dana signs; the lead becomes a case in CASEpeer and moves to the status Treating.",
        )?;
        let clock = Instant::now();
        let case = self.twin.casepeer.convert_lead(&caller.lead);
        self.twin.casepeer.set_status(&case, "Treating");
        let tagged = self.sight(5, "the tag cp:signed in HighLevel", || {
            self.twin.highlevel.contact(&caller.contact).filter(|contact| has_tag(contact, "cp:signed"))
        });
        tagged.await?;
        tick(
            clock,
            &format!("CASEpeer case {case} → HighLevel contact {} tagged cp:signed", caller.contact),
        )?;
        let (pipeline, stage) = self.signed_stage();
        let won = self.sight(5, "an opportunity in Intake, Signed, won, in HighLevel", || {
            self.twin.highlevel.opportunities().into_iter().find(|opportunity| {
                opportunity["contactId"] == caller.contact.as_str()
                    && opportunity["pipelineId"] == pipeline
                    && opportunity["pipelineStageId"] == stage
                    && opportunity["status"] == "won"
            })
        });
        let won = text(&won.await?, "id").to_owned();
        tick(clock, &format!("CASEpeer case {case} → HighLevel opportunity {won}: Intake, Signed, won"))?;
        self.quiet(5).await
    }

    /// The ids of the pipeline "Intake" and of its stage "Signed".
    fn signed_stage(&self) -> (Value, Value) {
        let pipelines = self.twin.highlevel.pipelines();
        let pipeline = find(&pipelines, "name", "Intake").cloned().unwrap_or_default();
        let stages = pipeline["stages"].as_array().map(Vec::as_slice).unwrap_or_default();
        (
            pipeline["id"].clone(),
            find(stages, "name", "Signed").map(|stage| stage["id"].clone()).unwrap_or_default(),
        )
    }

    async fn redelivery(&self) -> Result<(), Failure> {
        say("\n6. Both vendors send a webhook a second time, as they do after a hiccup of the network.")?;
        let (highlevel, casepeer) = (&self.twin.highlevel, &self.twin.casepeer);
        let before = (self.writes(), self.events().await?);
        self.again("HighLevel", "ContactCreate", || highlevel.deliveries(), |id| highlevel.redeliver(id))
            .await?;
        self.again("CASEpeer", "lead.created", || casepeer.deliveries(), |id| casepeer.redeliver(id)).await?;
        self.quiet(6).await?;
        let after = (self.writes(), self.events().await?);
        if before != after {
            return Err(Failure::failed(
                "step 6: a webhook that came twice had an effect or made a second event",
            ));
        }
        say("   ✓          nothing was written on either side")
    }

    /// Sends a vendor's first webhook of this type again.
    async fn again(
        &self,
        vendor: &str,
        kind: &str,
        deliveries: impl Fn() -> Vec<Delivery>,
        redeliver: impl Fn(&str) -> bool,
    ) -> Result<(), Failure> {
        let first = |delivery: &Delivery| delivery.kind == kind;
        let Some(delivery) = deliveries().into_iter().find(first) else {
            return Err(missed(6, &format!("a {kind} that {vendor} had sent")));
        };
        let clock = Instant::now();
        redeliver(&delivery.id);
        // 200 is `duplicate`, where a new webhook gets 202 `recorded`.
        let answered = self.sight(6, "the answer `duplicate`", || {
            deliveries().into_iter().find(|one| one.id == delivery.id && one.last_status == Some(200))
        });
        answered.await?;
        tick(clock, &format!("{vendor} webhook {kind} {} again → answered `duplicate`", delivery.id))
    }

    async fn summary(&self, took: Duration) -> Result<(), Failure> {
        let counts = self.store.counts().await?;
        let states: Vec<String> =
            counts.by_state.iter().map(|(state, count)| format!("{count} {}", state.as_str())).collect();
        let (highlevel, casepeer) = self.writes();
        say(&format!(
            "\nThe whole story took {} ms.\n  events received  {}: {}\n  API writes       {highlevel} in HighLevel, \
             {casepeer} in CASEpeer",
            took.as_millis(),
            counts.by_state.values().sum::<u64>(),
            states.join(", "),
        ))?;
        let is_well = |state: &EventState| {
            matches!(state, EventState::Done | EventState::NothingToDo | EventState::Superseded)
        };
        let unwell: Vec<&str> =
            counts.by_state.keys().filter(|state| !is_well(state)).map(|state| state.as_str()).collect();
        if unwell.is_empty() {
            return Ok(());
        }
        Err(Failure::failed(format!("everything appeared, but some events ended as {}", unwell.join(" or "))))
    }

    /// Waits until `look` sees something.
    async fn sight<T>(&self, step: u8, what: &str, look: impl Fn() -> Option<T>) -> Result<T, Failure> {
        let seen = async {
            loop {
                if let Some(seen) = look() {
                    return seen;
                }
                tokio::time::sleep(POLL).await;
            }
        };
        tokio::time::timeout(PATIENCE, seen).await.map_err(|_| missed(step, what))
    }

    /// Waits until every webhook was answered and every event is settled, our own writes' echoes included. People
    /// are slower than that; and a step's time should be its own.
    async fn quiet(&self, step: u8) -> Result<(), Failure> {
        let settled = async {
            loop {
                let before = self.deliveries();
                self.twin.flush().await;
                // Nothing pending means that nobody writes, so nothing new can come that is not counted already.
                if self.store.counts().await?.pending() == 0 && self.deliveries() == before {
                    return Ok(());
                }
                tokio::time::sleep(POLL).await;
            }
        };
        tokio::time::timeout(PATIENCE, settled)
            .await
            .unwrap_or_else(|_| Err(missed(step, "every event to settle")))
    }

    fn deliveries(&self) -> usize {
        self.twin.highlevel.deliveries().len() + self.twin.casepeer.deliveries().len()
    }

    /// What the bridge wrote so far: in HighLevel, in CASEpeer.
    fn writes(&self) -> (usize, usize) {
        (self.twin.highlevel.writes(), self.twin.casepeer.writes())
    }

    async fn events(&self) -> Result<u64, Failure> {
        Ok(self.store.counts().await?.by_state.values().sum())
    }
}

/// Prints something that appeared, and how long after its cause.
fn tick(clock: Instant, what: &str) -> Result<(), Failure> {
    say(&format!("   ✓ {:>5} ms  {what}", clock.elapsed().as_millis()))
}

fn missed(step: u8, what: &str) -> Failure {
    Failure::failed(format!("step {step}: waited {} s for {what}", PATIENCE.as_secs()))
}

fn text<'v>(record: &'v Value, field: &str) -> &'v str {
    record[field].as_str().unwrap_or_default()
}

fn find<'v>(records: &'v [Value], field: &str, value: &str) -> Option<&'v Value> {
    records.iter().find(|record| record[field] == value)
}

fn has_tag(contact: &Value, tag: &str) -> bool {
    contact["tags"].as_array().is_some_and(|tags| tags.iter().any(|one| one == tag))
}
