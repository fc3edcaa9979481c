//! Who did it.

use serde::{Deserialize, Serialize};

use super::text::{bounded, bounded_option};

/// The most groups that are written down; more are counted by one last entry `+<n>`.
const MOST_GROUPS: usize = 32;

/// How somebody was known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, strum::Display)]
pub enum Authentication {
    /// A token, usually of an identity provider or a service account.
    Token,
    /// A client certificate.
    Certificate,
    /// A session after a sign-in in the browser.
    Session,
    /// A program of the platform acts by itself.
    Platform,
    /// Nobody was known.
    None,
    /// What a later release writes and this one does not know.
    #[serde(other)]
    Other,
}

/// Who did it, as the API server or the sign-in said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Actor {
    /// The user's name; empty when nobody was known.
    pub name: String,
    /// The user's groups, as the sign-in gave them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// Who the user acted for (代办), where that is another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_behalf_of: Option<String>,
    /// How the user was known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authentication: Option<Authentication>,
}

impl Actor {
    /// The user named `name`.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// A program of the platform that acts by itself, such as `jiyun-controller`.
    pub fn platform(program: impl Into<String>) -> Self {
        Self { authentication: Some(Authentication::Platform), ..Self::new(program) }
    }

    /// Cuts every text to its bound.
    pub(crate) fn bound(&mut self) {
        bounded(&mut self.name);
        bounded_option(&mut self.on_behalf_of);
        if self.groups.len() > MOST_GROUPS {
            let more = self.groups.len() - (MOST_GROUPS - 1);
            self.groups.truncate(MOST_GROUPS - 1);
            self.groups.push(format!("+{more}"));
        }
        self.groups.iter_mut().for_each(bounded);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_groups_are_counted_instead_of_written() {
        let mut actor = Actor { groups: (0..40).map(|n| format!("g{n}")).collect(), ..Actor::new("wang") };
        actor.bound();
        assert_eq!(actor.groups.len(), 32);
        assert_eq!(actor.groups.last().unwrap(), "+9");
    }
}
