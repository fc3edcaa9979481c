//! An audit event of the API server (`audit.k8s.io/v1`), as far as it is recorded.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

/// A batch. Its events are read one by one, so that one that cannot be read does not hold up the others.
#[derive(Debug, Deserialize)]
pub struct EventList {
    /// The events.
    #[serde(default)]
    pub items: Vec<Value>,
}

/// One event.
#[derive(Clone, Debug, Deserialize)]
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
    pub request_object: Option<Value>,
    /// What was answered, at level `RequestResponse`.
    #[serde(default)]
    pub response_object: Option<Value>,
    /// When the request arrived.
    pub request_received_timestamp: Timestamp,
    /// When it came to this stage.
    pub stage_timestamp: Timestamp,
    /// What plugins noted; among it whether the request was allowed.
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
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
