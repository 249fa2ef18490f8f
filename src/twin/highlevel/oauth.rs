//! HighLevel's OAuth: codes, access tokens for a day, and refresh tokens that are good for one use.

use std::collections::{HashMap, HashSet};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::state::{Session, object, refusal};
use super::{APP_ID, CLIENT_SECRET, PRIVATE_TOKEN};
use crate::twin::call::{Answer, Call, Reply};

const ACCESS_SECONDS: i64 = 86_399;
/// Within it the same refresh token gets the same answer again (HighLevel's API changelog).
const SAME_TOKEN_SECONDS: i64 = 30;
const CODE_SECONDS: i64 = 600;

/// Whom a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holder {
    Location,
    Company,
}

/// What the person does at `chooselocation`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Choice {
    /// Chooses the twin's location.
    #[default]
    Location,
    /// Chooses another location of theirs.
    OtherLocation(String),
    /// Chooses the agency.
    Agency,
    /// Gives no permission.
    Decline,
}

/// What was asked of the twin's OAuth.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OAuthCounts {
    /// Codes that became tokens.
    pub codes: usize,
    /// Refresh tokens that became new tokens.
    pub refreshes: usize,
    /// Refresh tokens that got the answer they had got before.
    pub repeats: usize,
    /// Refresh tokens that were refused.
    pub refused: usize,
    /// Location tokens made from the agency's.
    pub location_tokens: usize,
    /// New beginnings.
    pub reconnects: usize,
    /// API calls with a token that is no good.
    pub dead_calls: usize,
}

#[derive(Debug, Clone)]
struct Grant {
    client: String,
    scope: String,
    holder: Holder,
    location: String,
    until: Timestamp,
}

#[derive(Debug, Clone)]
struct Refresh {
    grant: Grant,
    issued: Timestamp,
    used: Option<(Timestamp, Value)>,
}

/// The codes and tokens that were handed out.
#[derive(Debug, Default)]
pub(super) struct OAuth {
    codes: HashMap<String, Grant>,
    access: HashMap<String, Grant>,
    refresh: HashMap<String, Refresh>,
    revoked: HashSet<String>,
    /// Private tokens beside the twin's own.
    accepted: HashSet<String>,
    /// The app's client secrets, when they are others than the twin's own: HighLevel lets old and new live together.
    client_secrets: Vec<String>,
    is_installed: bool,
    /// What the installed app was granted.
    installed_scope: String,
    pub(super) choice: Choice,
    /// HighLevel documents no `state`: some answers come without.
    pub(super) drops_state: bool,
    pub(super) counts: OAuthCounts,
}

impl OAuth {
    /// Refuses this token from now on.
    pub(super) fn revoke(&mut self, token: &str) {
        self.revoked.insert(token.to_owned());
    }

    /// Accepts this private token from now on.
    pub(super) fn accept(&mut self, token: &str) {
        self.revoked.remove(token);
        self.accepted.insert(token.to_owned());
    }

    /// Replaces the app's client secrets.
    pub(super) fn set_client_secrets(&mut self, secrets: &[&str]) {
        self.client_secrets = secrets.iter().map(|secret| (*secret).to_owned()).collect();
    }

    fn is_client(&self, secret: &str) -> bool {
        let own = self.client_secrets.is_empty() && secret == CLIENT_SECRET;
        own || self.client_secrets.iter().any(|known| known == secret)
    }

    /// Ends the time of every access token.
    pub(super) fn expire(&mut self) {
        self.access.clear();
    }

    /// Ends access and refresh tokens: the app was taken off the location.
    pub(super) fn uninstall(&mut self) {
        self.access.clear();
        self.refresh.clear();
        self.is_installed = false;
    }

    /// Checks a request's token and its scope; a private token has them all.
    ///
    /// # Errors
    /// 401 as HighLevel words it.
    pub(super) fn check(&mut self, call: &Call, now: Timestamp) -> Result<(), Reply> {
        let checked = self.check_token(call, now);
        self.counts.dead_calls += usize::from(checked.is_err());
        checked?;
        self.check_scope(call)
    }

    fn check_token(&self, call: &Call, now: Timestamp) -> Result<(), Reply> {
        let invalid = || refusal(401, "Invalid token: access token is invalid");
        let token = call.bearer().filter(|token| !self.revoked.contains(*token)).ok_or_else(invalid)?;
        if token == PRIVATE_TOKEN || self.accepted.contains(token) {
            return Ok(());
        }
        self.access.get(token).filter(|grant| now < grant.until).map(|_| ()).ok_or_else(invalid)
    }

    fn check_scope(&self, call: &Call) -> Result<(), Reply> {
        let Some(grant) = call.bearer().and_then(|token| self.access.get(token)) else { return Ok(()) };
        let wanted = scope(call);
        // An authorisation that named no scopes stands for an app that has them all.
        if wanted.is_empty() || grant.scope.is_empty() || grant.scope.split(' ').any(|scope| scope == wanted)
        {
            return Ok(());
        }
        Err(refusal(401, "The token is not authorized for this scope."))
    }
}

