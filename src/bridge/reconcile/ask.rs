//! Calls in the lowest priority class: a sweep or a backfill uses what others leave.

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::super::prepare::Listed;
use super::super::session::{Session, Stop};
use super::super::{Bridge, Firm, prepare};
use crate::domain::{Event, EventId, Link, Matter, Plan, Priority, System};
use crate::operations::highlevel::CustomFields;
use crate::operations::{Request, Response};
use crate::store::Lease;

/// How long a sweep waits for a quota that is used up by others, each time and how often. HighLevel's interval is 10 s.
const LONGEST_WAIT: SignedDuration = SignedDuration::from_secs(15);
const MOST_WAITS: u32 = 20;

/// Makes calls for a firm outside any event.
pub(in crate::bridge) struct Asker<'a> {
    bridge: &'a Bridge,
    firm: &'a Firm,
    /// No claim has this number: whatever would write finds that it holds no lease.
    lease: Lease,
}

impl<'a> Asker<'a> {
    pub(in crate::bridge) fn new(bridge: &'a Bridge, firm: &'a Firm) -> Self {
        let lease = Lease { event: EventId(Uuid::nil()), firm: firm.id.clone(), claim: -1 };
        Self { bridge, firm, lease }
    }

    // One for each call: what is under way may use more than a backfill's part.
    pub(in crate::bridge) fn session(&self) -> Session<'_> {
        Session::new(self.bridge, self.firm, &self.lease, Priority::Backfill, None)
    }

    /// Reads from a system; nothing if the record is not there.
    pub(in crate::bridge) async fn read(
        &self,
        system: System,
        request: &Request,
    ) -> Result<Option<Response>, Stop> {
        let mut waits = 0;
        loop {
            let session = self.session();
            let answer = match system {
                System::HighLevel => session.read_highlevel(request).await,
                System::CasePeer => session.read_casepeer(request).await,
            };
            match answer {
                Err(Stop::Quota { wait, .. }) if waits < MOST_WAITS && wait <= LONGEST_WAIT => {
                    waits += 1;
                    pause(wait).await;
                }
                other => return other,
            }
        }
    }

    /// The definitions of the location's custom fields.
    pub(in crate::bridge) async fn custom_fields(&self, now: Timestamp) -> Result<CustomFields, Stop> {
        prepare::custom_fields(&self.session(), now).await
    }

    /// What lists say of a matter.
    pub(in crate::bridge) async fn listed(
        &self,
        matter: &Matter,
        contacts: &prepare::Contacts,
        links: (&[Link], &[Link]),
    ) -> Result<Listed, Stop> {
        let mut waits = 0;
        loop {
            let (session, now) = (self.session(), self.bridge.clock.now());
            match prepare::listed(&session, matter, contacts, links, now).await {
                Err(Stop::Quota { wait, .. }) if waits < MOST_WAITS && wait <= LONGEST_WAIT => {
                    waits += 1;
                    pause(wait).await;
                }
                other => return other,
            }
        }
    }

    /// What would be done about an event now.
    pub(in crate::bridge) async fn plan(&self, event: &Event) -> Result<Plan, Stop> {
        let mut waits = 0;
        loop {
            // Boxed: whoever asks is deep in steps of its own, and a build that is not optimised would keep this in each.
            match Box::pin(self.bridge.plan_for(&self.session(), event)).await {
                Err(Stop::Quota { wait, .. }) if waits < MOST_WAITS && wait <= LONGEST_WAIT => {
                    waits += 1;
                    pause(wait).await;
                }
                other => return other,
            }
        }
    }
}

async fn pause(wait: SignedDuration) {
    tokio::time::sleep(wait.unsigned_abs()).await;
}
