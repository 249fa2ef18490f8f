//! One event's whole story, in a screen.

use super::super::failure::Failure;
use super::super::output::say;
use crate::store::EventStory;

pub(super) fn show(story: &EventStory) -> Result<(), Failure> {
    let row = &story.row;
    let mut lines = vec![
        format!("{}  {} {}  {}", row.id, row.source.title(), row.kind, row.state),
        format!("  firm      {}", row.firm),
        format!("  about     {}", story.records.join(", ")),
        format!("  received  {}, sender proven by {}", row.received_at, story.verified_by),
    ];
    if let Some(sent_at) = story.sent_at {
        lines.push(format!("  sent      {sent_at}"));
    }
    if let Some(reason) = &row.reason {
        lines.push(format!("  reason    {reason}"));
    }
    for review in &story.reviews {
        lines.push(format!("  asked     casebridge review show {review}"));
    }
    if let Some(cause) = story.cause {
        lines.push(format!("  cause     {cause}"));
    }
    if let Some(settled_at) = story.settled_at {
        let took = settled_at.duration_since(row.received_at);
        lines.push(format!("  settled   {settled_at}, {} ms after receipt", took.as_millis()));
    }
    if let Some(due_at) = story.due_at {
        lines.push(format!("  due       {due_at}, after {} failed attempts", story.failed_attempts));
    }
    if let Some(plan) = &story.plan {
        lines.push("plan".into());
        for planned in &plan.commands {
            lines.push(format!("  {}: {}", planned.command, planned.reason));
            if let Some(key) = &planned.effect_key {
                lines.push(format!("      effect {key}"));
            }
        }
        lines.extend(plan.remarks.iter().map(|remark| format!("  {remark}")));
    }
    if !story.calls.is_empty() {
        lines.push("calls".into());
    }
    for call in &story.calls {
        let status = call.status.map_or("-".into(), |status| status.to_string());
        let detail = call.detail.as_deref().unwrap_or_default();
        let at = call.started_at.strftime("%H:%M:%S%.3f");
        lines.push(format!(
            "  {at}  {status:<3}  {:<12}  {:>5} ms  {}  {detail}",
            call.class.as_str(),
            call.duration_ms,
            call.target
        ));
    }
    say(&lines.iter().map(|line| line.trim_end()).collect::<Vec<_>>().join("\n"))
}
