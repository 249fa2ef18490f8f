//! The guide from nothing to a firm's first synced lead: each step turns green by itself.

use std::sync::Arc;

use jiff::Timestamp;
use maud::{Markup, html};

use super::parts::{
    button, casepeer_steps, connect_buttons, heard, highlevel_steps, link, paste_button, tried,
};
use super::{Health, health, last_heard};
use crate::bridge::{FileState, Trial};
use crate::console::Console;
use crate::console::failure::Failed;
use crate::console::page::{pill, token};
use crate::console::session::Visitor;
use crate::domain::{EventId, EventState, FirmId, Role, System};
use crate::store::EventFilter;

/// What new leads' events are called by their senders.
const NEW_LEADS: [&str; 2] = ["ContactCreate", "lead.created"];

/// How far a firm's setting up has come.
pub(super) struct Progress {
    health: Option<Health>,
    file: FileState,
    trial: Option<Trial>,
    heard: [Option<Timestamp>; 2],
    first: Option<EventId>,
}

impl Progress {
    /// How far it has come. A firm that is not there yet is there only for those who may add one.
    pub(super) async fn read(console: &Console, visitor: &Visitor, id: &FirmId) -> Result<Self, Failed> {
        let health = health(console, visitor, id).await?;
        match &health {
            Some(_) => visitor.must_be(Role::Admin)?,
            None if console.bridge.firms.iter().any(|firm| firm.id == *id) => return Err(Failed::not_there()),
            None => visitor.must_govern()?,
        }
        let mut first = None;
        for kind in NEW_LEADS {
            let filter = EventFilter {
                firm: Some(id.clone()),
                states: vec![EventState::Done],
                kind: Some(kind.into()),
                limit: 1,
                ..EventFilter::default()
            };
            first = first.or(console.bridge.store.events(filter).await?.first().map(|row| row.id));
        }
        Ok(Self {
            health,
            file: console.bridge.file(),
            trial: console.bridge.trial(id),
            heard: [
                last_heard(console, id, System::HighLevel).await?,
                last_heard(console, id, System::CasePeer).await?,
            ],
            first,
        })
    }

    fn is_waiting_for_restart(&self, id: &FirmId) -> bool {
        self.file.needs_restart.contains(&format!("firms.{id}"))
    }

    /// Whether each system is connected, as far as that is known.
    fn is_connected(&self) -> bool {
        let by_person = self.health.as_ref().is_some_and(Health::is_connected);
        by_person && self.trial.as_ref().is_none_or(|trial| trial.highlevel.is_ok())
    }

    /// What the page shows, as far as it changes by itself.
    pub(super) fn state(&self) -> String {
        let is_there = self.health.is_some();
        let heard = self.heard.map(|at| at.is_some());
        let tried = self.trial.as_ref().map(|trial| (trial.highlevel.is_ok(), trial.casepeer.is_ok()));
        format!("{is_there} {:?} {} {heard:?} {tried:?} {:?}", self.file, self.is_connected(), self.first)
    }

    /// The page's content.
    pub(super) fn render(
        &self,
        console: &Arc<Console>,
        visitor: &Visitor,
        id: &FirmId,
        made: Option<&(String, Timestamp)>,
        news: &str,
    ) -> Markup {
        let now = console.bridge.clock.now();
        let is_sandbox = console.sandbox.is_some();
        let firm = self.health.as_ref().map(|health| &health.firm);
        let here = format!("/firms/{id}/set-up");
        html! {
            p.back { a href="/firms" { "All firms" } }
            h1 { "Set up " (firm.map_or(id.as_str(), |firm| &firm.title)) }
            (link(made))
            div #live data-live=(news) data-page=(here) {
                @if let Some(first) = self.first {
                    div.notice role="status" { "The first lead is synced. " a href={ "/events/" (first) } { "See how" } ". "
                        a href={ "/firms/" (id) } { "The firm's page" } " is where you look from now on." }
                }
                ol.steps {
                    li { (step("It stands in the configuration", firm.is_some()))
                        @if firm.is_none() { (self.waiting(id)) } }
                    @if let (Some(firm), Some(health)) = (firm, &self.health) {
                        li { (step("It is connected", self.is_connected() && self.trial.is_some()))
                            @if !health.is_connected() && firm.is_connected_by_browser { p { "A person allows it in the browser, once." } }
                            (connect_buttons(visitor, firm, "set-up"))
                            @if !firm.has_token { p.actions { (paste_button(firm)) } }
                            @if let Some(trial) = &self.trial { (tried(trial, now)) }
                            @else { p { "Then ask both sides one harmless question:" } }
                            (button(visitor, firm, "try", "set-up", "Try both connections"))
                        }
                        li { (step("HighLevel tells of changes", self.heard[0].is_some()))
                            p { (heard(self.heard[0], now)) }
                            @if self.heard[0].is_none() { (highlevel_steps(console, firm)) } }
                        li { (step("CASEpeer tells of changes", self.heard[1].is_some()))
                            p { (heard(self.heard[1], now)) }
                            @if self.heard[1].is_none() { (casepeer_steps(console, firm, true)) } }
                        li { (step("The first lead is synced", self.first.is_some()))
                            @if self.first.is_none() {
                                p { "Create a contact in HighLevel: a few seconds later its lead is in CASEpeer." }
                                @if is_sandbox { (contact(visitor)) }
                            } }
                    }
                }
            }
        }
    }

    fn waiting(&self, id: &FirmId) -> Markup {
        html! {
            @if let Some(why) = &self.file.refused {
                p.alarm { "The changed file was refused, and what was in force stays: " (why) }
            } @else if self.is_waiting_for_restart(id) {
                p.alarm { "The file is read, and this firm waits for a restart: another firm is gone from the file. Restart the service." }
            } @else if self.file.path.is_none() {
                p { "This program does not watch its file: restart it." }
            } @else {
                p { "The file is looked at every two seconds; this turns green by itself. Not written yet? "
                    a href="/firms/new" { "Describe the firm" } "." }
            }
        }
    }
}

fn step(title: &str, is_done: bool) -> Markup {
    html! {
        h2 { (title) " " @if is_done { (pill("good", "done")) } @else { (pill("wait", "waiting")) } }
    }
}

/// Somebody fills the web form, in the sandbox.
fn contact(visitor: &Visitor) -> Markup {
    html! {
        form method="post" action="/sandbox/contact" {
            (token(visitor))
            input type="hidden" name="first" value="Robin";
            input type="hidden" name="last" value="Sandbox";
            input type="hidden" name="email" value="robin@example.com";
            button type="submit" { "Create one in the sandbox" }
        }
    }
}
