//! An identity provider of the lab's own, for those who sign in with OIDC: its discovery document and its keys
//! are served over TLS on loopback, and the lab's API server is told of it by the configuration a city would write.

mod claims;
mod configuration;
mod issuer;
mod key;

pub use claims::{AUDIENCE, Claims};
pub(crate) use configuration::configuration;
pub use issuer::{Issuer, LookedUp, OidcError};
