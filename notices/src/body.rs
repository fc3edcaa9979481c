//! The body of a webhook: type, time and data, as the Standard Webhooks specification recommends.

use jiyun_messages::Language;
use serde::Serialize;

use crate::{Notice, words};

/// What is sent. The same notice gives the same bytes, however often it is sent.
#[derive(Clone, Debug, Serialize)]
pub struct Body {
    /// The event, such as `order.waiting`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// When it happened, RFC 3339 in UTC.
    pub timestamp: String,
    /// What is told.
    pub data: Data,
}

/// What is told.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Data {
    /// Kind of the object.
    pub kind: &'static str,
    /// The department it belongs to.
    pub department: String,
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// The level that has to decide.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level: Option<String>,
    /// Until when, RFC 3339 in UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deadline: Option<String>,
    /// Groups that are told.
    pub groups: Vec<String>,
    /// People that are told.
    pub users: Vec<String>,
    /// One line.
    pub subject: Spoken,
    /// What happened and what to do.
    pub text: Spoken,
    /// Where it is done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
}

/// The same in both languages.
#[derive(Clone, Debug, Serialize)]
pub struct Spoken {
    /// Chinese.
    pub zh: String,
    /// English.
    pub en: String,
}

impl Spoken {
    fn of(say: impl Fn(Language) -> String) -> Self {
        Self { zh: say(Language::Chinese), en: say(Language::English) }
    }
}

impl Body {
    /// The body of `notice`.
    pub fn of(notice: &Notice, link: Option<&str>) -> Self {
        let subject = &notice.subject;
        Self {
            kind: notice.event.word(),
            timestamp: notice.at.to_string(),
            data: Data {
                kind: subject.kind,
                department: subject.department.clone(),
                name: subject.name.clone(),
                uid: subject.uid.clone(),
                level: notice.level.clone(),
                deadline: notice.deadline.map(|deadline| deadline.to_string()),
                groups: notice.to.groups.iter().cloned().collect(),
                users: notice.to.users.iter().cloned().collect(),
                subject: Spoken::of(|language| words::subject(notice, language)),
                text: Spoken::of(|language| words::told(notice, link, language)),
                link: link.map(str::to_owned),
            },
        }
    }
}
