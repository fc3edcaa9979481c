//! An audit event of the API server (`audit.k8s.io/v1`), as far as it is recorded.
//!
//! What a client sent lies in it as it came. The API server reads JSON that `serde_json` does not: half a pair of surrogates
//! (`"\ud800"`), and nesting deeper than 128. So what was sent stays text until it is needed.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::value::RawValue;

/// A batch. Its events are read one by one, so that one that cannot be read does not hold up the others.
#[derive(Debug, Deserialize)]
pub struct EventList {
    /// The events.
    #[serde(default)]
    pub items: Vec<Box<RawValue>>,
}

/// One event.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// The request's identifier; a client may choose it.
    #[serde(rename = "auditID")]
    pub id: String,
    /// How far the request has come: `RequestReceived`, `ResponseComplete`, `Panic`.
    pub stage: String,
    /// The address that was asked for.
    #[serde(rename = "requestURI", default)]
    pub uri: String,
    /// `create`, `update`, `patch`, `delete`, `deletecollection`, ...
    pub verb: String,
    /// Who asks.
    #[serde(default)]
    pub user: EventUser,
    /// In whose name, where that is another.
    #[serde(default)]
    pub impersonated_user: Option<EventUser>,
    /// Addresses on the way here. All but the last can be made up by the client.
    #[serde(rename = "sourceIPs", default)]
    pub addresses: Vec<String>,
    /// What is asked about.
    #[serde(default)]
    pub object_ref: Option<EventObject>,
    /// What was answered.
    #[serde(default)]
    pub response_status: Option<EventStatus>,
    /// What was sent, from level `Request` on; of a patch, the patch.
    #[serde(default)]
    pub request_object: Option<Box<RawValue>>,
    /// What was answered, at level `RequestResponse`.
    #[serde(default)]
    pub response_object: Option<Box<RawValue>>,
    /// When it came to this stage.
    pub stage_timestamp: Timestamp,
    /// What plugins noted; among it whether the request was allowed.
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
}

impl Event {
    /// What can be read of an event that cannot be read whole: each field by itself. The moment is `now` where it has none.
    pub fn in_part(text: &RawValue, now: Timestamp) -> Self {
        let fields: BTreeMap<String, Box<RawValue>> = serde_json::from_str(text.get()).unwrap_or_default();
        Self {
            id: field(&fields, "auditID"),
            stage: field(&fields, "stage"),
            uri: field(&fields, "requestURI"),
            verb: field(&fields, "verb"),
            user: field(&fields, "user"),
            impersonated_user: field(&fields, "impersonatedUser"),
            addresses: field(&fields, "sourceIPs"),
            object_ref: field(&fields, "objectRef"),
            response_status: field(&fields, "responseStatus"),
            request_object: field(&fields, "requestObject"),
            response_object: field(&fields, "responseObject"),
            stage_timestamp: field::<Option<_>>(&fields, "stageTimestamp").unwrap_or(now),
            annotations: field(&fields, "annotations"),
        }
    }
}

fn field<T: Default + DeserializeOwned>(fields: &BTreeMap<String, Box<RawValue>>, name: &str) -> T {
    fields.get(name).and_then(|text| serde_json::from_str(text.get()).ok()).unwrap_or_default()
}

/// A user.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct EventUser {
    /// Name; empty where nobody was known.
    #[serde(default)]
    pub username: String,
    /// Groups.
    #[serde(default)]
    pub groups: Vec<String>,
}

/// An object.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EventObject {
    /// The plural of its kind.
    #[serde(default)]
    pub resource: String,
    /// Its namespace.
    #[serde(default)]
    pub namespace: Option<String>,
    /// Its name; none where the server is to choose it, or all are meant.
    #[serde(default)]
    pub name: Option<String>,
    /// Its UID, where the request named it.
    #[serde(default)]
    pub uid: Option<String>,
    /// The group of its kind.
    #[serde(default)]
    pub api_group: String,
    /// The part of it that is meant, such as `status`.
    #[serde(default)]
    pub subresource: Option<String>,
}

/// An answer.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct EventStatus {
    /// The HTTP status.
    #[serde(default)]
    pub code: u16,
    /// The reason of a refusal, in one word.
    #[serde(default)]
    pub reason: Option<String>,
}
