//! The web console on the admin listener: see everything, mend anything.
//!
//! Pages are rendered here and work without JavaScript; htmx and uPlot (vendored, with their licences beside them) add
//! search as one types, live figures and charts. Nothing is fetched from elsewhere, nothing inline is executed, and no
//! address or title names a person. Every route of the console stands on this page.
//!
//! `session` says who asks, `form` what they send, `page` how a page looks; the rest is one file a page.

mod assets;
mod builder;
mod catalog;
mod difference;
mod events;
mod failure;
mod firms;
mod form;
mod home;
mod live;
mod mapping;
mod page;
mod people;
mod pipeline;
mod review;
mod rules;
mod sandbox;
mod session;
mod settings;
mod sign_in;
mod tokens;
mod users;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn;
use axum::routing::{get, post};
use tokio::sync::Semaphore;

pub use sandbox::Sandbox;
pub use session::{COOKIE_NAME, is_cross_origin, session_cookie};

use crate::bridge::{Bridge, Firm};
use crate::domain::EventId;

/// What the pages share.
pub struct Console {
    bridge: Arc<Bridge>,
    /// One for each page that waits to be told of changes.
    watchers: Arc<Semaphore>,
    /// Who looked into which events while building a rule, so that each look is written down once.
    looks: Mutex<BTreeSet<(String, EventId)>>,
    /// The simulated vendors, in the demo, and what talks to them.
    sandbox: Option<(Sandbox, reqwest::Client)>,
}

/// How many pages wait at once: each looks into the store every few seconds.
const WATCHERS: usize = 64;

impl Console {
    /// The firms that somebody may see.
    fn firms<'a>(&'a self, visitor: &'a session::Visitor) -> impl Iterator<Item = Arc<Firm>> + 'a {
        self.bridge.firms.iter().filter(|firm| visitor.actor.reach.covers(&firm.id))
    }
}

/// The most looks that are remembered: then they are written down anew.
const LOOKS: usize = 10_000;

impl Console {
    /// Writes down that somebody sees what an event carried, unless they were seen to before.
    async fn note_look(&self, visitor: &session::Visitor, event: EventId) -> Result<(), failure::Failed> {
        let look = (visitor.actor.name.clone(), event);
        if self.looks.lock().unwrap_or_else(PoisonError::into_inner).contains(&look) {
            return Ok(());
        }
        self.bridge.note_rule_look(&visitor.actor, event).await?;
        let mut looks = self.looks.lock().unwrap_or_else(PoisonError::into_inner);
        if looks.len() >= LOOKS {
            looks.clear();
        }
        looks.insert(look);
        Ok(())
    }
}

/// The largest form, in bytes.
const LARGEST_FORM: usize = 256 * 1024;

/// The pages.
pub fn router<Outer: Clone + Send + Sync + 'static>(
    bridge: Arc<Bridge>,
    sandbox: Option<Sandbox>,
) -> Router<Outer> {
    let console = Console {
        bridge,
        watchers: Arc::new(Semaphore::new(WATCHERS)),
        looks: Mutex::default(),
        sandbox: sandbox.map(|sandbox| (sandbox, reqwest::Client::new())),
    };
    Router::new()
        .route("/", get(home::show))
        .route("/live", get(home::live))
        .route("/activity.csv", get(home::csv))
        .route("/pipeline", get(pipeline::show))
        .route("/pipeline.csv", get(pipeline::csv))
        .route("/settings", get(settings::show))
        .route("/settings/reseal", post(settings::reseal))
        .route("/sign-in", get(sign_in::show).post(sign_in::sign_in))
        .route("/sign-out", get(sign_in::ask_out).post(sign_in::sign_out))
        .route("/setup/{word}", get(sign_in::show_setup).post(sign_in::set_up))
        .route("/events", get(events::list).post(events::search))
        .route("/events/{id}", get(events::show))
        .route("/events/{id}/reveal", post(events::reveal))
        .route("/events/{id}/preview", post(events::preview))
        .route("/events/{id}/replay", post(events::replay))
        .route("/events/{id}/discard", post(events::discard))
        .route("/review", get(review::list))
        .route("/review/{id}", get(review::show).post(review::resolve))
        .route("/review/{id}/undo", post(review::undo))
        .route("/people", get(people::list).post(people::search))
        .route("/people/{id}", get(people::show))
        .route("/people/{id}/merge", post(people::merge))
        .route("/people/{id}/split", post(people::split))
        .route("/people/{id}/export", post(people::export))
        .route("/people/{id}/hold", post(people::hold))
        .route("/people/{id}/release", post(people::release))
        .route("/people/{id}/erase", get(people::preview).post(people::erase))
        .route("/firms", get(firms::list))
        .route("/firms/new", get(firms::start).post(firms::draft))
        .route("/firms/{id}", get(firms::show))
        .route("/firms/{id}/set-up", get(firms::set_up))
        .route("/firms/{id}/live", get(firms::live))
        .route("/firms/{id}/try", post(firms::try_out))
        .route("/firms/{id}/rotate", get(firms::show_rotation).post(firms::make_secret))
        .route("/firms/{id}/token", get(firms::show_paste).post(firms::paste))
        .route("/firms/{id}/pause", post(firms::pause))
        .route("/firms/{id}/resume", post(firms::resume))
        .route("/firms/{id}/connect", post(firms::connect))
        .route("/mapping", get(mapping::first))
        .route("/mapping/{firm}", get(mapping::show))
        .route("/mapping/{firm}/edit", get(mapping::edit).post(mapping::change))
        .route("/rules", get(rules::list))
        .route("/rules/{id}", get(rules::show))
        .route("/rules/{id}/export", get(rules::export))
        .route("/rules/{id}/switch", post(rules::switch))
        .route("/rules/{id}/remove", post(rules::remove))
        .route("/builder", get(builder::open).post(builder::build))
        .route("/builder/start", get(rules::begin).post(rules::bring))
        .route("/sandbox", get(sandbox::show))
        .route("/sandbox/contact", post(sandbox::contact))
        .route("/sandbox/change", post(sandbox::change))
        .route("/sandbox/fault", post(sandbox::fault))
        .route("/catalog", get(catalog::list))
        .route("/catalog/{id}", get(catalog::show).post(catalog::call))
        .route("/users", get(users::list).post(users::add))
        .route("/users/{name}", get(users::show).post(users::change))
        .route("/tokens", get(tokens::list).post(tokens::make))
        .route("/tokens/{id}/revoke", post(tokens::revoke))
        .route("/audit", get(users::audit))
        .route("/assets/{version}/{name}", get(assets::serve))
        .layer(DefaultBodyLimit::max(LARGEST_FORM))
        .layer(from_fn(page::guarded))
        .with_state(Arc::new(console))
}
