//! A new firm as a person describes it, and the lines of configuration that come of it.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Html;
use maud::{Markup, html};

use crate::config::check_url;
use crate::console::Console;
use crate::console::failure::Failed;
use crate::console::form::{Fields, Posted};
use crate::console::page::{page, token};
use crate::console::session::Visitor;
use crate::operations::casepeer::{Profile, Transport};

/// The fields, in the order of the form.
const FIELDS: [&str; 8] = ["id", "name", "location", "by", "profile", "base-url", "auth", "folder"];

/// How CASEpeer's account is proven: the word of the form, in words, and what stands in the configuration.
const AUTHS: [(&str, &str); 3] = [
    ("bearer", "A token that CASEpeer gave you"),
    ("browser", "A person connects the account in the browser (OAuth)"),
    ("none", "Nothing: everything goes through Zapier"),
];

/// How HighLevel is connected: the word of the form, and in words.
const WAYS: [(&str, &str); 3] = [
    ("browser", "by a person in the browser, through your Marketplace app; renewed by itself"),
    (
        "paste",
        "by a private integration token that you paste here in the next step; kept sealed in the database",
    ),
    ("token", "by a private integration token in a file on the server"),
];

/// A firm that is being described.
pub(super) struct Draft {
    id: String,
    name: String,
    location: String,
    /// How HighLevel is connected: a word of [`WAYS`].
    by: String,
    profile: String,
    base_url: String,
    auth: String,
    folder: String,
    /// What begins the names of its secrets' files.
    prefix: String,
}

/// A secret's file, and where its content comes from.
struct SecretFile {
    key: &'static str,
    path: String,
    how: How,
}

