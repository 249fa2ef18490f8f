//! Polling: the lists of an account that does not tell of its changes, read on a schedule of their own. What changed goes
//! through the same door as what a sweep finds, and by the same watermark.

use jiff::SignedDuration;
use uuid::Uuid;

use super::stream::Stream;
use super::{NoSweep, SweepOptions};
use crate::bridge::Bridge;
use crate::domain::RecordKind;
use crate::operations::casepeer::polled_every;

/// The lists that a profile may have polled.
const LISTS: [(Stream, RecordKind); 3] = [
    (Stream::Leads, RecordKind::Lead),
    (Stream::Cases, RecordKind::Case),
    (Stream::CasePeerTasks, RecordKind::Task),
];

impl Bridge {
    /// Polls the lists whose turn it is, whichever instance did so last; a failure of one firm does not keep the others
    /// from theirs.
    pub async fn poll_due(&self) {
        for firm in self.firms.iter() {
            let (mut due, mut turns) = (Vec::new(), Vec::new());
            for (stream, kind) in LISTS {
                let Some(every) = polled_every(firm.casepeer.profile(), kind) else { continue };
                let (turn, owner) = (format!("poll {}", stream.kind()), Uuid::now_v7().to_string());
                // Timers are not exact: a turn may come a little early.
                match self.store.hold_sweep(&firm.id, &turn, &owner, every * 9 / 10).await {
                    Ok(true) => {
                        due.push(stream);
                        turns.push((turn, owner));
                    }
                    Ok(false) => {}
                    Err(error) => tracing::error!(firm = %firm.id, "no polling: {error}"),
                }
            }
            if due.is_empty() {
                continue;
            }
            match Box::pin(self.sweep(&firm.id, SweepOptions::default(), &due, &mut |_| {})).await {
                Ok(report) if report.is_complete => tracing::debug!(firm = %firm.id, "polled"),
                Ok(report) => {
                    tracing::warn!(firm = %firm.id, "polling ended early: {}", report.remarks.join("; "));
                }
                // Somebody else is at it, perhaps with another list: the turn is given back.
                Err(NoSweep::UnderWay) => {
                    for (turn, owner) in &turns {
                        let given = self.store.hold_sweep(&firm.id, turn, owner, SignedDuration::ZERO).await;
                        if let Err(error) = given {
                            tracing::warn!(firm = %firm.id, "a list is polled a turn later: {error}");
                        }
                    }
                }
                Err(error) => tracing::error!(firm = %firm.id, "no polling: {error}"),
            }
        }
    }
}
