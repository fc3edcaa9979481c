//! What of a network flow may change: the body of `PATCH .../flows/{name}`.

use jiyun_crds::v1alpha1 as crds;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::flow_words::{FlowPeer, FlowPort};
use crate::extract::merge_patch::{Change, given};

/// A merge patch (RFC 7396) of a network flow: the fields to change, each as a whole. Fields the API does not know, or that
/// cannot change, are refused.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"ports": [{"protocol": "TCP", "port": 5236}], "justification": null}))]
pub struct FlowPatch {
    /// Names of the hosts at this end, at most 32; `[]`: all of the system.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Vec<String>, max_items = 32, example = json!(["budget-web"]))]
    hosts: Option<Vec<String>>,
    /// The other end, all of it.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = FlowPeer)]
    peer: Option<FlowPeer>,
    /// Ports of the end that answers, 1 to 16, all of them.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Vec<FlowPort>, min_items = 1, max_items = 16)]
    ports: Option<Vec<FlowPort>>,
    /// What it is for (事由), one line of at most 512 characters; `null` takes it away.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 512, example = "应用服务器访问数据库")]
    justification: Change<String>,
}

impl FlowPatch {
    /// The same as a merge patch of the object's `spec`.
    pub fn into_spec(self) -> Map<String, Value> {
        let Self { hosts, peer, ports, justification } = self;
        let ports = ports.map(|ports| ports.into_iter().map(crds::FlowPort::from).map(|port| json!(port)).collect());
        let fields = [
            ("hosts", hosts.map(Value::from)),
            ("peer", peer.map(whole)),
            ("ports", ports.map(Value::Array)),
            ("justification", justification.into_value()),
        ];
        fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
    }
}

/// The other end, and that it is none of the others any more.
fn whole(peer: FlowPeer) -> Value {
    let crds::FlowPeer { system, foreign, ip_block } = peer.into();
    json!({"system": system, "foreign": foreign, "ipBlock": ip_block})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_end_takes_the_place_of_the_old_one() {
        let patch: FlowPatch = serde_json::from_value(json!({"peer": {"ipBlock": {"cidr": "10.0.0.0/8"}}})).unwrap();
        let expected =
            json!({"peer": {"system": null, "foreign": null, "ipBlock": {"cidr": "10.0.0.0/8", "except": []}}});
        assert_eq!(Value::Object(patch.into_spec()), expected);
    }

    #[test]
    fn what_is_left_out_stays() {
        let patch: FlowPatch = serde_json::from_value(json!({"justification": null})).unwrap();
        assert_eq!(Value::Object(patch.into_spec()), json!({"justification": null}));
    }
}
