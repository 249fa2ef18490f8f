//! Who is who in the other system.

use super::snapshot::Snapshot;
use crate::domain::{Matter, System};
use crate::rules::SyncRules;

/// What an assignee by role begins with.
const ROLE: &str = "role:";

/// The account of the same person in the other system.
pub(super) fn counterpart(
    from: System,
    id: Option<&str>,
    snapshot: &Snapshot,
    rules: &SyncRules,
) -> Option<String> {
    let user = snapshot.users.counterpart(from, id?, &rules.tasks.assignees)?;
    Some(user.id.clone())
}

/// The name of a user.
pub(super) fn name(of: System, id: Option<&str>, snapshot: &Snapshot) -> Option<String> {
    let name = &snapshot.users.find(of, id?)?.name;
    (!name.is_empty()).then(|| name.clone())
}

/// The HighLevel user that a template's assignee stands for: an id, an e-mail, or whoever has a role in the matter.
pub(super) fn by_template(
    assignee: Option<&str>,
    matter: &Matter,
    snapshot: &Snapshot,
    rules: &SyncRules,
) -> Option<String> {
    let assignee = assignee?;
    if let Some(role) = assignee.strip_prefix(ROLE) {
        let user = matter.assignees.get(role).map(String::as_str);
        return counterpart(System::CasePeer, user, snapshot, rules);
    }
    if assignee.contains('@') {
        return snapshot.users.by_email(System::HighLevel, assignee).map(|user| user.id.clone());
    }
    Some(assignee.to_owned())
}
