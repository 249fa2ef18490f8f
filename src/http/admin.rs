//! Who may use the admin listener, and its metrics.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use aws_lc_rs::constant_time;
use axum::Extension;
use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use axum::http::{HeaderMap, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;

use super::Shared;
use super::problem::Problem;
use crate::console::{is_cross_origin, session_cookie};
use crate::domain::{Actor, Reach, Role};
use crate::store::{LossFilter, LossRow, Quota};

/// Lets in who shows the admin token, who is signed in, and, while nobody can sign in, anybody on this machine; and says
/// to the handlers who that is.
pub(super) async fn guard(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    mut request: Request,
    next: Next,
) -> Response {
    let headers = request.headers();
    let route = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str);
    let is_public = OPEN_TO_THIS_MACHINE.contains(&route);
    let actor = match who(&shared, headers, peer.ip(), is_public).await {
        Ok(actor) => actor,
        Err(problem) => return problem.into_response(),
    };
    if request.method() != Method::GET {
        if is_cross_origin(headers) {
            return Problem::unauthorised().detail("A page of another site cannot do this.").into_response();
        }
        if !has_page_token(&shared, headers) {
            let how = "With a session's cookie, send its page token as X-Page-Token.";
            return Problem::unauthorised().detail(how).into_response();
        }
    }
    let sees_all = actor.role >= Role::Operator && actor.reach == Reach::Everywhere;
    if route.starts_with(PEOPLE) && !sees_all {
        let who =
            "This takes an operator or administrator of all firms; the console shows the people of yours.";
        return Problem::forbidden(who).into_response();
    }
    request.extensions_mut().insert(actor);
    next.run(request).await
}

/// What tells no more than that the program runs and how: a scraper and a health check on this machine need no
/// credential.
const OPEN_TO_THIS_MACHINE: [&str; 4] = ["/metrics", "/livez", "/readyz", "/openapi.json"];

/// What tells of people by name, over all firms.
const PEOPLE: &str = "/api/v1/people";

/// Who asks. A credential that is no good is refused, even from this machine.
async fn who(shared: &Shared, headers: &HeaderMap, peer: IpAddr, is_public: bool) -> Result<Actor, Problem> {
    let actor = |name: &str| Actor { name: name.into(), role: Role::Admin, reach: Reach::Everywhere };
    let how = "Sign in at the console, or send `Authorization: Bearer` with server.admin_token.";
    if headers.contains_key(AUTHORIZATION) {
        let is_token = has_token(headers, shared);
        return if is_token { Ok(actor("admin token")) } else { Err(Problem::unauthorised().detail(how)) };
    }
    if let Some(cookie) = session_cookie(headers) {
        let found = shared.bridge.actor(cookie).await.map_err(super::api::unavailable)?;
        return found.ok_or_else(|| Problem::unauthorised().detail(how));
    }
    if is_local(headers, peer) {
        if is_public || !shared.bridge.has_people().await.map_err(super::api::unavailable)? {
            return Ok(actor("this machine"));
        }
        return Err(Problem::unauthorised().detail(how));
    }
    let how = "Use it from this machine, sign in, or send `Authorization: Bearer` with server.admin_token.";
    Err(Problem::unauthorised().detail(how))
}

/// Whether a request that rests on a cookie comes from a page of ours; any other needs no such proof, for no browser
/// sends it of itself.
fn has_page_token(shared: &Shared, headers: &HeaderMap) -> bool {
    if headers.contains_key(AUTHORIZATION) {
        return true;
    }
    let Some(cookie) = session_cookie(headers) else { return true };
    let given = headers.get("x-page-token").map(|value| value.as_bytes()).unwrap_or_default();
    constant_time::verify_slices_are_equal(shared.bridge.page_token(cookie).as_bytes(), given).is_ok()
}

fn has_token(headers: &HeaderMap, shared: &Shared) -> bool {
    let given = headers.get(AUTHORIZATION).and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
    match (&shared.admin_token, given) {
        (Some(token), Some(given)) => {
            constant_time::verify_slices_are_equal(token.reveal().as_bytes(), given).is_ok()
        }
        _ => false,
    }
}

/// A connection from this machine, to a name of this machine (a page that makes its own name resolve to loopback has
/// another), and not forwarded for somebody else.
fn is_local(headers: &HeaderMap, peer: IpAddr) -> bool {
    let is_forwarded =
        ["forwarded", "x-forwarded-for", "x-real-ip"].iter().any(|name| headers.contains_key(*name));
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).map(host_name);
    let names_this_machine = host.is_some_and(|host| {
        host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
    });
    peer.is_loopback() && names_this_machine && !is_forwarded
}

/// The host without its port and brackets.
fn host_name(host: &str) -> &str {
    if let Some(rest) = host.strip_prefix('[') {
        return rest.split(']').next().unwrap_or(rest);
    }
    host.rsplit_once(':').map_or(host, |(name, _)| name)
}

