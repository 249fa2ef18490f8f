//! The contract's ways in: a static bearer token, client credentials, or a code with PKCE and rotating refresh.

use std::collections::{HashMap, HashSet};

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::state::{Session, refusal};
use super::{CLIENT_ID, CLIENT_SECRET, TOKEN};
use crate::twin::call::{Answer, Call, Reply};

const ACCESS_SECONDS: i64 = 3600;
const CODE_SECONDS: i64 = 600;
const SCOPES: &str =
    "leads:write leads:read cases:read contacts:write tasks:write notes:write webhooks:manage";

#[derive(Debug, Clone)]
struct Grant {
    scope: String,
    until: Timestamp,
}

#[derive(Debug)]
struct Code {
    grant: Grant,
    redirect: String,
    challenge: String,
}

/// What was asked of the account's OAuth.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AccountCounts {
    /// Codes that became tokens.
    pub codes: usize,
    /// Refresh tokens that became new tokens.
    pub refreshes: usize,
    /// Codes and refresh tokens that were refused.
    pub refused: usize,
    /// API calls with a token that is no good.
    pub dead_calls: usize,
}

/// The codes and tokens that were handed out.
#[derive(Debug, Default)]
pub(super) struct Auth {
    pub(super) counts: AccountCounts,
    access: HashMap<String, Grant>,
    codes: HashMap<String, Code>,
    refresh: HashMap<String, String>,
    revoked: HashSet<String>,
    /// Static tokens beside the twin's own.
    accepted: HashSet<String>,
    /// What the client may prove itself with; the twin's own while there are none.
    client_secrets: Vec<String>,
}

impl Auth {
    /// Accepts these secrets of the client, as while one is exchanged.
    pub(super) fn set_client_secrets(&mut self, secrets: &[&str]) {
        self.client_secrets = secrets.iter().map(|secret| (*secret).to_owned()).collect();
    }

    fn is_client(&self, secret: &str) -> bool {
        let is_own = self.client_secrets.is_empty() && secret == CLIENT_SECRET;
        is_own || self.client_secrets.iter().any(|known| known == secret)
    }

    /// Refuses this token from now on.
    pub(super) fn revoke(&mut self, token: &str) {
        self.revoked.insert(token.to_owned());
    }

    /// Accepts this static token from now on.
    pub(super) fn accept(&mut self, token: &str) {
        self.revoked.remove(token);
        self.accepted.insert(token.to_owned());
    }

    /// Ends the time of every access token.
    pub(super) fn expire(&mut self) {
        self.access.clear();
    }

    /// Ends access and refresh tokens: the person took the permission back.
    pub(super) fn withdraw(&mut self) {
        self.access.clear();
        self.refresh.clear();
    }

    /// Checks a request's token and its scope.
    ///
    /// # Errors
    /// 401 for a token that is not good, 403 for one without the scope.
    pub(super) fn check(&mut self, call: &Call, now: Timestamp) -> Result<(), Reply> {
        let checked = self.checked(call, now);
        self.counts.dead_calls += usize::from(checked.as_ref().is_err_and(|reply| reply.status == 401));
        checked
    }

    fn checked(&self, call: &Call, now: Timestamp) -> Result<(), Reply> {
        let unauthorised = || {
            refusal(401, "unauthorized", "the access token is missing, expired or revoked")
                .with("www-authenticate", "Bearer")
        };
        let token = call.bearer().filter(|token| !self.revoked.contains(*token)).ok_or_else(unauthorised)?;
        if token == TOKEN || self.accepted.contains(token) {
            return Ok(());
        }
        let grant = self.access.get(token).filter(|grant| now < grant.until).ok_or_else(unauthorised)?;
        let wanted = wanted_scopes(call);
        if wanted.is_empty() || grant.scope.split(' ').any(|scope| wanted.contains(&scope)) {
            return Ok(());
        }
        Err(refusal(403, "insufficient_scope", &format!("needs the scope {}", wanted.join(" or "))))
    }
}

/// The scopes any one of which opens an operation. Those for writing also open reading, for which the contract
/// names none of its own, save for leads and cases.
fn wanted_scopes(call: &Call) -> &'static [&'static str] {
    let reads = call.method == axum::http::Method::GET;
    match &call.segments()[..] {
        [.., "notes"] | ["notes", ..] | [_, _, "notes", _] => &["notes:write"],
        ["leads", ..] if reads => &["leads:read", "leads:write"],
        ["leads", ..] => &["leads:write"],
        ["cases", ..] => &["cases:read"],
        ["contacts", ..] => &["contacts:write"],
        ["tasks", ..] => &["tasks:write"],
        ["webhooks", ..] => &["webhooks:manage"],
        _ => &[],
    }
}

