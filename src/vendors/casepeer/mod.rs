//! CASEpeer, for one account, as its profile says: what goes in and comes out has our contract's form, and what lies
//! between is the profile's.

mod auth;
pub(super) mod mail;
mod oauth;
mod pace;
mod words;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::Value;

use self::auth::Auth;
pub use self::auth::{ClientTokens, Source};
use self::mail::Mailer;
pub use self::oauth::AccountClient;
use self::pace::Pace;
use self::words::Words;
use super::exchange::Credential;
use super::redact::harmless;
use super::{Exchange, Failure, HttpClient, classify};
use crate::config::{CasePeerConfig, Secret};
use crate::domain::{Announced, CallClass};
use crate::operations::casepeer::{Profile, Verdict, not_found, pick};
use crate::operations::{Carrier, Effect, Request, Response, Unexpected};
use crate::telemetry::span_id;

/// The most pages that are read to find one record.
const MOST_PAGES: usize = 50;

/// An authorised client of one account.
pub struct CasePeerClient {
    /// The way to the account itself.
    http: HttpClient,
    /// The way to hooks, which are others' and see no certificate of ours.
    to_hooks: HttpClient,
    base_url: String,
    hooks: BTreeMap<String, Secret>,
    mailer: Option<Mailer>,
    auth: Auth,
    pace: Pace,
    words: Words,
    profile: Profile,
}

impl CasePeerClient {
    /// A client with a firm's address, way there and credential. Without an address, the profile's own is used.
    ///
    /// # Errors
    /// What is wrong with the firm's way there, beside its key.
    pub fn new(
        to_hooks: HttpClient,
        firm: &CasePeerConfig,
        profile: Profile,
        tokens: Source,
    ) -> Result<Self, String> {
        let http = to_hooks.by_way_of(firm)?;
        let base_url = if firm.base_url.is_empty() { profile.base_url() } else { &firm.base_url };
        let (auth, pace) = (Auth::new(firm.auth.clone(), tokens), Pace::new(profile.limits()));
        let mailer = firm.mail.as_ref().map(Mailer::new);
        let (base_url, hooks, words) = (base_url.to_owned(), firm.hooks.clone(), Words::default());
        Ok(Self { auth, http, to_hooks, base_url, hooks, mailer, pace, words, profile })
    }

    /// Where the account's API is.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// How the account is reached.
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// Sends a request and reads its answer into our contract's form; `body` replaces the request's own with the exact
    /// bytes that were written down before.
    pub async fn send(
        &self,
        request: &Request,
        body: Option<Vec<u8>>,
        idempotency_key: Option<&str>,
    ) -> Exchange {
        let call = Call { started_at: self.http.clock().now(), timer: Instant::now() };
        if let Some(lookup) = &request.lookup {
            let read = Box::pin(self.send(&lookup.request, None, None)).await;
            let filled = match read.result {
                Ok(record) => match changed(lookup.version.as_deref(), &record) {
                    Some(conflict) => Err(conflict),
                    None => {
                        self.profile.fill_from(request, &record.body).map_err(|wrong| unusable(&wrong, None))
                    }
                },
                Err(failure) => Err(failure),
            };
            let exchange = match filled {
                Ok(request) => Box::pin(self.send(&request, body, idempotency_key)).await,
                Err(failure) => call.failed(request, failure),
            };
            return exchange.after(read.calls);
        }
        let exchange = self.send_as_it_is(request, body, idempotency_key).await;
        match &request.picks {
            Some(id) => self.look_for(id, request, exchange).await,
            None => exchange,
        }
    }

    /// Goes through the pages of a list to the record with this id.
    async fn look_for(&self, id: &str, request: &Request, mut page: Exchange) -> Exchange {
        for _ in 0..MOST_PAGES {
            let Ok(answer) = &mut page.result else { return page };
            if let Some(record) = pick(&answer.body, id) {
                answer.body = record;
                return page;
            }
            let Some(next) = self.profile.next_page(request, answer) else { break };
            page = self.send_as_it_is(&next, None, None).await.after(page.calls);
        }
        let answer = Response { status: 404, etag: None, link: None, body: not_found() };
        let detail = "the record is not in the list".to_owned();
        Exchange {
            result: Err(Failure {
                class: CallClass::Rejected,
                retry_after: None,
                detail,
                answer: Some(Box::new(answer)),
            }),
            ..page
        }
    }

    /// One exchange in the profile's form, its answer in ours.
    async fn send_as_it_is(
        &self,
        request: &Request,
        body: Option<Vec<u8>>,
        idempotency_key: Option<&str>,
    ) -> Exchange {
        let tell = |words: &[_]| self.words.tell(self.profile.name(), request.operation, words);
        tell(&request.unknown_words);
        let exchange = self.send_raw(request, body, idempotency_key).await;
        if let (Ok(answer), Carrier::Api) = (&exchange.result, request.carrier) {
            tell(&self.profile.unknown_words(request, answer));
        }
        let result = match exchange.result {
            Ok(answer) if !self.profile.is_success(request, answer.status) => {
                let detail =
                    format!("answered {}, which the profile does not take for success", answer.status);
                Err(Failure {
                    class: broken(request.effect),
                    retry_after: None,
                    detail,
                    answer: Some(Box::new(answer)),
                })
            }
            Ok(answer) if request.carrier == Carrier::Api => self
                .profile
                .read_answer(request, answer)
                .map_err(|wrong| unusable(&wrong, Some(request.effect))),
            Ok(answer) => Ok(Response { body: Value::Null, ..answer }),
            Err(failure) => Err(self.in_our_form(failure, request.effect)),
        };
        Exchange { result, ..exchange }
    }

