//! Who may do what: roles, the firms a person may see, and what is written down of what they did.

use std::collections::BTreeSet;

use super::FirmId;
use super::outcome::closed_list;

closed_list! {
    /// What a person may do; each role may do what those before it may.
    Role as "role" {
        /// See what happened; personal data stays hidden.
        Viewer = "viewer",
        /// Mend it: replay, discard, decide, pause, reveal with a reason.
        Operator = "operator",
        /// Change how it works: people, connections, mapping.
        Admin = "admin",
    }
}

closed_list! {
    /// What a person did, as the audit log names it.
    Deed as "deed" {
        /// The first administrator was made by the link that `serve` prints.
        SetUp = "set_up",
        /// Somebody signed in.
        SignedIn = "signed_in",
        /// Somebody could not sign in.
        SignInRefused = "sign_in_refused",
        /// Somebody signed out.
        SignedOut = "signed_out",
        /// A person was added.
        UserAdded = "user_added",
        /// A person's role or firms were changed.
        UserChanged = "user_changed",
        /// A person was removed.
        UserRemoved = "user_removed",
        /// A password was changed.
        PasswordChanged = "password_changed",
        /// What a webhook carried was shown.
        Revealed = "revealed",
        /// An event was put back to work.
        Replayed = "replayed",
        /// An event was settled as needing no effect.
        Discarded = "discarded",
        /// A question was answered.
        Resolved = "resolved",
        /// An answer was taken back.
        Undone = "undone",
        /// A firm was paused.
        Paused = "paused",
        /// A firm goes on.
        Resumed = "resumed",
        /// A link to connect a firm was made.
        LinkMade = "link_made",
        /// A private token was pasted, and is used from now on.
        TokenPasted = "token_pasted",
        /// The private token that was pasted is used no more.
        TokenForgotten = "token_forgotten",
        /// Two records were said to be one person's.
        Linked = "linked",
        /// Two people were made one.
        Merged = "merged",
        /// One person was made two.
        Split = "split",
        /// An operation of the catalog was called by hand.
        Called = "called",
        /// A token for a program was made.
        TokenMade = "token_made",
        /// A program's token was ended.
        TokenRevoked = "token_revoked",
        /// Everything that is kept about a person was handed out.
        Exported = "exported",
        /// A person was erased.
        Erased = "erased",
        /// Everything about a person is kept from now on.
        Held = "held",
        /// A person is no longer held.
        Released = "released",
        /// What is stored was sealed anew with another key.
        Resealed = "resealed",
        /// A firm's connection was tried.
        Tested = "tested",
        /// A rule was made or changed.
        RuleSaved = "rule_saved",
        /// A rule was switched on.
        RuleOn = "rule_on",
        /// A rule was switched off.
        RuleOff = "rule_off",
        /// A rule was removed.
        RuleRemoved = "rule_removed",
        /// A rule was tried on what came, which shows what webhooks carried.
        RuleTried = "rule_tried",
        /// What is synced for a firm was changed.
        MappingChanged = "mapping_changed",
        /// Both systems' records were gone through to bring them in step.
        Backfilled = "backfilled",
        /// What webhooks did not tell was looked for by hand.
        Swept = "swept",
    }
}

/// Which firms a person may see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// All, and what belongs to none.
    Everywhere,
    /// These.
    Firms(BTreeSet<FirmId>),
}

impl Reach {
    /// Whether this firm is among them.
    pub fn covers(&self, firm: &FirmId) -> bool {
        match self {
            Self::Everywhere => true,
            Self::Firms(firms) => firms.contains(firm),
        }
    }

    /// The firms to look at; none for all.
    pub fn firms(&self) -> Option<Vec<FirmId>> {
        match self {
            Self::Everywhere => None,
            Self::Firms(firms) => Some(firms.iter().cloned().collect()),
        }
    }
}

impl std::fmt::Display for Reach {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Everywhere => out.write_str("all firms"),
            Self::Firms(firms) => {
                let names: Vec<&str> = firms.iter().map(FirmId::as_str).collect();
                out.write_str(&names.join(", "))
            }
        }
    }
}

/// Somebody who asks for something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// What they are called in the audit log.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// Where.
    pub reach: Reach,
}