/// `GET /oauth/authorize`: what the person's consent does, a redirect with a code.
pub(super) fn authorize(session: &mut Session<'_>, call: &Call) -> Answer {
    let is_fit = call.query("client_id") == Some(CLIENT_ID)
        && call.query("response_type") == Some("code")
        && call.query("code_challenge_method") == Some("S256");
    let (Some(redirect), Some(challenge), true) =
        (call.query("redirect_uri"), call.query("code_challenge"), is_fit)
    else {
        return Err(refusal(
            400,
            "invalid_request",
            "needs client_id, redirect_uri and a PKCE challenge (S256)",
        ));
    };
    let mut url = reqwest::Url::parse(redirect)
        .map_err(|_| refusal(400, "invalid_request", "redirect_uri must be a URL"))?;
    let code = session.state.ids.letters(32);
    url.query_pairs_mut().append_pair("code", &code);
    if let Some(state) = call.query("state") {
        url.query_pairs_mut().append_pair("state", state);
    }
    let grant = Grant {
        scope: call.query("scope").unwrap_or(SCOPES).to_owned(),
        until: session.now + SignedDuration::from_secs(CODE_SECONDS),
    };
    let code_row = Code { grant, redirect: redirect.to_owned(), challenge: challenge.to_owned() };
    session.state.auth.codes.insert(code, code_row);
    Ok(Reply::new(302, Value::Null).with("location", url))
}

/// `POST /oauth/token`, the client in the body or as basic authentication.
pub(super) fn token(session: &mut Session<'_>, call: &Call) -> Answer {
    let form = call.form();
    let field = |name: &str| form.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.as_str());
    let (id, secret) =
        basic(call).unwrap_or_else(|| (field("client_id").into(), field("client_secret").into()));
    if id != CLIENT_ID || !session.state.auth.is_client(&secret) {
        return Err(problem(401, "invalid_client"));
    }
    let invalid = || problem(400, "invalid_grant");
    match field("grant_type") {
        "client_credentials" => {
            let asked = field("scope");
            let known: Vec<&str> = SCOPES.split(' ').collect();
            if asked.split_whitespace().any(|scope| !known.contains(&scope)) {
                return Err(problem(400, "invalid_scope"));
            }
            let scope = if asked.is_empty() { SCOPES } else { asked };
            Ok(issue(session, scope, false))
        }
        "authorization_code" => {
            let code = session.state.auth.codes.remove(field("code")).ok_or_else(invalid)?;
            let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(field("code_verifier").as_bytes()));
            let is_good = code.challenge == challenge
                && code.redirect == field("redirect_uri")
                && session.now < code.grant.until;
            if !is_good {
                session.state.auth.counts.refused += 1;
                return Err(invalid());
            }
            session.state.auth.counts.codes += 1;
            Ok(issue(session, &code.grant.scope, true))
        }
        "refresh_token" => {
            // Taken out: a refresh token is good for one use.
            let token = field("refresh_token");
            let auth = &mut session.state.auth;
            let is_revoked = auth.revoked.contains(token);
            let Some(scope) = auth.refresh.remove(token).filter(|_| !is_revoked) else {
                auth.counts.refused += 1;
                return Err(invalid());
            };
            auth.counts.refreshes += 1;
            Ok(issue(session, &scope, true))
        }
        _ => Err(problem(400, "unsupported_grant_type")),
    }
}

fn issue(session: &mut Session<'_>, scope: &str, with_refresh: bool) -> Reply {
    let access = format!("twin-casepeer-{}", session.state.ids.letters(32));
    let until = session.now + SignedDuration::from_secs(ACCESS_SECONDS);
    session.state.auth.access.insert(access.clone(), Grant { scope: scope.to_owned(), until });
    let mut answer = json!({
        "access_token": access, "token_type": "Bearer", "expires_in": ACCESS_SECONDS, "scope": scope,
    });
    if with_refresh {
        let refresh = format!("twin-casepeer-refresh-{}", session.state.ids.letters(32));
        session.state.auth.refresh.insert(refresh.clone(), scope.to_owned());
        answer["refresh_token"] = refresh.into();
    }
    Reply::ok(answer).with("cache-control", "no-store")
}

fn basic(call: &Call) -> Option<(String, String)> {
    let (scheme, encoded) = call.header("authorization")?.split_once(' ')?;
    let decoded = STANDARD.decode(encoded.trim()).ok().filter(|_| scheme.eq_ignore_ascii_case("basic"))?;
    let decoded = String::from_utf8(decoded).ok()?;
    let (id, secret) = decoded.split_once(':')?;
    Some((id.to_owned(), secret.to_owned()))
}

/// RFC 6749 section 5.2: the token endpoint has its own error shape.
fn problem(status: u16, error: &str) -> Reply {
    Reply::new(status, json!({"error": error}))
}
