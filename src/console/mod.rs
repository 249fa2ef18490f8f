//! The web console on the admin listener: see everything, mend anything.
//!
//! Pages are rendered here and work without JavaScript; htmx and uPlot (vendored, with their licences beside them) add
//! search as one types, live figures and charts. Nothing is fetched from elsewhere, nothing inline is executed, and no
//! address or title names a person. Every route of the console stands on this page.
//!
//! `session` says who asks, `form` what they send, `page` how a page looks; the rest is one file a page.

mod assets;
mod catalog;
mod events;
mod failure;
mod firms;
mod form;
mod home;
mod live;
mod mapping;
mod page;
mod people;
mod review;
mod sandbox;
mod session;
mod settings;
mod sign_in;
mod tokens;
mod users;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn;
use axum::routing::{get, post};
use tokio::sync::Semaphore;

pub use sandbox::Sandbox;
pub use session::{is_cross_origin, session_cookie};

use crate::bridge::{Bridge, Firm};

/// What the pages share.
pub struct Console {
    bridge: Arc<Bridge>,
    /// One for each page that waits to be told of changes.
    watchers: Arc<Semaphore>,
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

/// The largest form, in bytes.
const LARGEST_FORM: usize = 64 * 1024;

/// The pages.
pub fn router<Outer: Clone + Send + Sync + 'static>(
    bridge: Arc<Bridge>,
    sandbox: Option<Sandbox>,
) -> Router<Outer> {
    let console = Console {
        bridge,
        watchers: Arc::new(Semaphore::new(WATCHERS)),
        sandbox: sandbox.map(|sandbox| (sandbox, reqwest::Client::new())),
    };
    Router::new()
        .route("/", get(home::show))
        .route("/live", get(home::live))
        .route("/activity.csv", get(home::csv))
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
        .route("/firms", get(firms::list))
        .route("/firms/new", get(firms::start).post(firms::draft))
        .route("/firms/{id}", get(firms::show))
        .route("/firms/{id}/set-up", get(firms::set_up))
        .route("/firms/{id}/live", get(firms::live))
        .route("/firms/{id}/try", post(firms::try_out))
        .route("/firms/{id}/rotate", get(firms::show_rotation).post(firms::make_secret))
        .route("/firms/{id}/pause", post(firms::pause))
        .route("/firms/{id}/resume", post(firms::resume))
        .route("/firms/{id}/connect", post(firms::connect))
        .route("/mapping", get(mapping::first))
        .route("/mapping/{firm}", get(mapping::show))
        .route("/sandbox", get(sandbox::show))
        .route("/sandbox/contact", post(sandbox::contact))
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
