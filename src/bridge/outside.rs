//! Calls that are made outside an event's work, such as by a person who tries a connection. Nobody waits for their turn
//! with them, but they count: who works on events leaves room for them.

use super::{Bridge, Firm};
use crate::domain::{Announced, System};
use crate::operations::Request;
use crate::vendors::Exchange;

impl Bridge {
    /// Sends a request through the firm's own client of that system and counts it. A scope that is known not to be
    /// granted stops it before it is sent. The key makes a repeat of a CASEpeer create harmless; HighLevel takes none.
    pub async fn call(
        &self,
        firm: &Firm,
        system: System,
        request: &Request,
        idempotency_key: Option<&str>,
    ) -> Exchange {
        // Before it is made: what the vendor announces meanwhile has it in its count.
        self.count_calls(firm, system, 1, Announced::default()).await;
        let exchange = match system {
            System::HighLevel => firm.highlevel.send(request, None).await,
            System::CasePeer => firm.casepeer.send(request, None, idempotency_key).await,
        };
        self.count_calls(firm, system, exchange.calls.saturating_sub(1), exchange.announced).await;
        exchange
    }

    /// Counts calls that no block was leased for, and tells what the vendor announced.
    pub async fn count_calls(&self, firm: &Firm, system: System, calls: u64, announced: Announced) {
        if calls == 0 && announced.is_silent() {
            return;
        }
        let meter = firm.calls(system);
        if let Err(error) = meter.made(&self.store, &self.clock, &firm.id, calls, announced).await {
            tracing::warn!(firm = %firm.id, calls, "calls are missing in the quota: {error}");
        }
    }
}
