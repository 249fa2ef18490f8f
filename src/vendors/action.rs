//! Running an action of the catalog for a firm.

use super::Exchange;
use super::casepeer::CasePeerClient;
use super::highlevel::HighLevelClient;
use crate::operations::Request;
use crate::operations::catalog::System;

/// Sends a request that was built from an entry of the catalog, through the firm's own client of that system. A scope that
/// is known not to be granted stops it before it is sent. The key makes a repeat of a CASEpeer create harmless; HighLevel
/// takes none.
pub async fn run(
    system: System,
    request: &Request,
    highlevel: &HighLevelClient,
    casepeer: &CasePeerClient,
    idempotency_key: Option<&str>,
) -> Exchange {
    match system {
        System::HighLevel => highlevel.send(request, None).await,
        System::CasePeer => casepeer.send(request, None, idempotency_key).await,
        System::Casebridge => {
            unreachable!("the bridge's own entries are triggers, and no request is built of one")
        }
    }
}
