//! What changes seldom: users, businesses, reasons for losing a deal. Read when something names one, and believed a while.

use jiff::Timestamp;

use super::super::session::{Session, Stop};
use crate::domain::{User, Users};
use crate::operations::{casepeer, highlevel};
use crate::plan::{ContactView, MatterView, Owner, View};
use crate::rules::SyncRules;

/// The most pages of businesses that are read: 2,000 of them.
const MOST_PAGES: usize = 20;

/// The users of both systems, if the view names one.
pub(super) async fn users(session: &Session<'_>, view: &View, now: Timestamp) -> Result<Users, Stop> {
    if !names_a_user(view, &session.firm.rules) {
        return Ok(Users::default());
    }
    let firm = session.firm;
    let here = async {
        let answer = session.read_highlevel_if_granted(&highlevel::list_users(&firm.location)).await?;
        Ok::<Vec<User>, Stop>(answer.map(|answer| highlevel::read_users(&answer)).unwrap_or_default())
    };
    let there = async {
        let answer = session.read_casepeer_if_it_can(casepeer::list_users(firm.casepeer.profile())).await?;
        Ok::<Vec<User>, Stop>(answer.map(|answer| casepeer::read_users(&answer)).unwrap_or_default())
    };
    let (highlevel, casepeer) =
        tokio::try_join!(firm.highlevel_users.get(now, here), firm.casepeer_users.get(now, there))?;
    Ok(Users { highlevel, casepeer })
}

fn names_a_user(view: &View, rules: &SyncRules) -> bool {
    let has_contact = |view: &ContactView| {
        view.tasks.iter().any(|task| task.assignee.is_some())
            || view.notes.iter().any(|note| note.author.is_some())
    };
    // Initial tasks may name users by role or e-mail.
    let templates = || {
        let assignees = rules.initial_tasks.iter().filter_map(|task| task.assignee.as_ref());
        assignees.into_iter().any(|assignee| assignee.contains(['@', ':']))
    };
    let has_matter = |view: &MatterView| {
        let is_new = view.link.as_ref().is_none_or(|link| link.base.initial_tasks != Some(true));
        is_new && templates()
    };
    let has_owner = |owner: &Owner| match owner {
        Owner::Contact(view) => has_contact(view),
        Owner::Matter(view) => has_matter(view),
        Owner::Linked { .. } | Owner::Missing => false,
    };
    match view {
        View::Contact(view) => has_contact(view),
        View::Matter(view) => has_matter(view),
        View::Client(_) => false,
        View::Task(view) => view.record.assignee.is_some() || has_owner(&view.owner),
        View::Note(view) => view.record.author.is_some() || has_owner(&view.owner),
        View::Appointment(view) => has_owner(&view.owner),
        View::Deleted(_) | View::Erased(_) | View::Gone => false,
    }
}

/// The location's businesses, if the firm makes any.
pub(super) async fn known_businesses(
    session: &Session<'_>,
    now: Timestamp,
) -> Result<Vec<(String, String)>, Stop> {
    if session.firm.rules.businesses.source_types.is_empty() {
        return Ok(Vec::new());
    }
    session.firm.businesses.get(now, businesses(session)).await
}

/// The location's businesses as they are now, ids and names.
pub(in crate::bridge) async fn businesses(session: &Session<'_>) -> Result<Vec<(String, String)>, Stop> {
    let mut all = Vec::new();
    for page in 0..MOST_PAGES {
        let request = highlevel::list_businesses(&session.firm.location, page);
        let answer = session.read_highlevel(&request).await?;
        let found = answer.map(|answer| highlevel::read_businesses(&answer)).unwrap_or_default();
        let is_last = found.len() < highlevel::BUSINESS_PAGE;
        all.extend(found);
        if is_last {
            break;
        }
    }
    Ok(all)
}

/// The location's reasons for losing a deal, ids and names.
pub(super) async fn lost_reasons(
    session: &Session<'_>,
    now: Timestamp,
) -> Result<Vec<(String, String)>, Stop> {
    let read = async {
        let answer = session.read_highlevel(&highlevel::get_lost_reasons(&session.firm.location)).await?;
        Ok::<_, Stop>(answer.map(|answer| highlevel::read_lost_reasons(&answer)).unwrap_or_default())
    };
    session.firm.lost_reasons.get(now, read).await
}