enum How {
    /// `casebridge secrets new` makes it.
    Made(&'static str),
    /// Somebody else gives it.
    Given(&'static str),
}

impl Draft {
    /// What the form begins with.
    pub(super) fn start(console: &Console) -> Self {
        let sandbox = console.sandbox.as_ref().map(|(sandbox, _)| sandbox);
        Self {
            id: String::new(),
            name: String::new(),
            location: sandbox.map(|sandbox| sandbox.location.clone()).unwrap_or_default(),
            by: if console.bridge.connections().has_app() { "browser" } else { "token" }.into(),
            profile: "contract-v1".into(),
            base_url: sandbox.map(|sandbox| sandbox.casepeer_url.clone()).unwrap_or_default(),
            auth: "bearer".into(),
            folder: sandbox.map_or_else(|| "/etc/casebridge/secrets".into(), |one| one.secrets.clone()),
            prefix: String::new(),
        }
    }

    /// What somebody typed.
    pub(super) fn of(console: &Console, fields: &Fields) -> Self {
        let text = |name| fields.text(name).to_owned();
        // The demo's secrets lie ready.
        let prefix = if console.sandbox.is_some() { String::new() } else { format!("{}-", text("id")) };
        Self {
            id: text("id"),
            name: text("name"),
            location: text("location"),
            by: text("by"),
            profile: text("profile"),
            base_url: text("base-url"),
            auth: text("auth"),
            folder: text("folder").trim_end_matches('/').to_owned(),
            prefix,
        }
    }

    /// What is wrong with a field. The whole file is checked again when it is taken over.
    fn wrong(&self, console: &Console, field: &str) -> Option<String> {
        let bridge = &console.bridge;
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        let profile = Profile::built_in(&self.profile);
        let why = match field {
            "id" if self.id.is_empty() => "Give it a short name, such as acme.",
            "id" if self.id.len() > 64 || !self.id.bytes().all(is_plain) => {
                "Letters, digits, hyphens and underscores only, at most 64."
            }
            "id" if bridge.firms.iter().any(|firm| firm.id.as_str() == self.id) => {
                "There is a firm of this name already."
            }
            "location" if self.location.is_empty() => {
                "It is the last part of the sub-account's address: …/location/THIS/dashboard."
            }
            "location" if bridge.firm_of(&self.location).is_some() => "Another firm has this location.",
            "by" if !WAYS.iter().any(|(word, _)| *word == self.by) => "Choose one.",
            "by" if self.by == "browser" && !bridge.connections().has_app() => {
                "This takes your Marketplace app: set client_id and client_secret under [highlevel], public_url under [server], and restart."
            }
            "base-url" if !self.base_url.is_empty() => return check_url(&self.base_url).err(),
            "base-url" if profile.as_ref().is_ok_and(needs_address) => {
                "This profile does not know the account's address: write it, such as https://api.example.com."
            }
            "auth" if self.auth == "browser" && bridge.public_url().is_none() => {
                "This takes public_url under [server]."
            }
            "auth" if !AUTHS.iter().any(|(word, _)| *word == self.auth) => "Choose one.",
            "profile" => return profile.err().map(|wrong| wrong.to_string()),
            "folder" if !self.folder.starts_with('/') => "A whole path, from /.",
            _ => return None,
        };
        Some(why.to_owned())
    }

    fn path(&self, name: &str) -> String {
        format!("{}/{}{name}", self.folder, self.prefix)
    }

    fn secrets(&self) -> Vec<SecretFile> {
        let file = |key, name, how| SecretFile { key, path: self.path(name), how };
        let mut files = vec![
            file("inbound_token", "inbound-token", How::Made("token")),
            file("webhook_secret", "webhook-secret", How::Made("webhook-secret")),
        ];
        if self.by == "token" {
            let how =
                "the private integration token: HighLevel, in this location, Settings > Private Integrations";
            files.push(file("highlevel_token", "highlevel-token", How::Given(how)));
        }
        match self.auth.as_str() {
            "bearer" => {
                files.push(file(
                    "casepeer_token",
                    "casepeer-token",
                    How::Given("the token of CASEpeer's API"),
                ));
            }
            "browser" => {
                let how = "the secret of the client that CASEpeer registered for you";
                files.push(file("casepeer_token", "casepeer-client-secret", How::Given(how)));
            }
            _ => {}
        }
        files
    }

    /// The lines for the configuration file.
    fn toml(&self) -> String {
        let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
        let secrets = self.secrets();
        let secret = |key: &str| {
            let path = secrets.iter().find(|file| file.key == key).map_or("", |file| &file.path);
            format!("{{ file = {} }}", quoted(path))
        };
        let mut text = format!("[[firms]]\nid = {}\n", quoted(&self.id));
        if !self.name.is_empty() {
            text.push_str(&format!("name = {}\n", quoted(&self.name)));
        }
        text.push_str(&format!("\n[firms.highlevel]\nlocation_id = {}\n", quoted(&self.location)));
        match self.by.as_str() {
            "browser" => text.push_str("oauth = true\n"),
            "token" => text.push_str(&format!("token = {}\n", secret("highlevel_token"))),
            // It is pasted once the firm is there.
            _ => {}
        }
        text.push_str(&format!("\n[firms.casepeer]\nprofile = {}\n", quoted(&self.profile)));
        if !self.base_url.is_empty() {
            text.push_str(&format!("base_url = {}\n", quoted(&self.base_url)));
        }
        text.push_str(&format!("inbound_token = {}\n", secret("inbound_token")));
        text.push_str(&format!("webhook_secrets = [{}]\n", secret("webhook_secret")));
        text.push_str(&match self.auth.as_str() {
            "bearer" => {
                format!("auth = {{ kind = \"bearer_static\", token = {} }}\n", secret("casepeer_token"))
            }
            "browser" => format!(
                "auth = {{ kind = \"oauth2_authorization_code\", client_id = \"YOUR-CLIENT-ID\", client_secret = {} }}\n",
                secret("casepeer_token")
            ),
            _ => "auth = { kind = \"none\" }\n".to_owned(),
        });
        if let Ok(profile) = Profile::built_in(&self.profile) {
            let hooks: Vec<_> = profile
                .operations()
                .filter(|(_, by)| *by == Transport::ZapierHook)
                .map(|(id, _)| id)
                .collect();
            if !hooks.is_empty() {
                text.push_str("\n# The address of each Zap's catch hook, in a file of its own.\n[firms.casepeer.hooks]\n");
            }
            for id in hooks {
                let file = self.path(&format!("hook-{}", id.replace('.', "-")));
                text.push_str(&format!("{} = {{ file = {} }}\n", quoted(id), quoted(&file)));
            }
        }
        text
    }

    /// The form, and what it comes to.
    pub(super) fn render(&self, console: &Console, visitor: &Visitor, is_first: bool) -> Markup {
        let wrong = |field: &str| if is_first { None } else { self.wrong(console, field) };
        let is_right = !is_first && FIELDS.iter().all(|field| self.wrong(console, field).is_none());
        let told = |field: &'static str| {
            html! { p.hint.wrong id={ "wrong-" (field) } { @if let Some(why) = wrong(field) { (why) } } }
        };
        let text = |field: &'static str, label: &str, value: &str, more: &str| {
            html! {
                label for=(field) { (label) }
                input id=(field) name=(field) value=(value) placeholder=(more) autocomplete="off" spellcheck="false"
                    aria-describedby={ "wrong-" (field) };
                (told(field))
            }
        };
        let choice = |name: &'static str, word: &str, is_chosen: bool, title: &str| {
            html! { label.choice { input type="radio" name=(name) value=(word) checked[is_chosen]; " " (title) } }
        };
        let others: Vec<String> = FIELDS.iter().map(|field| format!("#wrong-{field}")).collect();
        html! {
            form.card method="post" action="/firms/new" hx-post="/firms/new" hx-trigger="input delay:300ms, change, submit"
                hx-target="#draft" hx-select="#draft" hx-swap="outerHTML" hx-select-oob=(others.join(",")) {
                (token(visitor))
                h2 { "1. Who it is" }
                (text("id", "Short name", &self.id, "acme"))
                (text("name", "Full name", &self.name, "Acme Injury Law"))
                h2 { "2. Its side of HighLevel" }
                (text("location", "Location", &self.location, "ve9EPM428h8vShlRW1KT"))
                fieldset {
                    legend { "Connected" }
                    @for (word, title) in WAYS { (choice("by", word, self.by == word, title)) }
                }
                (told("by"))
                h2 { "3. Its side of CASEpeer" }
                label for="profile" { "How the account is reached" }
                select #profile name="profile" aria-describedby="wrong-profile" {
                    @for name in Profile::built_in_names().filter(|name| Profile::built_in(name).is_ok()) {
                        option value=(name) selected[self.profile == name] { (name) }
                    }
                }
                (told("profile"))
                (text("base-url", "Address of its API", &self.base_url, "https://api.example.com"))
                fieldset {
                    legend { "Proven by" }
                    @for (word, title) in AUTHS { (choice("auth", word, self.auth == word, title)) }
                }
                (told("auth"))
                h2 { "4. Its secrets" }
                (text("folder", "Folder on the server", &self.folder, "/etc/casebridge/secrets"))
                button.primary type="submit" { "Check it" }
            }
            section #draft aria-live="polite" {
                @if is_first { p.empty { "Fill in the form: what you write is checked as you type, and the lines for the configuration file appear here." } }
                @else if !is_right { p.empty { "Something is still missing above." } }
                @else { (self.lines(console)) }
            }
        }
    }

    /// What to do with it.
    fn lines(&self, console: &Console) -> Markup {
        let file = console.bridge.file().path.unwrap_or_else(|| "casebridge.toml".into());
        html! {
            div.card {
                h2 { "5. On the server" }
                @if console.sandbox.is_some() { p { "The sandbox's secrets lie in that folder already." } }
                @else {
                    p { "Put each secret into a file that only the service can read:" }
                    pre #commands { "install -d -m 700 " (self.folder) "\numask 077\n"
                        @for secret in self.secrets() { @match secret.how {
                            How::Made(kind) => { "casebridge secrets new " (kind) " > " (secret.path) "\n" }
                            How::Given(from) => { "cat > " (secret.path) "    # " (from) "\n" }
                        } } }
                    button.small type="button" data-copy="commands" { "Copy" }
                }
                p { "Firms stand in the configuration file, so that they can be reviewed and restored with it. Add these lines at the end of "
                    code.ids { (file) } ":" }
                pre #firm-lines { (self.toml()) }
                button.small type="button" data-copy="firm-lines" { "Copy" }
                p { "They are taken over within seconds, without a restart." }
                p { a.button.primary href={ "/firms/" (self.id) "/set-up" } { "I have added them" } }
            }
        }
    }
}