    /// One exchange as it goes over the wire, nothing read into it. A token that is refused is renewed once, where it
    /// can be.
    pub async fn send_raw(
        &self,
        request: &Request,
        body: Option<Vec<u8>>,
        idempotency_key: Option<&str>,
    ) -> Exchange {
        self.send_over(request, body, idempotency_key).await.after(self.take_token_calls())
    }

    /// How many calls were made for tokens since this was last asked; those of what is sent are in its count.
    pub fn take_token_calls(&self) -> u64 {
        self.auth.take_calls()
    }

    async fn send_over(
        &self,
        request: &Request,
        body: Option<Vec<u8>>,
        idempotency_key: Option<&str>,
    ) -> Exchange {
        let call = Call { started_at: self.http.clock().now(), timer: Instant::now() };
        let body = body.or_else(|| request.bytes());
        let headers: Vec<_> =
            self.profile.idempotency_header(request.operation).zip(idempotency_key).into_iter().collect();
        let _turn = self.pace.turn().await;
        // The credential goes to nobody but the API.
        match (request.carrier, self.hooks.get(request.operation), &self.mailer) {
            (Carrier::Api, ..) => {}
            (Carrier::Hook, Some(hook), _) => {
                return self.to_hooks.send(hook.reveal(), Credential::None, request, body, &[]).await;
            }
            (Carrier::Mail, _, Some(mailer)) => {
                return call.ended(request, mailer.send(body.as_deref(), idempotency_key).await);
            }
            _ => return call.failed(request, not_set_up(request.operation)),
        }
        let token = match self.auth.token().await {
            Ok(token) => token,
            Err(failure) => return call.failed(request, failure),
        };
        let credential = self.auth.credential(token.as_ref());
        let exchange = self.http.send(&self.base_url, credential, request, body.clone(), &headers).await;
        let Some(token) = token.filter(|_| exchange.status() == Some(401)) else { return exchange };
        match self.auth.instead_of(&token).await {
            Ok(Some(token)) => {
                let credential = self.auth.credential(Some(&token));
                let again = self.http.send(&self.base_url, credential, request, body, &headers).await;
                self.refused(again.after(exchange.calls))
            }
            Ok(None) => self.refused(exchange),
            Err(failure) => call.failed(request, failure).after(exchange.calls),
        }
    }

    /// Says beside a 401 what a person can do about it.
    fn refused(&self, mut exchange: Exchange) -> Exchange {
        let is_refused = exchange.status() == Some(401);
        if let (Err(failure), Some(how), true) = (&mut exchange.result, self.auth.how_to_renew(), is_refused)
        {
            failure.detail = format!("{}; {how}", failure.detail);
        }
        exchange
    }

    /// Renews what is due of its credential, so that none ends unused.
    pub async fn keep_credential(&self) -> Result<(), Failure> {
        self.auth.token().await.map(|_| ())
    }

    /// A refusal in our contract's form, classed as the profile says.
    fn in_our_form(&self, failure: Failure, effect: Effect) -> Failure {
        let Some(answer) = failure.answer else { return failure };
        let answer = self.profile.read_refusal(*answer);
        let class = match self.profile.verdict(answer.status) {
            Verdict::Usual => failure.class,
            Verdict::Retryable => classify(503, effect),
            Verdict::Permanent => CallClass::Rejected,
        };
        let said = harmless(&answer.body);
        let detail = match said.is_empty() || failure.detail.contains(&said) {
            true => failure.detail,
            false => format!("answered {}: {said}", answer.status),
        };
        Failure { class, retry_after: failure.retry_after, detail, answer: Some(Box::new(answer)) }
    }
}

/// A call from its beginning.
struct Call {
    started_at: Timestamp,
    timer: Instant,
}

impl Call {
    fn failed(&self, request: &Request, failure: Failure) -> Exchange {
        self.ended(request, Err(failure))
    }

    fn ended(&self, request: &Request, result: Result<Response, Failure>) -> Exchange {
        Exchange {
            operation: request.operation,
            target: format!("{} {}", request.method.as_str(), request.path),
            started_at: self.started_at,
            duration: self.timer.elapsed().min(Duration::from_secs(3600)),
            calls: 0,
            announced: Announced::default(),
            span: span_id(),
            result,
        }
    }
}

/// A conflict, if the record is not what the change was decided on.
fn changed(version: Option<&str>, record: &Response) -> Option<Failure> {
    (version.is_some() && record.etag.as_deref() != version).then(|| Failure {
        class: CallClass::Conflict,
        retry_after: None,
        detail: "the record was changed meanwhile".into(),
        answer: None,
    })
}

/// An answer that does not hold what it should. What was asked for may have been done.
fn unusable(wrong: &Unexpected, effect: Option<Effect>) -> Failure {
    let class = effect.map_or(CallClass::Rejected, broken);
    Failure { class, retry_after: None, detail: wrong.to_string(), answer: None }
}

fn broken(effect: Effect) -> CallClass {
    match effect {
        Effect::Create => CallClass::Ambiguous,
        Effect::Read | Effect::Idempotent => CallClass::Rejected,
    }
}

fn not_set_up(operation: &str) -> Failure {
    let detail = format!("the firm's configuration has no hook or mail server for `{operation}`");
    Failure { class: CallClass::Rejected, retry_after: None, detail, answer: None }
}
