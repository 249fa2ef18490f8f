//! What a person does about the Marketplace app, and what a test looks at.

use serde_json::json;

use super::HighLevel;
use super::oauth::{Choice, OAuthCounts};
use super::state::object;

impl HighLevel {
    /// What the person does next at `chooselocation`.
    pub fn choose(&self, choice: Choice) {
        self.vendor.lock().oauth.choice = choice;
    }

    /// Whether the browser is sent back without its `state`.
    pub fn drop_state(&self, drops: bool) {
        self.vendor.lock().oauth.drops_state = drops;
    }

    /// Takes these client secrets of the app from now on, all of them.
    pub fn set_client_secrets(&self, secrets: &[&str]) {
        self.vendor.lock().oauth.set_client_secrets(secrets);
    }

    /// What was asked of OAuth so far.
    pub fn oauth_counts(&self) -> OAuthCounts {
        self.vendor.lock().oauth.counts
    }

    /// The agency's id.
    pub fn company(&self) -> String {
        self.vendor.lock().company.clone()
    }

    /// Takes the app off the location without telling anybody.
    pub fn uninstall_silently(&self) {
        self.vendor.lock().oauth.uninstall();
    }

    /// Takes the app off the location: its tokens end and `UNINSTALL` is sent.
    pub fn uninstall(&self) {
        self.vendor.by_hand(|session| {
            session.state.oauth.uninstall();
            let company = session.state.company.clone();
            session.webhook("UNINSTALL", object(json!({"companyId": company})));
        });
    }
}