/// `/firms/new`
pub(in crate::console) async fn start(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
) -> Result<Html<String>, Failed> {
    visitor.must_govern()?;
    Ok(draft_page(&console, &visitor, &Draft::start(&console), true))
}

/// `POST /firms/new`: nothing is changed by it.
pub(in crate::console) async fn check(
    State(console): State<Arc<Console>>,
    Posted { visitor, fields }: Posted,
) -> Result<Html<String>, Failed> {
    visitor.must_govern()?;
    Ok(draft_page(&console, &visitor, &Draft::of(&console, &fields), false))
}

fn draft_page(console: &Console, visitor: &Visitor, draft: &Draft, is_first: bool) -> Html<String> {
    let body = html! {
        p.back { a href="/firms" { "All firms" } }
        h1 { "Add a firm" }
        p.lead { "From nothing to the first synced lead. "
            @if console.sandbox.is_some() { "Both vendors are simulated here, so nothing can be harmed: try it before the real one." } }
        (draft.render(console, visitor, is_first))
    };
    page(visitor, "/firms", "Add a firm", body)
}

/// Whether something goes by the account's API and the profile does not know where that is.
fn needs_address(profile: &Profile) -> bool {
    profile.base_url().is_empty() && profile.operations().any(|(_, by)| by == Transport::Rest)
}
