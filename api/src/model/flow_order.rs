//! A new network flow: the body of `POST .../flows`.

use jiyun_crds::v1alpha1::{LocalRef, NetworkFlow, NetworkFlowSpec};
use kube::core::ObjectMeta;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{
    flow_words::{FlowDirection, FlowPeer, FlowPort},
    host_order::rule,
};
use crate::{
    extract::{DepartmentName, ObjectName, name::is_label},
    problem::{Code, Fault, Problem},
};

/// A network flow (网络互访) a department declares. Fields the API does not know are refused.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({
    "name": "web-to-db", "system": "budget", "direction": "Egress", "hosts": ["budget-web"],
    "peer": {"system": {"name": "budget", "hosts": ["budget-db"]}}, "ports": [{"protocol": "TCP", "port": 5236}],
    "justification": "应用服务器访问数据库",
}))]
pub struct FlowOrder {
    /// Name of the flow: a DNS label of at most 40 characters, unique within the department. Left out where the header
    /// `Idempotency-Key` is sent, and only there: the name is then made from it.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 40, pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", example = "web-to-db")]
    pub name: Option<String>,
    /// The information system whose hosts are at this end. Cannot be changed.
    #[schema(max_length = 63, example = "budget")]
    pub system: String,
    /// Which end opens the connection. Cannot be changed.
    pub direction: FlowDirection,
    /// Names of the hosts at this end, at most 32; left out: all hosts of the system, those to come as well.
    #[serde(default)]
    #[schema(max_items = 32, example = json!(["budget-web"]))]
    pub hosts: Vec<String>,
    /// The other end.
    pub peer: FlowPeer,
    /// Ports of the end that answers, 1 to 16.
    #[schema(min_items = 1, max_items = 16)]
    pub ports: Vec<FlowPort>,
    /// What it is for (事由), one line of at most 512 characters. Approvers read it.
    #[serde(default)]
    #[schema(max_length = 512, example = "应用服务器访问数据库")]
    pub justification: Option<String>,
}

impl FlowOrder {
    /// Checks what becomes part of an address at the API server, of a flow called `name`. Everything else is checked
    /// there, once.
    pub fn validate(&self, name: &str) -> Result<(), Problem> {
        let own = self.peer.system.as_ref().is_none_or(|peer| is_label(&peer.name));
        let names = [
            ("name", ObjectName::parse(name).is_some()),
            ("system", is_label(&self.system)),
            ("peer.system.name", own),
        ];
        let wrong = names.into_iter().filter(|(_, fits)| !fits);
        let faults = wrong.map(|(field, _)| Fault::new(Code::InvalidField, field, [("problem", rule("name"))]));
        Problem::of_body(faults.collect()).map_or(Ok(()), Err)
    }

    /// The object called `name` this is.
    pub fn into_object(self, department: &DepartmentName, name: &str) -> NetworkFlow {
        NetworkFlow {
            metadata: ObjectMeta {
                name: Some(name.to_owned()),
                namespace: Some(department.namespace()),
                ..ObjectMeta::default()
            },
            spec: NetworkFlowSpec {
                system_ref: LocalRef::new(self.system),
                direction: self.direction.into(),
                hosts: self.hosts,
                peer: self.peer.into(),
                ports: self.ports.into_iter().map(Into::into).collect(),
                justification: self.justification,
            },
            status: None,
        }
    }
}
