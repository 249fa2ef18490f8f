//! What needs a person, each with what to do about it.

use maud::{Markup, html};

use crate::console::Console;
use crate::console::failure::Failed;
use crate::console::page::{number, token};
use crate::console::session::Visitor;
use crate::domain::{Cause, EventState, ParkCause, Role};
use crate::store::{CauseRow, Parking};

/// The most lines of one kind: an agency with a common trouble does not need it two hundred times.
const MOST: usize = 8;

pub(super) async fn read(console: &Console, visitor: &Visitor) -> Result<Markup, Failed> {
    let (bridge, reach) = (&console.bridge, &visitor.actor.reach);
    let mut causes = bridge.store.causes().await?;
    causes.retain(|row| reach.covers(&row.firm));
    let mut parkings = bridge.store.parkings().await?;
    parkings.retain(|parking| reach.covers(&parking.firm));
    let governs = visitor.actor.governs();
    let old = if governs { bridge.secret_ages().await? } else { Vec::new() };
    let old = old.iter().filter(|age| age.is_due).count();
    let mut quotas = bridge.store.quotas().await?;
    quotas.retain(|quota| reach.covers(&quota.firm) && quota.exhausted_at.is_some());
    let unheard = unheard(console, visitor).await?;
    let is_quiet = causes.is_empty()
        && parkings.is_empty()
        && visitor.questions == 0
        && old == 0
        && quotas.is_empty()
        && unheard.is_none();
    Ok(html! {
        section aria-labelledby="needs" {
            h2 #needs { "Needs a person" }
            @if is_quiet { p.empty { "Nothing waits for you: every lead is where it should be." } }
            ul.tasks {
                @for parking in parkings.iter().take(MOST) { (parked(visitor, parking)) }
                (more(parkings.len(), "firms on hold", "/firms"))
                @for row in causes.iter().take(MOST) { (given_up(row)) }
                (more(causes.len(), "kinds of undelivered events", "/events?state=failed"))
                @if visitor.questions > 0 {
                    li.task.warn {
                        div { strong { (number(visitor.questions)) " to decide" } p { "Who is who, which value stands: only a person can say." } }
                        a.button.primary href="/review" { "Decide" }
                    }
                }
                @for quota in quotas.iter().take(MOST) {
                    li.task.warn {
                        div { strong { (quota.firm) " will run out of " (quota.system.title()) " calls today" } p { (quota.line()) ". New leads go first; the rest waits." } }
                        a.button href={ "/firms/" (quota.firm) } { "Look" }
                    }
                }
                @if old > 0 {
                    li.task.warn {
                        div { strong { (old) @if old == 1 { " secret is" } @else { " secrets are" } " older than 90 days" } p { "Change them one by one, without a pause." } }
                        a.button href="/settings" { "See which" }
                    }
                }
                @if let Some(firm) = &unheard {
                    li.task {
                        div { strong { (firm) " waits for its first webhook" } p { "Copy the addresses into HighLevel and CASEpeer." } }
                        a.button href={ "/firms/" (firm) } { "Set it up" }
                    }
                }
            }
        }
    })
}

fn more(there: usize, what: &str, address: &str) -> Markup {
    html! {
        @if there > MOST { li { a href=(address) { "and " (number((there - MOST) as u64)) " more " (what) } } }
    }
}

/// The only firm, if nothing has come for it yet: a new installation.
async fn unheard(console: &Console, visitor: &Visitor) -> Result<Option<crate::domain::FirmId>, Failed> {
    let mut firms = console.firms(visitor);
    let (Some(firm), None) = (firms.next(), firms.next()) else { return Ok(None) };
    let filter = crate::store::EventFilter { firm: Some(firm.id.clone()), limit: 1, ..Default::default() };
    let heard = console.bridge.store.events(filter).await?;
    Ok(heard.is_empty().then(|| firm.id.clone()))
}

fn parked(visitor: &Visitor, parking: &Parking) -> Markup {
    let what = match parking.cause {
        ParkCause::Paused => "is paused",
        _ => "is on hold: its connection does not work",
    };
    let may = visitor.actor.may(Role::Operator, &parking.firm);
    html! {
        li.task.bad {
            div { strong { (parking.firm) " " (what) } p { (parking.reason) ". Its events are kept and go on in order." } }
            div.actions {
                a.button href={ "/firms/" (parking.firm) } { "Look" }
                @if may {
                    form method="post" action={ "/firms/" (parking.firm) "/resume" } { (token(visitor)) button type="submit" { "Resume" } }
                }
            }
        }
    }
}

fn given_up(row: &CauseRow) -> Markup {
    let (why, what) = match row.cause {
        Cause::Rejected => ("the other system refused them", "See what it said, correct the record, replay."),
        Cause::Unreadable => {
            ("they could not be read", "A newer version may read them: replay after an update.")
        }
        Cause::Setup => ("something is not set up", "Set it up, then replay."),
        _ => ("they could not be delivered", "See why, mend it, replay."),
    };
    html! {
        li.task.bad {
            div { strong { (number(row.events)) " undelivered at " (row.firm) ": " (why) } p { (what) } }
            a.button.primary href={ "/events?state=failed&firm=" (row.firm.as_str()) } { "See them" }
        }
    }
}

/// The states that a person looks at first.
pub(super) fn is_trouble(state: &str) -> bool {
    state == EventState::Undelivered.as_str()
}