impl Actor {
    /// Whether they may do at this firm what takes this role.
    pub fn may(&self, needed: Role, firm: &FirmId) -> bool {
        self.role >= needed && self.reach.covers(firm)
    }

    /// Whether they may change who may do what: an administrator of all firms.
    pub fn governs(&self) -> bool {
        self.role == Role::Admin && self.reach == Reach::Everywhere
    }
}

/// The longest name to sign in with.
const LONGEST_NAME: usize = 64;
/// The shortest password, in characters: NIST SP 800-63B-4 asks for 15 where nothing else is asked for.
pub const SHORTEST_PASSWORD: usize = 15;
/// The longest, in bytes.
pub const LONGEST_PASSWORD: usize = 1024;

/// A name to sign in with: short letters, digits, dots, dashes. No `@`: it is shown in logs, so it is no e-mail address.
pub fn sign_in_name(text: &str) -> Result<String, String> {
    let name = text.trim().to_lowercase();
    let is_plain = |letter: char| {
        letter.is_ascii_lowercase() || letter.is_ascii_digit() || matches!(letter, '.' | '-' | '_')
    };
    let begins_well = name.chars().next().is_some_and(|first| first.is_ascii_alphanumeric());
    if begins_well && name.len() <= LONGEST_NAME && name.chars().all(is_plain) {
        return Ok(name);
    }
    Err(format!(
        "a name has letters a to z, digits, dots, dashes and underscores, at most {LONGEST_NAME}, such as maria.lopez"
    ))
}

/// Whether a password is one that may be chosen; what is wrong otherwise.
pub fn check_password(password: &str, name: &str) -> Result<(), String> {
    if password.chars().count() < SHORTEST_PASSWORD {
        return Err(format!("a password has at least {SHORTEST_PASSWORD} characters; a few words do well"));
    }
    if password.len() > LONGEST_PASSWORD {
        return Err(format!("a password has at most {LONGEST_PASSWORD} bytes"));
    }
    let lower = password.to_lowercase();
    let is_one_letter = lower.chars().all(|letter| lower.starts_with(letter));
    let is_poor = |poor: &&str| lower.replace(*poor, "").len() <= SHORTEST_PASSWORD / 2;
    if is_one_letter || (name.len() > 2 && is_poor(&name)) || POOR.iter().any(is_poor) {
        return Err("that password is easy to guess; a few words that do not belong together do well".into());
    }
    Ok(())
}

/// What guesses begin with.
const POOR: [&str; 8] =
    ["password", "1234567890", "123456789", "12345678", "qwertyuiop", "qwerty", "casebridge", "letmein"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_may_do_what_those_before_it_may() {
        assert!(Role::Admin > Role::Operator && Role::Operator > Role::Viewer);
        let acme = FirmId::new("acme");
        let reach = Reach::Firms([acme.clone()].into());
        let actor = Actor { name: "maria".into(), role: Role::Operator, reach };
        assert!(actor.may(Role::Viewer, &acme) && actor.may(Role::Operator, &acme));
        assert!(!actor.may(Role::Admin, &acme));
        assert!(
            !actor.may(Role::Viewer, &FirmId::new("other")) && !actor.may(Role::Viewer, &FirmId::new(""))
        );
        let admin = Actor { role: Role::Admin, ..actor.clone() };
        assert!(!admin.governs(), "an administrator of some firms adds nobody");
        assert!(Actor { reach: Reach::Everywhere, ..admin }.governs());
    }

    #[test]
    fn names_and_passwords_are_checked_as_they_are_chosen() {
        assert_eq!(sign_in_name(" Maria.Lopez "), Ok("maria.lopez".into()));
        for wrong in ["", "maria@example.com", "-x", "a b", &"a".repeat(65), "<script>"] {
            assert!(sign_in_name(wrong).is_err(), "{wrong}");
        }
        assert!(check_password("correct horse battery", "maria").is_ok());
        for wrong in ["short", "password1234567", "aaaaaaaaaaaaaaaaaa", "maria.lopez1234", &"é".repeat(600)]
        {
            assert!(check_password(wrong, "maria.lopez").is_err(), "{wrong}");
        }
    }
}
