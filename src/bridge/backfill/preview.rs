//! What a plan comes to, for a person who looks at many.

use futures_util::future::join_all;

use super::super::session::Stop;
use super::lists::MatterItem;
use super::pairs::Step;
use super::{AT_ONCE, Backfill, EXAMPLES, Example, Expected};
use crate::domain::{Command, Fact, Plan, RecordKind, RecordRef};

impl Backfill<'_> {
    /// Counts what would be done about matters.
    pub(super) async fn preview_matters(
        &mut self,
        items: Vec<MatterItem>,
        steps: Vec<Step>,
    ) -> Result<(), Stop> {
        let mut asked = Vec::new();
        for (item, step) in items.iter().zip(steps) {
            let record = &item.matter.record;
            // A lead that became a case is that case.
            if item.matter.case.as_ref().is_some_and(|case| self.matters.contains(case)) {
                continue;
            }
            match step {
                Step::Nothing => self.count(record, Expected::InStep, String::new()),
                Step::Pair(found) => self.count_plan(record, &found.plan),
                Step::Ask => asked.push(item.fact()),
            }
        }
        self.preview(asked).await
    }

    /// Counts what would be done about facts.
    pub(super) async fn preview(&mut self, facts: Vec<Fact>) -> Result<(), Stop> {
        for facts in facts.chunks(AT_ONCE) {
            let planning =
                facts.iter().map(|fact| async { self.asker.plan(&self.event(fact.clone())).await });
            let plans = join_all(planning).await;
            for (fact, planned) in facts.iter().zip(plans) {
                match planned {
                    Ok(plan) => self.count_plan(fact.subject(), &plan),
                    Err(stop @ (Stop::Quota { .. } | Stop::Store(_) | Stop::Vendor { .. })) => {
                        return Err(stop);
                    }
                    Err(stop) => self.count(fact.subject(), Expected::Ambiguous, stop.to_string()),
                }
            }
        }
        Ok(())
    }

    fn count_plan(&mut self, record: &RecordRef, plan: &Plan) {
        let (would, why) = expected(plan);
        let partners = partners(plan);
        let people = partners.iter().filter(|partner| partner.kind == RecordKind::Contact);
        self.people.extend(people.map(|contact| contact.id.clone()));
        let is_counted = self.counted.contains(record);
        self.counted.extend(partners);
        if !is_counted {
            self.count(record, would, why);
        }
    }

    fn count(&mut self, record: &RecordRef, would: Expected, why: String) {
        let report = &mut self.report;
        *match would {
            Expected::Link => &mut report.will_link,
            Expected::Create => &mut report.will_create,
            Expected::Differ => &mut report.differ,
            Expected::Ambiguous => &mut report.ambiguous,
            Expected::InStep => &mut report.in_step,
        } += 1;
        let shown = report.examples.iter().filter(|example| example.would == would).count();
        if would != Expected::InStep && shown < EXAMPLES {
            report.examples.push(Example { record: record.to_string(), would, why });
        }
    }
}

/// The records that a plan would link.
fn partners(plan: &Plan) -> Vec<RecordRef> {
    let linked = plan.commands.iter().filter_map(|planned| match &planned.command {
        Command::Link(link) => Some([link.highlevel.clone(), link.casepeer.clone()]),
        _ => None,
    });
    linked.flatten().collect()
}

/// What a plan comes to.
fn expected(plan: &Plan) -> (Expected, String) {
    let find = |is_it: fn(&Command) -> bool| {
        plan.commands
            .iter()
            .find(|planned| is_it(&planned.command))
            .map(|planned| format!("{}: {}", planned.command.summary(), planned.reason))
    };
    if let Some(question) = plan.questions.first() {
        return (Expected::Ambiguous, question.why.clone());
    }
    let creates = find(|command| matches!(command, Command::CreateLead(_) | Command::CreateContact(_)));
    let links = find(|command| matches!(command, Command::Link(_)));
    let differs =
        find(|command| matches!(command, Command::UpdateContact { .. } | Command::UpdateMatter { .. }));
    let found = [(Expected::Create, creates), (Expected::Link, links), (Expected::Differ, differs)];
    if let Some((would, Some(why))) = found.into_iter().find(|(_, why)| why.is_some()) {
        return (would, why);
    }
    match &plan.unmet {
        Some(why) => (Expected::Ambiguous, why.clone()),
        None => (Expected::InStep, plan.remarks.first().cloned().unwrap_or_default()),
    }
}