/// `GET /oauth/chooselocation`: what the person's click on the location does, a redirect with a code.
pub(super) fn choose(session: &mut Session<'_>, call: &Call) -> Answer {
    let (Some(redirect), Some(client)) = (call.query("redirect_uri"), call.query("client_id")) else {
        return Err(refusal(400, "redirect_uri and client_id are required"));
    };
    let mut url = reqwest::Url::parse(redirect).map_err(|_| refusal(400, "redirect_uri must be a URL"))?;
    let code = session.state.ids.letters(40);
    let choice = session.state.oauth.choice.clone();
    let grant = Grant {
        client: client.to_owned(),
        scope: call.query("scope").unwrap_or_default().to_owned(),
        holder: if choice == Choice::Agency { Holder::Company } else { Holder::Location },
        location: match &choice {
            Choice::OtherLocation(other) => other.clone(),
            _ => session.state.location.clone(),
        },
        until: session.now + SignedDuration::from_secs(CODE_SECONDS),
    };
    if choice == Choice::Decline {
        url.query_pairs_mut().append_pair("error", "access_denied");
    } else {
        url.query_pairs_mut().append_pair("code", &code);
        session.state.oauth.codes.insert(code, grant);
    }
    if let Some(state) = call.query("state").filter(|_| !session.state.oauth.drops_state) {
        url.query_pairs_mut().append_pair("state", state);
    }
    Ok(Reply::new(302, Value::Null).with("location", url))
}

/// `POST /oauth/token`.
pub(super) fn token(session: &mut Session<'_>, call: &Call) -> Answer {
    let form = call.form();
    let field = |name: &str| form.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.as_str());
    if field("client_id").is_empty() || !session.state.oauth.is_client(field("client_secret")) {
        return Err(problem(401, "invalid_client", "Invalid client credentials!"));
    }
    let now = session.now;
    match field("grant_type") {
        "authorization_code" => {
            let grant = session.state.oauth.codes.remove(field("code"));
            let mut grant =
                grant.filter(|grant| grant.client == field("client_id") && now < grant.until).ok_or_else(
                    || problem(400, "invalid_grant", "Invalid grant: authorization code is invalid"),
                )?;
            if field("user_type") == "Company" {
                grant.holder = Holder::Company;
            }
            session.state.oauth.counts.codes += 1;
            session.state.oauth.installed_scope.clone_from(&grant.scope);
            let answer = issue(session, &grant, true);
            if !std::mem::replace(&mut session.state.oauth.is_installed, true) {
                let location = match grant.holder {
                    Holder::Location => json!(grant.location),
                    // An agency's own installation names no location.
                    Holder::Company => Value::Null,
                };
                let installed = json!({
                    "locationId": location, "appId": APP_ID, "companyId": session.state.company, "userId": session.state.users[0]["id"],
                    "companyName": "Twin Injury Law", "isWhitelabelCompany": false,
                });
                session.webhook("INSTALL", object(installed));
            }
            Ok(Reply::ok(answer))
        }
        "refresh_token" => {
            let invalid = || problem(400, "invalid_grant", "Invalid grant: refresh token is invalid");
            let token = field("refresh_token");
            let is_revoked = session.state.oauth.revoked.contains(token);
            let held = session.state.oauth.refresh.get(token).filter(|_| !is_revoked).cloned();
            let year = SignedDuration::from_hours(365 * 24);
            let held = held.filter(|held| {
                held.grant.client == field("client_id") && now.duration_since(held.issued) < year
            });
            let counts = &mut session.state.oauth.counts;
            let Some(held) = held else {
                counts.refused += 1;
                return Err(invalid());
            };
            match held.used {
                Some((at, answer)) if now.as_second() - at.as_second() <= SAME_TOKEN_SECONDS => {
                    counts.repeats += 1;
                    Ok(Reply::ok(answer))
                }
                Some(_) => {
                    counts.refused += 1;
                    Err(invalid())
                }
                None => {
                    counts.refreshes += 1;
                    let answer = issue(session, &held.grant, true);
                    if let Some(held) = session.state.oauth.refresh.get_mut(token) {
                        held.used = Some((now, answer.clone()));
                    }
                    Ok(Reply::ok(answer))
                }
            }
        }
        _ => Err(problem(422, "unsupported_grant_type", "grant_type must be a valid enum value")),
    }
}

/// `POST /oauth/locationToken`: an agency's token becomes a location's, without a refresh token.
pub(super) fn location_token(session: &mut Session<'_>, call: &Call) -> Answer {
    let form = call.form();
    let field = |name: &str| form.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.as_str());
    if field("companyId") != session.state.company {
        return Err(refusal(403, "The token does not have access to this company."));
    }
    session.location(field("locationId"))?;
    let grant = call.bearer().and_then(|token| session.state.oauth.access.get(token)).cloned();
    let grant = grant
        .filter(|grant| grant.holder == Holder::Company)
        .ok_or_else(|| refusal(401, "This authClass type is not allowed to access this scope."))?;
    let location = session.state.location.clone();
    let answer = issue(session, &Grant { holder: Holder::Location, location, ..grant }, false);
    let mut answer = object(answer);
    // As the official file has it: the app is named, user type and agency are not.
    answer.insert("appId".into(), APP_ID.into());
    answer.remove("userType");
    answer.remove("companyId");
    session.state.oauth.counts.location_tokens += 1;
    Ok(Reply::ok(Value::Object(answer)))
}

