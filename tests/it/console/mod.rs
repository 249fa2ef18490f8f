//! The console: signing in, who may do what, and what pages say.

mod builder;
mod desk;
mod firms;
mod home;
mod line;
mod mapping;
mod matrix;
mod pages;
mod paste;
mod people;
mod rules;
mod sign_in;
mod undo;

use casebridge::config::Secret;
use casebridge::domain::{Reach, Role};
use casebridge::store::NewAccount;
use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};

use crate::support::TestBridge;

/// A password that may be chosen.
pub const PASSWORD: &str = "correct horse battery";

/// A person's browser: it keeps its cookie and follows nowhere.
pub struct Person {
    http: reqwest::Client,
    pub url: String,
    pub cookie: Option<String>,
    /// What forms send along, as the last page said.
    pub page_token: String,
}

/// A page or an answer.
pub struct Answer {
    pub status: u16,
    pub location: Option<String>,
    pub set_cookie: Option<String>,
    pub headers: reqwest::header::HeaderMap,
    pub text: String,
}

impl Person {
    /// Nobody yet.
    pub fn at(bridge: &TestBridge) -> Self {
        let policy = reqwest::redirect::Policy::none();
        let http = reqwest::Client::builder().no_proxy().redirect(policy).build().unwrap();
        let url = bridge.installation.admin_url.clone();
        Self { http, url, cookie: None, page_token: String::new() }
    }

    /// Somebody of this role who has signed in.
    pub async fn signed_in(bridge: &TestBridge, name: &str, role: Role, reach: Reach) -> Self {
        let password = casebridge::bridge::hash_password(name, &Secret::new(PASSWORD)).unwrap();
        let new = NewAccount { name: name.into(), role, reach, password };
        assert!(bridge.installation.store.add_account(new).await.unwrap());
        let mut person = Self::at(bridge);
        let answer = person.post("/sign-in", &[("name", name), ("password", PASSWORD)]).await;
        assert_eq!((answer.status, answer.location.as_deref()), (303, Some("/")), "{}", answer.text);
        person.get("/").await;
        person
    }

    pub async fn get(&mut self, path: &str) -> Answer {
        let asking = self.http.get(format!("{}{path}", self.url));
        self.send(asking).await
    }

    /// Sends a form as a page of the console would.
    pub async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let mut fields = fields.to_vec();
        let token = self.page_token.clone();
        fields.push(("page_token", &token));
        let asking = self.http.post(format!("{}{path}", self.url)).header("origin", &self.url).form(&fields);
        self.send(asking).await
    }

    pub async fn send(&mut self, asking: reqwest::RequestBuilder) -> Answer {
        let asking = match &self.cookie {
            Some(cookie) => asking.header(COOKIE, cookie),
            None => asking,
        };
        let answer = asking.send().await.unwrap();
        let header = |name| Some(answer.headers().get(name)?.to_str().unwrap().to_owned());
        let (location, set_cookie) = (header(LOCATION), header(SET_COOKIE));
        if let Some(cookie) = &set_cookie {
            self.cookie = Some(cookie.split(';').next().unwrap().to_owned());
        }
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let text = answer.text().await.unwrap();
        if let Some(token) = text.split("data-page-token=\"").nth(1) {
            self.page_token = token.split('"').next().unwrap().to_owned();
        }
        Answer { status, location, set_cookie, headers, text }
    }

    /// A request of a program that rests on this session.
    pub fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        self.http.request(method.parse().unwrap(), format!("{}{path}", self.url))
    }
}

/// The fields of a page's form that begins so, with their values as a browser would send them.
pub fn form(page: &str, begins: &str) -> Vec<(String, String)> {
    let inside = page.split(begins).nth(1).unwrap_or_else(|| panic!("no {begins}: {page}"));
    let inside = inside.split("</form>").next().unwrap();
    let attribute = |tag: &str, name: &str| {
        let rest = tag.split(&format!(" {name}=\"")).nth(1)?;
        Some(plain(rest.split('"').next()?))
    };
    let mut fields = Vec::new();
    for (at, _) in inside.match_indices('<') {
        let tag = &inside[at..at + inside[at..].find('>').unwrap()];
        let Some(name) = attribute(tag, "name") else { continue };
        let after = &inside[at + tag.len() + 1..];
        match tag[1..].split(' ').next().unwrap() {
            "input" if tag.contains("checkbox") && !tag.contains(" checked") => {}
            "input" => fields.push((name, attribute(tag, "value").unwrap_or_default())),
            "textarea" => fields.push((name, plain(after.split("</textarea>").next().unwrap()))),
            "select" => {
                let options = after.split("</select>").next().unwrap();
                let options: Vec<&str> = options.split("<option").skip(1).collect();
                let chosen = options.iter().find(|one| one.split('>').next().unwrap().contains(" selected"));
                let chosen = chosen.or(options.first()).unwrap();
                fields.push((name, attribute(chosen.split('>').next().unwrap(), "value").unwrap()));
            }
            _ => {}
        }
    }
    fields.retain(|(name, _)| name != "page_token" && name != "do");
    fields
}

/// Text without the marks of HTML.
pub fn plain(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&")
}
