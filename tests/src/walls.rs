//! A department that declares network flows: its flows, what is open for them, and its approvers.

use std::collections::BTreeMap;

use jiyun_crds::{
    names::{LABEL_CLAIM, LABEL_DEPARTMENT, LABEL_FLOW, department_namespace},
    v1alpha1::{ConditionType, NetworkFlow, Order as Filed, Reason, condition},
};
use jiyun_lab::wait_for;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::{Api, ResourceExt, api::ListParams};
use serde_json::{Value, json};

use crate::{
    Order, World, WorldError,
    desk::{Desk, approved},
    world::{PATIENCE, Quota},
};

/// A department without a policy of its own: flows within a zone pass by that of the city, others go to its approvers.
#[derive(Debug)]
pub struct Walls<'a> {
    /// Its approvers and orders.
    pub desk: Desk<'a>,
}

impl<'a> Walls<'a> {
    /// A department of `world` with a second system, `outer`, in the internet zone.
    ///
    /// # Errors
    /// See [`WorldError`].
    pub async fn open(world: &'a World) -> Result<Self, WorldError> {
        let desk = Desk { bureau: world.department(Quota::AMPLE).await? };
        let zones = json!({"spec": {"zones": ["extranet-public", "internet"]}}).to_string();
        world.lab.kubectl(&["patch", "department", &desk.bureau.name, "--type=merge", "-p", &zones]).await?;
        let outer = json!({
            "apiVersion": "jiyun.io/v1alpha1", "kind": "InformationSystem",
            "metadata": {"name": "outer", "namespace": department_namespace(&desk.bureau.name)},
            "spec": {"displayName": "外网系统", "protectionLevel": 2, "zoneRef": {"name": "internet"}, "owner": {"name": "李四"}},
        });
        world.lab.apply_text(&outer.to_string()).await?;
        Ok(Self { desk })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.desk.bureau.name
    }

    /// Its flows, as the platform sees them.
    ///
    /// # Errors
    /// When there is no client.
    pub async fn flows(&self) -> Result<Api<NetworkFlow>, WorldError> {
        Ok(Api::namespaced(self.desk.bureau.world.lab.client().await?, &department_namespace(self.name())))
    }

    /// A flow of the system `portal` on TCP 443, to be applied.
    pub fn flow(&self, name: &str, peer: &Value) -> Value {
        json!({
            "apiVersion": "jiyun.io/v1alpha1", "kind": "NetworkFlow",
            "metadata": {"name": name, "namespace": department_namespace(self.name())},
            "spec": {"systemRef": {"name": "portal"}, "direction": "Egress", "peer": peer,
                     "ports": [{"protocol": "TCP", "port": 443}], "justification": "联调"},
        })
    }

