//! Who is told: a receiver of webhooks and a mail relay, each on a socket of its own, that keep what arrives and fail as a
//! test wishes.

mod hook;
mod letter;
mod relay;

pub use hook::{Answer, Delivery, Hook, verify};
pub use letter::Letter;
pub use relay::Relay;
