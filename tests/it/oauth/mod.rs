//! Firms that are connected in the browser: the way there, keeping it alive, and its end. The browser is scripted: it
//! follows a redirect only when told to, and keeps its cookie.

pub mod account;
mod flow;
mod installs;
mod planted;
mod rehearsal;
mod rotation;
mod scopes;
mod tokens;

use std::path::Path;

use casebridge::bridge::Bridge;
use casebridge::store::{Credential, Holder};
use casebridge::vendors::Surface;
use reqwest::Url;
use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};

use crate::support::TestBridge;

/// The address the outside knows; the scripted browser reaches it where the bridge listens.
pub const PUBLIC: &str = "https://bridge.example.com";
/// The scopes that the sync uses.
pub const ALL: &str = r#"["contacts.readonly", "contacts.write", "locations.readonly", "locations/customFields.readonly",
    "locations/tasks.readonly", "opportunities.readonly", "opportunities.write", "users.readonly",
    "calendars/events.readonly", "businesses.readonly", "businesses.write"]"#;
/// Those with which an agency can be connected.
pub const AGENCY: &str =
    r#"["contacts.readonly", "contacts.write", "locations.readonly", "oauth.readonly", "oauth.write"]"#;

/// The usual configuration with OAuth in place of the token.
pub fn by_browser(text: &str, directory: &Path, scopes: &str, client_id: &str) -> String {
    let secret = directory.join("client-secret");
    std::fs::write(&secret, "twin-secret").unwrap();
    let highlevel = text.split("base_url = \"").nth(1).unwrap().split('"').next().unwrap();
    let app = format!(
        "[highlevel]\nclient_id = {client_id:?}\nclient_secret = {{ file = {:?} }}\nscopes = {scopes}\n\
         authorize_url = \"{highlevel}/v2/oauth/chooselocation\"\n",
        secret.display().to_string()
    );
    let token = text.lines().find(|line| line.starts_with("token = ")).unwrap();
    let text = text.replace("[highlevel]\n", &app).replace(token, "oauth = true");
    format!("[server]\npublic_url = \"{PUBLIC}\"\n{text}")
}

/// A bridge whose firm is to be connected in the browser, with these scopes.
pub async fn bridge_with(scopes: &str) -> TestBridge {
    TestBridge::edited(|text, directory| by_browser(&text, directory, scopes, "twinapp0000000000000000a-x"))
        .await
}

/// The same, connected.
pub async fn connected(scopes: &str) -> TestBridge {
    let bridge = bridge_with(scopes).await;
    let (status, page) = Browser::of(&bridge).connect(&bridge).await;
    assert_eq!(status, 200, "{page}");
    bridge.settle().await;
    bridge
}

/// A link as `casebridge firms connect acme` prints it.
pub async fn link(bridge: &Bridge) -> String {
    let connections = bridge.connections();
    let firm = bridge.firms.iter().next().unwrap().id.clone();
    connections.make_link(Surface::HighLevel, &firm).await.unwrap().0
}

/// The firm's authorisation.
pub async fn credential(bridge: &TestBridge) -> Option<Credential> {
    let holder = Holder::Location(bridge.highlevel.location().to_owned());
    bridge.installation.store.credential(&holder).await.unwrap()
}

/// What a person uses.
#[derive(Clone)]
pub struct Browser {
    http: reqwest::Client,
    bridge: String,
    pub cookie: Option<String>,
}

/// An answer: its status, where it leads, what it shows.
pub struct Answer {
    pub status: u16,
    pub location: Option<Url>,
    pub set_cookie: Option<String>,
    pub policy: Option<String>,
    pub text: String,
}

impl Browser {
    pub fn of(bridge: &TestBridge) -> Self {
        Self::at(&bridge.installation.url)
    }

    /// One that reaches the bridge there.
    pub fn at(url: &str) -> Self {
        let policy = reqwest::redirect::Policy::none();
        let http = reqwest::Client::builder().no_proxy().redirect(policy).build().unwrap();
        Self { http, bridge: url.to_owned(), cookie: None }
    }

    /// Opens an address, without following where it leads.
    pub async fn open(&mut self, url: &str) -> Answer {
        let is_ours = url.starts_with(PUBLIC);
        let mut asking = self.http.get(url.replace(PUBLIC, &self.bridge));
        if let Some(cookie) = self.cookie.as_ref().filter(|_| is_ours) {
            asking = asking.header(COOKIE, format!("other=1; {cookie}"));
        }
        let answer = asking.send().await.unwrap();
        let header = |name| Some(answer.headers().get(name)?.to_str().unwrap().to_owned());
        let set_cookie: Option<String> = header(SET_COOKIE.as_str());
        if let Some(cookie) = &set_cookie {
            self.cookie = Some(cookie.split(';').next().unwrap().to_owned());
        }
        Answer {
            status: answer.status().as_u16(),
            location: header(LOCATION.as_str()).map(|url| Url::parse(&url).unwrap()),
            set_cookie,
            policy: header("content-security-policy"),
            text: answer.text().await.unwrap(),
        }
    }

    /// From the link to the address HighLevel sends the browser back to.
    pub async fn leave(&mut self, link: &str) -> Url {
        let start = self.open(link).await;
        assert_eq!(start.status, 303, "{}", start.text);
        let chosen = self.open(start.location.unwrap().as_str()).await;
        assert_eq!(chosen.status, 302, "{}", chosen.text);
        chosen.location.unwrap()
    }

    /// All the way; the last page and its status.
    pub async fn connect(&mut self, bridge: &TestBridge) -> (u16, String) {
        let link = link(&bridge.installation.bridge).await;
        let back = self.leave(&link).await;
        let page = self.open(back.as_str()).await;
        (page.status, page.text)
    }
}
