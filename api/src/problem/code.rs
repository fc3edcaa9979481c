//! The codes of the API's own answers, each with its HTTP status.

use http::StatusCode;

/// What went wrong in the API itself; decisions of the ledger bring their own codes. Every code has its sentence in the
/// catalogue of `jiyun-messages`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr, strum::EnumIter)]
pub enum Code {
    /// The body is not JSON.
    MalformedJson,
    /// The body is not declared as JSON.
    UnsupportedMediaType,
    /// The body is above the limit.
    PayloadTooLarge,
    /// No `Authorization: Bearer` header.
    MissingToken,
    /// More than one `Authorization` header.
    SeveralTokens,
    /// The API server does not accept the token.
    InvalidToken,
    /// Not there, or not for this caller to see.
    NotFound,
    /// Visible, but this is not allowed.
    Forbidden,
    /// A header says what cannot be.
    InvalidHeader,
    /// The key was used for another request.
    IdempotencyKeyReused,
    /// There is one of that name, and it is on its way out.
    BeingDeleted,
    /// It is protected from deletion.
    DeletionProtected,
    /// A host that is to be off has nothing to restart.
    HostIsStopped,
    /// Nothing would come of restarting the host as it stands.
    NothingToRestart,
    /// The system disk of a host that is to run cannot be restored.
    HostIsRunning,
    /// The machine of a host does not run, and has no console.
    HostNotRunning,
    /// A console is asked for by something else than a WebSocket.
    WebSocketNeeded,
    /// There are no consoles on this platform.
    ConsolesOff,
    /// The engine does not give the console now.
    ConsoleUnavailable,
    /// As many consoles of this caller are open as there may be.
    TooManyConsoles,
    /// As many consoles of all callers are open as there may be.
    ConsolesExhausted,
    /// A volume that is to be at a host cannot be restored.
    VolumeHasHost,
    /// Nothing would come of restoring the disk as it stands.
    NothingToRestore,
    /// A field of the body says what cannot be.
    InvalidField,
    /// A field names an object that does not exist.
    UnknownReference,
    /// A rule of the platform refuses the whole object.
    RefusedByRule,
    /// The name is taken.
    AlreadyExists,
    /// Somebody else changed it meanwhile.
    Conflict,
    /// It is no longer of the version the caller means.
    Stale,
    /// An order that cannot be decided about or withdrawn any more, or not yet.
    OrderNotOpen,
    /// The order asks for something else than the caller has looked at.
    OrderChanged,
    /// The caller has decided otherwise.
    AlreadyDecided,
    /// The caller may not decide about the order.
    MayNotApprove,
    /// Not a month, or one that lies ahead.
    InvalidMonth,
    /// A parameter of the address says what cannot be.
    InvalidParameter,
    /// There are too many to be sorted or looked through.
    ListTooLong,
    /// The place in a list is no longer kept.
    ContinueExpired,
    /// One request too many of this caller.
    TooManyRequests,
    /// The ledger cannot be read now.
    LedgerUnavailable,
    /// The audit trail cannot be written now, so nothing is changed.
    AuditUnwritable,
    /// The audit trail cannot be read here, or none is kept.
    AuditUnreadable,
    /// The API server cannot be reached now.
    KubernetesUnavailable,
    /// It took too long.
    Timeout,
    /// It took too long, and may have happened.
    OutcomeUnknown,
    /// The address knows other methods.
    MethodNotAllowed,
    /// A fault of ours.
    Internal,
}

impl Code {
    /// The HTTP status it is answered with.
    pub const fn status(self) -> StatusCode {
        match self {
            Self::MalformedJson
            | Self::SeveralTokens
            | Self::InvalidMonth
            | Self::InvalidParameter
            | Self::InvalidHeader => StatusCode::BAD_REQUEST,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::PayloadTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::MissingToken | Self::InvalidToken => StatusCode::UNAUTHORIZED,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Forbidden | Self::MayNotApprove => StatusCode::FORBIDDEN,
            Self::InvalidField
            | Self::UnknownReference
            | Self::RefusedByRule
            | Self::IdempotencyKeyReused
            | Self::ListTooLong => StatusCode::UNPROCESSABLE_ENTITY,
            Self::AlreadyExists
            | Self::Conflict
            | Self::BeingDeleted
            | Self::DeletionProtected
            | Self::HostIsStopped
            | Self::HostNotRunning
            | Self::NothingToRestart
            | Self::HostIsRunning
            | Self::VolumeHasHost
            | Self::NothingToRestore
            | Self::OrderNotOpen
            | Self::OrderChanged
            | Self::AlreadyDecided => StatusCode::CONFLICT,
            Self::Stale => StatusCode::PRECONDITION_FAILED,
            Self::ContinueExpired => StatusCode::GONE,
            Self::WebSocketNeeded => StatusCode::UPGRADE_REQUIRED,
            Self::TooManyRequests | Self::TooManyConsoles => StatusCode::TOO_MANY_REQUESTS,
            Self::ConsolesOff => StatusCode::NOT_IMPLEMENTED,
            Self::LedgerUnavailable
            | Self::AuditUnwritable
            | Self::AuditUnreadable
            | Self::ConsoleUnavailable
            | Self::ConsolesExhausted
            | Self::KubernetesUnavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Timeout | Self::OutcomeUnknown => StatusCode::GATEWAY_TIMEOUT,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

/// `ExceedsLimit` as `exceeds-limit`, for the identifier of the problem's type.
pub fn kebab(code: &str) -> String {
    let mut kebab = String::with_capacity(code.len() + 4);
    for (index, letter) in code.chars().enumerate() {
        if letter.is_ascii_uppercase() && index > 0 {
            kebab.push('-');
        }
        kebab.push(letter.to_ascii_lowercase());
    }
    kebab
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use strum::IntoEnumIterator;

    use super::*;

    #[test]
    fn every_code_has_a_sentence_in_the_catalogue() {
        let known: BTreeSet<_> = jiyun_messages::codes().collect();
        for code in Code::iter() {
            let name = <&'static str>::from(code);
            assert!(known.contains(name), "{name} is missing in messages/catalogue.yaml");
        }
    }

    #[test]
    fn a_code_becomes_the_last_part_of_a_type() {
        assert_eq!(kebab("ExceedsLimit"), "exceeds-limit");
        assert_eq!(kebab("Forbidden"), "forbidden");
    }
}