    /// Applies `object`.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn apply(&self, object: &Value) -> Result<(), WorldError> {
        self.desk.bureau.world.take("a network flow", &object.to_string()).await
    }

    /// Makes hosts of a system in its zone, and gives the claims they were granted.
    ///
    /// # Errors
    /// When they are not ready in time.
    pub async fn hosts(
        &self,
        system: &str,
        zone: &str,
        names: &[&str],
    ) -> Result<BTreeMap<String, String>, WorldError> {
        for name in names {
            let mut order = Order::new(*name, system);
            order.zone = zone.into();
            self.desk.bureau.world.lab.apply_text(&order.object(self.name()).to_string()).await?;
        }
        let mut claims = BTreeMap::new();
        for name in names {
            let host = self.desk.bureau.wait_ready(name).await?;
            let claim = host.status.and_then(|status| status.claim_id).unwrap_or_default();
            claims.insert((*name).to_owned(), claim);
        }
        Ok(claims)
    }

    /// Waits until a flow is as described.
    ///
    /// # Errors
    /// When it is not in time; the error shows what was seen last.
    pub async fn wait_for_flow(
        &self,
        flow: &str,
        what: &str,
        holds: impl Fn(&NetworkFlow) -> bool,
    ) -> Result<NetworkFlow, WorldError> {
        let api = self.flows().await?;
        Ok(wait_for(format!("flow {}/{flow}: {what}", self.name()), PATIENCE, || async {
            let found = api.get(flow).await.map_err(|error| error.to_string())?;
            let seen = found.status.as_ref().and_then(|status| status.observed_generation);
            if seen == found.metadata.generation && holds(&found) {
                Ok(found)
            } else {
                Err(format!("{:?}", found.status))
            }
        })
        .await?)
    }

    /// Waits until what a flow asks for is open.
    ///
    /// # Errors
    /// When it is not in time.
    pub async fn wait_open(&self, flow: &str) -> Result<NetworkFlow, WorldError> {
        let open = |found: &NetworkFlow| {
            [Some(Reason::Open), Some(Reason::OpenAtThisEnd)].contains(&reason(found, ConditionType::Ready))
                && reason(found, ConditionType::Accepted) == Some(Reason::Valid)
        };
        self.wait_for_flow(flow, "open", open).await
    }

    /// The order that waits for people to agree to a flow, and is none of `others`.
    ///
    /// # Errors
    /// When there is none in time.
    pub async fn awaited_order(&self, flow: &str, others: &[&Filed]) -> Result<Filed, WorldError> {
        let named = |found: &NetworkFlow| found.status.as_ref()?.order_ref.as_ref().map(|order| order.name.clone());
        let is_new = |name: &String| others.iter().all(|other| other.name_any() != *name);
        let waits = |found: &NetworkFlow| {
            let kinds = [ConditionType::Admitted, ConditionType::Accepted];
            kinds.iter().any(|kind| reason(found, *kind) == Some(Reason::AwaitingApproval))
                && named(found).is_some_and(|name| is_new(&name))
        };
        let found = self.wait_for_flow(flow, "to wait for people", waits).await?;
        let name = named(&found).unwrap_or_default();
        self.desk.wait_for_order(&name, |order| approved(order) == Some(Reason::AwaitingApproval)).await
    }

    /// The policies that are there for a flow, with the claims they let out or in.
    ///
    /// # Errors
    /// When they cannot be listed.
    pub async fn policies(&self, flow: &str) -> Result<Vec<NetworkPolicy>, WorldError> {
        let api = Api::<NetworkPolicy>::all(self.desk.bureau.world.lab.client().await?);
        let ours = format!("{LABEL_DEPARTMENT}={},{LABEL_FLOW}={flow}", self.name());
        Ok(api.list(&ListParams::default().labels(&ours)).await?.items)
    }

    /// Waits until the policies of a flow are as described.
    ///
    /// # Errors
    /// When they are not in time.
    pub async fn wait_for_policies(
        &self,
        flow: &str,
        what: &str,
        holds: impl Fn(&[NetworkPolicy]) -> bool,
    ) -> Result<Vec<NetworkPolicy>, WorldError> {
        Ok(wait_for(format!("policies of {}/{flow}: {what}", self.name()), PATIENCE, || async {
            let found = self.policies(flow).await.map_err(|error| format!("{error:?}"))?;
            if holds(&found) { Ok(found) } else { Err(format!("{:?}", shown(&found))) }
        })
        .await?)
    }
}

/// The reason of a flow's condition.
pub fn reason(flow: &NetworkFlow, kind: ConditionType) -> Option<Reason> {
    condition::find(&flow.status.as_ref()?.conditions, kind)?.reason.parse().ok()
}

/// What policies let through, one a line: namespace, way, claims at this end, what is at the other, ports.
pub fn shown(policies: &[NetworkPolicy]) -> Vec<String> {
    let claims = |selector: &Value| {
        let values = selector.pointer("/matchExpressions/0/values").and_then(Value::as_array).cloned();
        let claims: Vec<String> = values
            .unwrap_or_default()
            .iter()
            .filter_map(|value| value.as_str()?.split('.').next().map(str::to_owned))
            .collect();
        claims.join("+")
    };
    let one = |policy: &NetworkPolicy| {
        let spec = serde_json::to_value(&policy.spec).unwrap_or_default();
        let (way, list, side) =
            if spec["policyTypes"] == json!(["Egress"]) { ("out", "egress", "to") } else { ("in", "ingress", "from") };
        let rule = &spec[list][0];
        let far = match rule[side][0]["ipBlock"]["cidr"].as_str() {
            Some(cidr) => cidr.to_owned(),
            None => claims(&rule[side][0]["podSelector"]),
        };
        let ports: Vec<String> = rule["ports"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|port| format!("{}-{}", port["port"], port["endPort"]))
            .collect();
        let namespace = policy.namespace().unwrap_or_default();
        format!("{namespace} {way} {} > {far} : {}", claims(&spec["podSelector"]), ports.join(","))
    };
    let mut lines: Vec<String> =
        policies.iter().filter(|policy| policy.labels().contains_key(LABEL_CLAIM)).map(one).collect();
    lines.sort();
    lines
}
