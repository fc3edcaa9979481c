//! Records of the audit trail (操作留痕) as people get them.

use jiff::Timestamp;
use jiyun_trail::{
    core::{action::Action, content::Content, outcome::Outcome, record::Record},
    store::rows::Row,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use strum::IntoEnumIterator;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ObjectBuilder, RefOr, Schema, Type},
};

/// Parts of field names that tell where the platform keeps what: departments do not see pools.
const PLATFORM_ONLY: [&str; 2] = ["pool", "preference"];

/// A page of records, the oldest first.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!(super::example::audit_record_list()))]
pub struct AuditRecordList {
    /// The records. A page may hold fewer than asked for, even none, and not be the last.
    pub items: Vec<AuditRecord>,
    /// Where the next page starts; absent on the last. Records that are written later come behind it.
    #[serde(rename = "continue", skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// Lines that were passed over because they are damaged; above 0 the platform's operators must look.
    #[schema(example = 0)]
    pub damaged: u64,
}

/// Who did what, when, from where and with which result.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditRecord {
    /// The chain it stands in: who wrote it.
    #[schema(example = "jiyun-api-0")]
    pub writer: String,
    /// Its number there.
    #[schema(example = 4711)]
    pub sequence: u64,
    /// When, UTC.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// What was done, or tried.
    pub action: AuditAction,
    /// How it ended.
    pub result: AuditResult,
    /// Who did it.
    pub actor: AuditActor,
    /// The department whose affair it is; absent: the platform's own.
    #[schema(example = "finance")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub department: Option<String>,
    /// The role it was done in, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// The address it came from, as the program saw it.
    #[schema(example = "10.20.0.7")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The number of the request, as in its answer; records of one request have the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// What it was done to.
    pub object: AuditObject,
    /// The network zone (网络区域) it lies in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// The number of the order (工单号) it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order: Option<String>,
    /// What it was before: `value`, or where that is large the `digest` of it.
    #[schema(value_type = BTreeMap<String, Value>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// What it is after; of what was only begun, what was asked for.
    #[schema(value_type = BTreeMap<String, Value>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
    /// The hash of its line in the chain.
    #[schema(example = "7f426aec15f8d3734ae77f70224a58e9166a990cef6050b237541c99e904ea99")]
    pub hash: String,
}

/// How it ended.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditResult {
    /// `Begun`, `Succeeded`, `Refused` or `Failed`. What was begun is followed by how it ended, unless the program ended in
    /// between.
    #[schema(example = "Refused")]
    pub is: &'static str,
    /// The code of the refusal.
    #[schema(example = "ExceedsLimit")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// What went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Who did it, as the sign-in said.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditActor {
    /// The user's name; empty when nobody was known.
    #[schema(example = "oidc:zhang.san")]
    pub name: String,
    /// The user's groups.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// Who the user, or the platform, acted for (代办).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_behalf_of: Option<String>,
    /// How the user was known: `Token`, `Certificate`, `Session`, `Platform` (a program by itself), `None`.
    #[schema(example = "Token")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authentication: Option<String>,
}

/// What it was done to.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditObject {
    /// Its kind.
    #[schema(example = "CloudHost")]
    pub kind: String,
    /// Its namespace, where it has one.
    #[schema(example = "dept-finance")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Its name; empty where nobody got so far.
    #[schema(example = "web-1")]
    pub name: String,
    /// Its UID: a name can be used again, a UID cannot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
}

/// What was done, in one word.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(transparent)]
pub struct AuditAction(pub Action);

impl PartialSchema for AuditAction {
    fn schema() -> RefOr<Schema> {
        let words = Action::iter().map(<&'static str>::from);
        ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words)).into()
    }
}

impl ToSchema for AuditAction {}

impl<'de> Deserialize<'de> for AuditAction {
    /// Unlike the trail's own reading, a word nobody knows is refused.
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let known: Vec<&'static str> = Action::iter().map(Into::into).collect();
        let word = known.iter().find(|word| **word == text);
        let unknown =
            || serde::de::Error::custom(format!("unknown variant `{text}`, expected one of `{}`", known.join("`, `")));
        word.and_then(|word| word.parse().ok()).map(Self).ok_or_else(unknown)
    }
}

impl AuditRecord {
    /// As the auditor gets it: all of it.
    pub fn whole(row: Row) -> Self {
        let Row { writer, sequence, record, hash } = row;
        let Record { at, action, result, actor, department, role, source, request, object, zone, order, before, after } =
            record;
        let content = |content: Option<Content>| content.and_then(|content| serde_json::to_value(content).ok());
        Self {
            writer: writer.to_string(),
            sequence,
            at,
            action: AuditAction(action),
            result: result.into(),
            actor: AuditActor {
                name: actor.name,
                groups: actor.groups,
                on_behalf_of: actor.on_behalf_of,
                authentication: actor.authentication.map(|known| known.to_string()),
            },
            department,
            role,
            source,
            request,
            object: AuditObject { kind: object.kind, namespace: object.namespace, name: object.name, uid: object.uid },
            zone,
            order,
            before: content(before),
            after: content(after),
            hash: hash.to_string(),
        }
    }

    /// As its department gets it: without what the platform keeps to itself.
    pub fn of_department(row: Row) -> Self {
        let mut record = Self::whole(row);
        for content in [&mut record.before, &mut record.after].into_iter().flatten() {
            take_out(content);
        }
        record
    }
}

impl From<Outcome> for AuditResult {
    fn from(outcome: Outcome) -> Self {
        let is = |is| Self { is, code: None, reason: None };
        match outcome {
            Outcome::Begun => is("Begun"),
            Outcome::Succeeded => is("Succeeded"),
            Outcome::Refused { code } => Self { code: Some(code), ..is("Refused") },
            Outcome::Failed { reason } => Self { reason: Some(reason), ..is("Failed") },
        }
    }
}

fn take_out(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(take_out),
        Value::Object(fields) => {
            fields.retain(|name, _| !PLATFORM_ONLY.iter().any(|part| name.to_ascii_lowercase().contains(part)));
            fields.values_mut().for_each(take_out);
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use jiyun_trail::core::{actor::Actor, hash::Digest, object::Object};
    use serde_json::json;

    use super::*;

    #[test]
    fn a_department_sees_no_pool_and_the_auditor_sees_all() {
        let grant = json!({"lines": [{"meter": "Vcpu", "pool": "compute/hygon", "quantity": 4,
            "dimensions": {"architecture": "amd64"}}], "preference": "Spread"});
        let object = Object::new("CloudHost", "web-1");
        let mut record =
            Record::new(Timestamp::UNIX_EPOCH, Actor::new("wang"), Action::Grant, object, Outcome::Succeeded);
        record.after = Some(Content::of(grant.clone()));
        let row = Row { writer: "controller".parse().unwrap(), sequence: 1, record, hash: Digest::default() };
        let whole = AuditRecord::whole(row.clone()).after.unwrap();
        assert_eq!(whole["value"], grant);
        let own = AuditRecord::of_department(row).after.unwrap();
        assert_eq!(
            own["value"],
            json!({"lines": [{"meter": "Vcpu", "quantity": 4,
            "dimensions": {"architecture": "amd64"}}]})
        );
    }

    #[test]
    fn a_word_nobody_knows_is_refused() {
        assert_eq!(serde_json::from_str::<AuditAction>("\"Grant\"").unwrap().0, Action::Grant);
        assert!(serde_json::from_str::<AuditAction>("\"Teleported\"").is_err());
    }
}
