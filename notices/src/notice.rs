//! One notice: what happened, to which object, and who has to know.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiyun_crds::names::department_of_namespace;
use jiyun_messages::Parameters;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

/// What somebody is told. A further noun is further events here and a function beside [`crate::of_order`] and
/// [`crate::of_host`].
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    strum::Display,
    strum::IntoStaticStr,
    strum::EnumIter,
    strum::EnumString,
)]
pub enum Event {
    /// An order has come to a level: its groups have to decide.
    #[strum(serialize = "order.waiting")]
    OrderWaiting,
    /// It still waits, and the policy has the level reminded.
    #[strum(serialize = "order.reminder")]
    OrderReminder,
    /// The level's time is over: others may decide as well.
    #[strum(serialize = "order.escalated")]
    OrderEscalated,
    /// Everybody agreed: whoever asked may know.
    #[strum(serialize = "order.approved")]
    OrderApproved,
    /// It is not granted: somebody said no, or there is no room.
    #[strum(serialize = "order.refused")]
    OrderRefused,
    /// It is not granted: nobody decided in time.
    #[strum(serialize = "order.expired")]
    OrderExpired,
    /// The lease of a host ends soon.
    #[strum(serialize = "lease.ending")]
    LeaseEnding,
    /// It has ended, and the host is off.
    #[strum(serialize = "lease.ended")]
    LeaseEnded,
    /// The machine was taken down, and its disk is kept.
    #[strum(serialize = "lease.archived")]
    LeaseArchived,
    /// The disk goes soon, and the host with it.
    #[strum(serialize = "lease.releasing")]
    LeaseReleasing,
}

impl Event {
    /// The word for programs, such as `order.waiting`.
    pub fn word(self) -> &'static str {
        self.into()
    }

    /// The code of its sentences in the catalogue; that of its subject has `Subject` behind it.
    pub const fn code(self) -> &'static str {
        match self {
            Self::OrderWaiting => "NoticeOrderWaiting",
            Self::OrderReminder => "NoticeOrderReminder",
            Self::OrderEscalated => "NoticeOrderEscalated",
            Self::OrderApproved => "NoticeOrderApproved",
            Self::OrderRefused => "NoticeOrderRefused",
            Self::OrderExpired => "NoticeOrderExpired",
            Self::LeaseEnding => "NoticeLeaseEnding",
            Self::LeaseEnded => "NoticeLeaseEnded",
            Self::LeaseArchived => "NoticeLeaseArchived",
            Self::LeaseReleasing => "NoticeLeaseReleasing",
        }
    }

    /// The code of the line with the facts of its object.
    pub const fn facts_code(self) -> &'static str {
        match self {
            Self::LeaseEnding | Self::LeaseEnded | Self::LeaseArchived | Self::LeaseReleasing => "NoticeHostFacts",
            Self::OrderWaiting
            | Self::OrderReminder
            | Self::OrderEscalated
            | Self::OrderApproved
            | Self::OrderRefused
            | Self::OrderExpired => "NoticeFacts",
        }
    }
}

/// The object a notice is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// Its kind.
    pub kind: &'static str,
    /// The department it belongs to.
    pub department: String,
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
}

impl Subject {
    /// The object of this kind that `meta` is of; none where it is in no department, or has not been created yet.
    pub(crate) fn of(kind: &'static str, meta: &ObjectMeta) -> Option<Self> {
        let department = department_of_namespace(meta.namespace.as_deref()?)?.to_owned();
        Some(Self { kind, department, name: meta.name.clone()?, uid: meta.uid.clone()? })
    }
}

/// Who is told. Where they are reached is not known here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recipients {
    /// Groups whose members may act.
    pub groups: BTreeSet<String>,
    /// People by the name the API server knows them by.
    pub users: BTreeSet<String>,
}

/// Somebody has to be told something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The same for the same matter, whoever computes it and whenever: `<uid>-<level>-waiting`, `<uid>-approved`,
    /// `<uid>-lease-<end>-ended`. Letters, digits and hyphens alone, at most 110 characters.
    pub id: String,
    /// What happened.
    pub event: Event,
    /// When.
    pub at: Timestamp,
    /// What it is about.
    pub subject: Subject,
    /// The level that has to decide; of events that wait for one.
    pub level: Option<String>,
    /// Until when they have to act.
    pub deadline: Option<Timestamp>,
    /// Who is told.
    pub to: Recipients,
    /// What its sentences say.
    pub facts: Parameters,
    /// Why it is not granted, or what comes after it: code and parameters of a sentence of its own.
    pub reason: Option<(String, Parameters)>,
}

impl Notice {
    /// Its name within its object: the key under which is kept who was told it.
    pub fn matter(&self) -> &str {
        self.id.strip_prefix(self.subject.uid.as_str()).map_or(self.id.as_str(), |rest| rest.trim_start_matches('-'))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use strum::IntoEnumIterator;

    use super::*;

    #[test]
    fn every_event_has_a_word_of_its_own_and_its_sentences_in_the_catalogue() {
        let known: BTreeSet<_> = jiyun_messages::codes().collect();
        let mut words = BTreeSet::new();
        for event in Event::iter() {
            assert!(words.insert(event.word()), "{event:?}");
            assert_eq!(event.word().parse(), Ok(event));
            assert!(known.contains(event.code()), "{event:?}");
            assert!(known.contains(format!("{}Subject", event.code()).as_str()), "{event:?}");
            assert!(known.contains(event.facts_code()), "{event:?}");
        }
    }
}
