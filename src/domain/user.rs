//! The people who work in the two systems. One person has an account in each, most often under the same e-mail.

use std::collections::BTreeMap;

use super::System;

/// A user of one system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The vendor's id.
    pub id: String,
    /// The name shown.
    pub name: String,
    /// The e-mail address, in lower case.
    pub email: String,
}

/// The users of both systems; empty where nobody asked for them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Users {
    /// HighLevel's.
    pub highlevel: Vec<User>,
    /// CASEpeer's.
    pub casepeer: Vec<User>,
}

impl Users {
    /// One system's users.
    pub fn of(&self, system: System) -> &[User] {
        match system {
            System::HighLevel => &self.highlevel,
            System::CasePeer => &self.casepeer,
        }
    }

    /// The user with this id.
    pub fn find(&self, system: System, id: &str) -> Option<&User> {
        self.of(system).iter().find(|user| user.id == id)
    }

    /// The user with this e-mail.
    pub fn by_email(&self, system: System, email: &str) -> Option<&User> {
        self.of(system).iter().find(|user| user.email.eq_ignore_ascii_case(email))
    }

    /// The same person's account in the other system. `emails` says for whom it is under another e-mail: CASEpeer's to
    /// HighLevel's.
    pub fn counterpart(&self, system: System, id: &str, emails: &BTreeMap<String, String>) -> Option<&User> {
        let user = self.find(system, id)?;
        let other = emails.iter().find_map(|(casepeer, highlevel)| match system {
            System::CasePeer => casepeer.eq_ignore_ascii_case(&user.email).then_some(highlevel),
            System::HighLevel => highlevel.eq_ignore_ascii_case(&user.email).then_some(casepeer),
        });
        self.by_email(system.opposite(), other.unwrap_or(&user.email))
    }
}
