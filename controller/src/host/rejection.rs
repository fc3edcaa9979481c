//! Why a request cannot even be put to the ledger: a reason for the condition, a code and parameters for the sentence.

use jiyun_crds::v1alpha1::{Reason, misfit::Misfit};
use jiyun_messages::{Parameters, parameters};

/// A request that is not valid as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// Reason of condition `Accepted`.
    pub reason: Reason,
    /// Code in the catalogue of messages.
    pub code: &'static str,
    /// What the sentence is about; `field` names the field to mend.
    pub parameters: Parameters,
}

impl Rejection {
    /// A reference to something that does not exist (yet).
    pub fn unknown_reference(field: &str, kind: &str, name: &str) -> Self {
        let parameters = parameters([("field", field), ("kind", kind), ("name", name)]);
        Self { reason: Reason::UnknownReference, code: "UnknownReference", parameters }
    }

    /// A contradiction between fields, or with the catalogue.
    pub fn misconfigured(code: &'static str, parameters: Parameters) -> Self {
        Self { reason: Reason::Misconfigured, code, parameters }
    }

    /// Two things that do not go together.
    pub fn misfit(Misfit { field, code, parameters: about }: Misfit) -> Self {
        Self::misconfigured(code, parameters(about.into_iter().chain([("field", field.to_owned())])))
    }

    /// A zone the department may not use.
    pub fn zone_not_allowed(field: &str, department: &str, zone: &str) -> Self {
        let parameters = parameters([("field", field), ("department", department), ("zone", zone)]);
        Self { reason: Reason::ZoneNotAllowed, code: "ZoneNotAllowed", parameters }
    }
}
