//! A way out: what of a notice goes there, in how many letters, and how one is sent.

use jiyun_notices::{Event, Notice};
use lettre::Address;

use super::{mail::Mail, webhook::Webhook};

/// A way out.
pub enum Channel {
    /// HTTP requests to one receiver.
    Webhook(Webhook),
    /// Mail through one relay.
    Mail(Box<Mail>),
}

/// Where one letter goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum To {
    /// The receiver of the webhook.
    Receiver,
    /// One mailbox. Each has a letter of its own: an address that is wrong keeps nobody else from being told.
    Mailbox(Address),
}

/// Why a letter did not arrive.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// It may arrive another time.
    #[error("{0}")]
    Later(String),
    /// The receiver does not want it, now or ever.
    #[error("it is refused for good: {0}")]
    Never(String),
}

impl Channel {
    /// The name of the one channel that is no webhook.
    pub const MAIL: &'static str = "mail";

    /// Its name in figures, logs and marks.
    pub fn name(&self) -> &str {
        match self {
            Self::Webhook(webhook) => &webhook.name,
            Self::Mail(_) => Self::MAIL,
        }
    }

    /// How many letters are under way at once, at most.
    pub const fn at_once(&self) -> usize {
        match self {
            Self::Webhook(_) => 4,
            // Relays bound connections by sender.
            Self::Mail(_) => 2,
        }
    }

    /// The letters of `notice`: the last part of the key of each, and where it goes.
    pub fn letters(&self, notice: &Notice) -> Vec<(String, To)> {
        match self {
            Self::Webhook(webhook) if is_told(webhook.events.as_ref(), notice.event) => {
                vec![(webhook.name.clone(), To::Receiver)]
            }
            Self::Mail(mail) if is_told(mail.events.as_ref(), notice.event) => {
                mail.mailboxes(notice).map(|(key, address)| (key, To::Mailbox(address))).collect()
            }
            Self::Webhook(_) | Self::Mail(_) => Vec::new(),
        }
    }

    /// Sends one letter; returns once the receiver has said that it has it.
    ///
    /// # Errors
    /// When it has not, or it is not known: it is then sent again, under the same name.
    pub async fn send(&self, notice: &Notice, to: &To, link: Option<&str>) -> Result<(), SendError> {
        match (self, to) {
            (Self::Webhook(webhook), _) => webhook.send(notice, link).await,
            (Self::Mail(mail), To::Mailbox(address)) => mail.send(notice, address, link).await,
            (Self::Mail(_), To::Receiver) => Err(SendError::Never("a mail has no mailbox".to_owned())),
        }
    }
}

fn is_told(events: Option<&std::collections::BTreeSet<Event>>, event: Event) -> bool {
    events.is_none_or(|events| events.contains(&event))
}
