//! The way out of and back into the bridge: a link that is good once, and the browser that took it.
//!
//! Opening a link changes nothing here, since mail scanners and previews open links too; a browser is known again by what
//! its cookie carries, sealed against change by the bridge's own key, and the link is used up by the first that comes back.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use jiff::{SignedDuration, Timestamp};
use zeroize::Zeroizing;

use super::{Connections, NotConnected};
use crate::config::Secret;
use crate::crypto::random_key;
use crate::domain::{FirmId, System};
use crate::store::{ConnectLink, Digest, StoreError};
use crate::vendors::Surface;

/// How long a link may be opened.
pub const LINK_LIFE: SignedDuration = SignedDuration::from_hours(1);
/// How long a person may take at the vendor.
const PATIENCE: SignedDuration = SignedDuration::from_mins(15);
/// The longest value of a query that is looked at, in bytes: codes have some dozens.
pub(super) const LONGEST: usize = 4096;

/// A browser that is on its way to a vendor.
pub struct Begun {
    /// Where it goes.
    pub url: String,
    /// What it is known by when it comes back.
    pub cookie: Secret,
    /// How long it may take.
    pub patience: SignedDuration,
}

/// What a browser left with.
pub(super) struct Journey {
    system: System,
    link: Secret,
    begun_at: Timestamp,
    /// ConnectLink, moment and a random word, between points.
    body: Secret,
}

/// 256 random bits as text for an address or a cookie.
fn random_word() -> Secret {
    Secret::new(Zeroizing::new(hex::encode(random_key())).as_str())
}

/// What keeps apart what is made for one vendor from what is made for the other.
fn purpose(of: [&'static str; 2], system: System) -> &'static str {
    match system {
        System::HighLevel => of[0],
        System::CasePeer => of[1],
    }
}

impl Connections {
    fn link_digest(&self, system: System, link: &str) -> Digest {
        self.keyring.fingerprint(purpose(["connect link", "connect account link"], system), link.as_bytes())
    }

    /// What only this bridge can make of a journey.
    fn word(&self, of: [&'static str; 2], journey: &Journey) -> Secret {
        let word = self.keyring.fingerprint(purpose(of, journey.system), journey.body.reveal().as_bytes());
        Secret::new(hex::encode(word))
    }

    fn seal(&self, journey: &Journey) -> Secret {
        self.word(["connect browser", "connect account browser"], journey)
    }

    fn state(&self, journey: &Journey) -> Secret {
        self.word(["connect state", "connect account state"], journey)
    }

    /// The proof key of RFC 7636, which nobody else can make: 64 of the characters it allows.
    pub(super) fn verifier(&self, journey: &Journey) -> Secret {
        self.word(["connect verifier", "connect account verifier"], journey)
    }

    /// A link by which a firm can be connected, once, and when it ends.
    pub async fn make_link(
        &self,
        surface: Surface,
        firm: &FirmId,
    ) -> Result<(String, Timestamp), StoreError> {
        let link = random_word();
        let digest = self.link_digest(surface.system(), link.reveal());
        let until = self.store.make_link(digest, firm, LINK_LIFE).await?;
        Ok((self.own_url(surface, &format!("/start?link={}", link.reveal())), until))
    }

    /// Opens a link and sends the browser on.
    pub async fn begin(&self, surface: Surface, link: &str) -> Result<Begun, NotConnected> {
        let system = surface.system();
        if link.is_empty() || link.len() > LONGEST {
            return Err(NotConnected::NoLink);
        }
        let firm = match self.store.link(self.link_digest(system, link)).await? {
            ConnectLink::For(firm) => firm,
            ConnectLink::Unknown => return Err(NotConnected::NoLink),
            ConnectLink::Expired => return Err(NotConnected::LinkExpired),
            ConnectLink::Used => return Err(NotConnected::LinkUsed),
        };
        let begun_at = self.clock.now();
        let body = format!("{link}.{}.{}", begun_at.as_second(), random_word().reveal());
        let journey = Journey { system, link: Secret::new(link), begun_at, body: Secret::new(body) };
        let url = self.authorize_url(surface, &firm, &journey)?;
        tracing::info!(%firm, vendor = system.title(), "a link to connect a firm was opened in a browser");
        let cookie = format!("{}.{}", journey.body.reveal(), self.seal(&journey).reveal());
        Ok(Begun { url, cookie: Secret::new(cookie), patience: PATIENCE })
    }

    fn authorize_url(
        &self,
        surface: Surface,
        firm: &FirmId,
        journey: &Journey,
    ) -> Result<String, NotConnected> {
        let state = self.state(journey);
        let made = match surface.system() {
            System::HighLevel => {
                let app = self.app.as_ref().ok_or(NotConnected::NoLink)?;
                app.authorize_url(surface, state.reveal())
            }
            System::CasePeer => {
                let account = self.account_of(firm);
                let (_, client) =
                    account.ok_or_else(|| NotConnected::NoFirm(firm.clone(), System::CasePeer))?;
                client.authorize_url(state.reveal(), &self.verifier(journey))
            }
        };
        made.map_err(NotConnected::NotNow)
    }

    /// The journey that a cookie tells of, if it is one of ours.
    fn journey(&self, system: System, cookie: &str) -> Option<Journey> {
        let (body, seal) = cookie.rsplit_once('.').filter(|_| cookie.len() <= LONGEST)?;
        let mut parts = body.split('.');
        let (link, begun_at) = (parts.next()?, parts.next()?);
        let begun_at = Timestamp::from_second(begun_at.parse().ok()?).ok()?;
        let journey = Journey { system, link: Secret::new(link), begun_at, body: Secret::new(body) };
        let is_ours =
            verify_slices_are_equal(self.seal(&journey).reveal().as_bytes(), seal.as_bytes()).is_ok();
        is_ours.then_some(journey)
    }

    /// Whom a browser that comes back is connecting. HighLevel documents no `state`, so that its absence proves nothing
    /// there.
    pub(super) async fn returned(
        &self,
        system: System,
        cookie: Option<&str>,
        state: Option<&str>,
    ) -> Result<(FirmId, Journey), NotConnected> {
        let journey = cookie.and_then(|cookie| self.journey(system, cookie));
        let journey = journey.ok_or(NotConnected::OtherBrowser)?;
        let expected = self.state(&journey);
        let is_same =
            |state: &str| verify_slices_are_equal(expected.reveal().as_bytes(), state.as_bytes()).is_ok();
        if !state.map_or(system == System::HighLevel, is_same) {
            return Err(NotConnected::OtherState(system));
        }
        if self.clock.now().duration_since(journey.begun_at) >= PATIENCE {
            return Err(NotConnected::TooLate);
        }
        let link = self.link_digest(system, journey.link.reveal());
        match self.store.use_link(link, PATIENCE).await? {
            ConnectLink::For(firm) => Ok((firm, journey)),
            ConnectLink::Unknown => Err(NotConnected::OtherBrowser),
            ConnectLink::Expired => Err(NotConnected::TooLate),
            ConnectLink::Used => Err(NotConnected::ReturnUsed),
        }
    }
}