/// Metrics for Prometheus.
#[utoipa::path(get, path = "/metrics", tag = "operation", responses((status = 200, description = "Text format 0.0.4.", body = String)))]
pub(super) async fn metrics(
    State(shared): State<Arc<Shared>>,
    Extension(actor): Extension<Actor>,
) -> Response {
    // Its lines name every firm.
    if actor.reach != Reach::Everywhere {
        return Problem::forbidden("This takes somebody who sees all firms.").into_response();
    }
    if let Ok(counts) = shared.bridge.store.counts().await {
        for state in crate::domain::EventState::ALL {
            #[expect(clippy::cast_precision_loss, reason = "a gauge is a float; counts stay far below 2^53")]
            metrics::gauge!("casebridge_events", "state" => state.as_str()).set(counts.of(*state) as f64);
        }
    }
    if let Ok(open) = shared.bridge.store.open_reviews(None).await {
        for kind in crate::domain::ReviewKind::ALL {
            #[expect(clippy::cast_precision_loss, reason = "a gauge is a float; counts stay far below 2^53")]
            metrics::gauge!("casebridge_reviews_open", "kind" => kind.as_str())
                .set(open.get(kind).copied().unwrap_or_default() as f64);
        }
    }
    super::gauges::set(&shared.bridge).await;
    if let Ok(parkings) = shared.bridge.store.parkings().await {
        for cause in crate::domain::ParkCause::ALL {
            let firms = parkings.iter().filter(|parking| parking.cause == *cause).count();
            #[expect(clippy::cast_precision_loss, reason = "a gauge is a float; nobody has 2^53 firms")]
            metrics::gauge!("casebridge_firms_parked", "cause" => cause.as_str()).set(firms as f64);
        }
    }
    if let Ok(quotas) = shared.bridge.store.quotas().await {
        quotas.iter().for_each(|quota| gauge_quota(quota, shared.bridge.clock.now()));
    }
    if let Ok(losses) =
        shared.bridge.store.losses(LossFilter { limit: MOST_LOSSES, ..LossFilter::default() }).await
    {
        gauge_losses(&losses);
    }
    if let Ok(ages) = shared.bridge.secret_ages().await {
        for age in &ages {
            #[expect(
                clippy::cast_precision_loss,
                reason = "a gauge is a float; nobody keeps a secret for 2^53 days"
            )]
            metrics::gauge!("casebridge_secret_age_days", "secret" => age.reference.clone())
                .set(age.age_days as f64);
        }
        #[expect(clippy::cast_precision_loss, reason = "a gauge is a float; nobody has 2^53 secrets")]
        metrics::gauge!("casebridge_secrets_due").set(ages.iter().filter(|age| age.is_due).count() as f64);
    }
    ([(CONTENT_TYPE, "text/plain; version=0.0.4")], shared.metrics.render()).into_response()
}

/// Lines of the loss meter that are looked through for each firm's newest.
const MOST_LOSSES: usize = 10_000;

/// The newest day of each kind of record.
#[expect(clippy::cast_precision_loss, reason = "a gauge is a float; changes of a day stay far below 2^53")]
fn gauge_losses(losses: &[LossRow]) {
    let mut seen = BTreeSet::new();
    for row in losses.iter().filter(|row| seen.insert((&row.firm, &row.kind))) {
        let labels = [("firm", row.firm.to_string()), ("kind", row.kind.clone())];
        metrics::gauge!("casebridge_loss_changed", &labels).set(row.changed as f64);
        metrics::gauge!("casebridge_loss_received", &labels).set(row.received as f64);
        metrics::gauge!("casebridge_loss_healed", &labels).set(row.healed as f64);
        metrics::gauge!("casebridge_loss_unexplained", &labels).set(row.unexplained as f64);
        metrics::gauge!("casebridge_loss_coverage", &labels).set(row.coverage);
    }
}

#[expect(clippy::cast_precision_loss, reason = "a gauge is a float; calls of a day stay far below 2^53")]
fn gauge_quota(quota: &Quota, now: Timestamp) {
    let labels = [("firm", quota.firm.to_string()), ("system", quota.system.to_string())];
    metrics::gauge!("casebridge_quota_calls_today", &labels).set(quota.spent_today as f64);
    let Some(per_day) = quota.per_day else { return };
    metrics::gauge!("casebridge_quota_calls_per_day", &labels).set(per_day as f64);
    let left = quota.exhausted_at.map(|at| at.duration_since(now).as_secs_f64().max(0.0));
    metrics::gauge!("casebridge_quota_exhausted_in_seconds", &labels).set(left.unwrap_or(f64::INFINITY));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn local_means_from_here_to_here_and_for_nobody_else() {
        let here: IpAddr = "127.0.0.1".parse().unwrap();
        for (pairs, peer, expected) in [
            (&[("host", "127.0.0.1:8081")][..], here, true),
            (&[("host", "localhost:8081")], here, true),
            (&[("host", "[::1]:8081")], here, true),
            (&[("host", "rebound.example:8081")], here, false),
            (&[], here, false),
            (&[("host", "localhost"), ("x-forwarded-for", "1.2.3.4")], here, false),
            (&[("host", "localhost")], "10.0.0.1".parse().unwrap(), false),
        ] {
            assert_eq!(is_local(&headers(pairs), peer), expected, "{pairs:?} {peer}");
        }
    }
}
