//! What was done. The words are part of the file format: none is renamed, new ones are added.

use serde::{Deserialize, Serialize};

/// What was done, or tried.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    strum::Display,
    strum::EnumString,
    strum::EnumIter,
    strum::IntoStaticStr,
)]
pub enum Action {
    /// An object was made.
    Create,
    /// An object was changed.
    Change,
    /// An object was deleted.
    Delete,
    /// Somebody agreed to an order (审批同意).
    Approve,
    /// Somebody, or the ledger, decided against (驳回).
    Refuse,
    /// The ledger granted a claim.
    Grant,
    /// What a claim held came back.
    Release,
    /// A claim went to another department.
    HandOver,
    /// A machine was deleted.
    MachineDeleted,
    /// A machine was restarted.
    MachineRestarted,
    /// A machine was started.
    MachineStarted,
    /// A machine was stopped.
    MachineStopped,
    /// A console of a machine was opened.
    ConsoleOpened,
    /// A console of a machine was closed.
    ConsoleClosed,
    /// A quota or floor was changed.
    QuotaChanged,
    /// A price was changed.
    PriceChanged,
    /// A rule was changed: who approves, which zones, what a pool gives back.
    PolicyChanged,
    /// A role was given or taken.
    AccessChanged,
    /// Data left the platform: a statement, a list, this trail.
    Exported,
    /// Somebody signed in.
    SignedIn,
    /// Somebody could not sign in.
    SignInFailed,
    /// The ledger was put into quarantine (停摆核对).
    Quarantined,
    /// An operator lifted the quarantine.
    QuarantineLifted,
    /// Records that were acknowledged are not there any more; written by the trail itself.
    TrailGap,
    /// Segments older than the retention were deleted; written by the trail itself.
    TrailPruned,
    /// What a later release writes and this one does not know. Never written.
    #[serde(other)]
    Other,
}

#[cfg(test)]
mod tests {
    use strum::IntoEnumIterator;

    use super::*;

    #[test]
    fn an_action_is_written_as_its_name_and_an_unknown_one_can_be_read() {
        for action in Action::iter() {
            let text = serde_json::to_string(&action).unwrap();
            assert_eq!(text, format!("\"{action}\""));
            assert_eq!(serde_json::from_str::<Action>(&text).unwrap(), action);
            assert_eq!(action.to_string().parse::<Action>().unwrap(), action);
        }
        assert_eq!(serde_json::from_str::<Action>("\"Teleported\"").unwrap(), Action::Other);
    }
}