/// `GET /oauth/installedLocations`.
pub(super) fn installed(session: &mut Session<'_>, call: &Call) -> Answer {
    if call.query("companyId") != Some(&session.state.company) {
        return Err(refusal(403, "The token does not have access to this company."));
    }
    let locations = if session.state.oauth.is_installed {
        json!([{"_id": session.state.location, "name": "Twin Injury Law", "address": "1 Main Street",
            "isInstalled": true}])
    } else {
        json!([])
    };
    let count = locations.as_array().map_or(0, Vec::len);
    Ok(Reply::ok(json!({"locations": locations, "count": count, "installToFutureLocations": false})))
}

/// `POST /oauth/reconnect`: a fresh code for an installed location whose tokens were lost.
pub(super) fn reconnect(session: &mut Session<'_>, call: &Call) -> Answer {
    let form = call.form();
    let field = |name: &str| form.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.as_str());
    if field("clientKey").is_empty() || !session.state.oauth.is_client(field("clientSecret")) {
        return Err(problem(401, "invalid_client", "Invalid client credentials!"));
    }
    if !session.state.oauth.is_installed {
        return Err(refusal(400, "The app is not installed."));
    }
    session.state.oauth.counts.reconnects += 1;
    let holder = if field("locationId").is_empty() { Holder::Company } else { Holder::Location };
    let code = session.state.ids.letters(40);
    let until = session.now + SignedDuration::from_secs(CODE_SECONDS);
    let scope = session.state.oauth.installed_scope.clone();
    let location = session.state.location.clone();
    let grant = Grant { client: field("clientKey").to_owned(), scope, holder, location, until };
    session.state.oauth.codes.insert(code.clone(), grant);
    Ok(Reply::ok(json!({"authorizationCode": code, "expiresAt": format!("{until:.3}")})))
}

/// The scope an operation needs (HighLevel's official files); empty where none is stated.
fn scope(call: &Call) -> &'static str {
    let reads = call.method == axum::http::Method::GET;
    match (&call.segments()[..], reads) {
        (["contacts", "bulk", ..], _) => "",
        (["contacts", "search", ..], _) | (["contacts", ..], true) => "contacts.readonly",
        (["contacts", ..], false) => "contacts.write",
        (["opportunities", "search"], _) | (["opportunities", ..], true) => "opportunities.readonly",
        (["opportunities", ..], false) => "opportunities.write",
        (["businesses", ..], true) => "businesses.readonly",
        (["businesses", ..], false) => "businesses.write",
        (["calendars", "events", ..], true) => "calendars/events.readonly",
        (["calendars", "events", ..], false) => "calendars/events.write",
        (["calendars", ..], _) => "calendars.readonly",
        (["users", ..], _) => "users.readonly",
        (["locations", _, "tags", ..], true) => "locations/tags.readonly",
        (["locations", _, "tags", ..], false) => "locations/tags.write",
        (["locations", _, "customFields", ..], true) => "locations/customFields.readonly",
        (["locations", _, "customFields", ..], false) => "locations/customFields.write",
        (["locations", _, "tasks", ..], _) => "locations/tasks.readonly",
        (["locations", ..], _) => "locations.readonly",
        (["oauth", "locationToken"], _) => "oauth.write",
        (["oauth", "installedLocations"], _) => "oauth.readonly",
        (["campaigns", ..], _) => "campaigns.readonly",
        (["workflows", ..], _) => "workflows.readonly",
        _ => "",
    }
}

fn issue(session: &mut Session<'_>, grant: &Grant, with_refresh: bool) -> Value {
    let access = format!("twin-access-{}", session.state.ids.letters(32));
    let until = session.now + SignedDuration::from_secs(ACCESS_SECONDS);
    session.state.oauth.access.insert(access.clone(), Grant { until, ..grant.clone() });
    let mut answer = object(json!({
        "access_token": access, "token_type": "Bearer", "expires_in": ACCESS_SECONDS, "scope": grant.scope,
        "userType": if grant.holder == Holder::Location { "Location" } else { "Company" },
        "companyId": session.state.company, "userId": session.state.users[0]["id"],
    }));
    if grant.holder == Holder::Location {
        answer.insert("locationId".into(), grant.location.as_str().into());
    }
    if with_refresh {
        let refresh = format!("twin-refresh-{}", session.state.ids.letters(32));
        let held = Refresh { grant: grant.clone(), issued: session.now, used: None };
        session.state.oauth.refresh.insert(refresh.clone(), held);
        answer.insert("refresh_token".into(), refresh.into());
        answer.insert("isBulkInstallation".into(), false.into());
    }
    Value::Object(answer)
}

fn problem(status: u16, error: &str, description: &str) -> Reply {
    Reply::new(
        status,
        json!({"statusCode": status, "message": description, "error": error, "error_description": description}),
    )
}
