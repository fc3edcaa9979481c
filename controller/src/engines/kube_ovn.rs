//! Kube-OVN: a network of its own for each department: a virtual router (`Vpc`), and a `Subnet` behind it for each zone.
//!
//! Contract: `kubeovn.io/v1`, release 1.16; both kinds are cluster-scoped, and Kube-OVN is the cluster's own network plugin.
//! A machine is put into a subnet by an annotation on its pod (`pkg/controller/pod.go`, `getPodDefaultSubnet`). Namespaces are
//! not bound to routers: what engines run beside machines, such as imports of images, stays in the cluster's own network.
//! A private subnet takes nothing from others (`ovn-nb-acl.go`, priority 1000) but what a `NetworkPolicy` lets in (2001).

use jiyun_crds::names::{FINALIZER_NETWORK, LABEL_DEPARTMENT, LABEL_MANAGED_BY, LABEL_ZONE, MANAGED_BY};
use kube::core::ObjectMeta;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{
    applied,
    view::{EngineKind, View},
};
use crate::cidr::Cidr;

/// Annotation of a pod: the subnet it lies in.
pub const LOGICAL_SWITCH: &str = "ovn.kubernetes.io/logical_switch";

/// The kind `Vpc`.
#[derive(Clone, Debug)]
pub struct Vpc;

/// A `Vpc` as we see it.
pub type VpcView = View<Vpc>;

impl EngineKind for Vpc {
    const GROUP: &'static str = "kubeovn.io";
    const VERSION: &'static str = "v1";
    const KIND: &'static str = "Vpc";
    const PLURAL: &'static str = "vpcs";
    type Spec = VpcSpec;
    type Status = VpcStatus;
}

/// The kind `Subnet`.
#[derive(Clone, Debug)]
pub struct Subnet;

/// A `Subnet` as we see it: all of its spec, since what is changed in it changes who reaches whom.
pub type SubnetView = View<Subnet>;

impl EngineKind for Subnet {
    const GROUP: &'static str = "kubeovn.io";
    const VERSION: &'static str = "v1";
    const KIND: &'static str = "Subnet";
    const PLURAL: &'static str = "subnets";
    type Spec = Value;
    type Status = SubnetStatus;
}

/// What is read of a router's wish: what operators have connected it to, past us.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct VpcSpec {
    /// Routers it is joined to.
    pub vpc_peerings: Option<Vec<Peering>>,
    /// Where it sends what is not its own.
    pub static_routes: Option<Vec<Value>>,
    /// Whether it has a gateway to the outside.
    pub enable_external: Option<bool>,
}

impl VpcSpec {
    /// Whether it is joined to the router of this name.
    pub fn is_joined_to(&self, other: &str) -> bool {
        self.vpc_peerings.iter().flatten().any(|peering| peering.remote_vpc.as_deref() == Some(other))
    }

    /// Whether anything but its own subnets can be reached from it.
    pub fn has_way_out(&self) -> bool {
        self.enable_external == Some(true) || self.static_routes.iter().flatten().next().is_some()
    }
}

/// Another router.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Peering {
    /// Its name.
    pub remote_vpc: Option<String>,
}

/// What is read of a router's state.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct VpcStatus {
    /// Whether the engine has made it.
    pub standby: Option<bool>,
}

/// What is read of a subnet's state.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct SubnetStatus {
    /// `Ready` among others.
    pub conditions: Option<Vec<EngineCondition>>,
    /// Addresses given out: a number of any size.
    #[serde(rename = "v4usingIPs")]
    pub using: Option<Value>,
}

/// A condition of an engine's, whatever else it holds.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct EngineCondition {
    /// Which aspect.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// `True`, `False`, ...
    pub status: Option<String>,
}

/// A department's network in a zone, in plain terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkOrder {
    /// The department.
    pub department: String,
    /// The zone.
    pub zone: String,
    /// Its addresses.
    pub cidr: Cidr,
}

/// The router of a department: `jiyun-<department>`.
pub fn vpc_name(department: &str) -> String {
    format!("jiyun-{department}")
}

/// The subnet of a department in a zone. Without dots, which Kube-OVN takes for hyphens in names of its own; a zone's name
/// may hold them, and be long.
pub fn subnet_name(department: &str, zone: &str) -> String {
    let digest = hex::encode(Sha256::digest(zone));
    format!("jiyun-{department}-{}", digest.get(..8).unwrap_or_default())
}

/// The `Vpc` of a department, ready for server-side apply.
pub fn vpc(department: &str) -> Value {
    applied::stamped(json!({
        "apiVersion": "kubeovn.io/v1",
        "kind": "Vpc",
        "metadata": {
            "name": vpc_name(department),
            "labels": {(LABEL_DEPARTMENT): department, (LABEL_MANAGED_BY): MANAGED_BY},
            "finalizers": [FINALIZER_NETWORK],
        },
        "spec": {},
    }))
}

/// The `Subnet` of an order, ready for server-side apply.
pub fn subnet(NetworkOrder { department, zone, cidr }: &NetworkOrder) -> Value {
    applied::stamped(json!({
        "apiVersion": "kubeovn.io/v1",
        "kind": "Subnet",
        "metadata": {
            "name": subnet_name(department, zone),
            "labels": {(LABEL_DEPARTMENT): department, (LABEL_ZONE): zone, (LABEL_MANAGED_BY): MANAGED_BY},
            "finalizers": [FINALIZER_NETWORK],
        },
        "spec": {
            "vpc": vpc_name(department),
            "protocol": "IPv4",
            "cidrBlock": cidr.to_string(),
            "gateway": cidr.first_address().to_string(),
            "private": true,
        },
    }))
}

/// Whether machines may be put into it.
pub fn is_ready(subnet: &SubnetView) -> bool {
    let is_true = |condition: &EngineCondition| {
        condition.kind.as_deref() == Some("Ready") && condition.status.as_deref() == Some("True")
    };
    subnet.metadata.deletion_timestamp.is_none() && subnet.status.conditions.iter().flatten().any(is_true)
}

/// Whether the engine has given out addresses of it.
pub fn is_in_use(status: &SubnetStatus) -> bool {
    match &status.using {
        None | Some(Value::Null) => false,
        Some(Value::Number(count)) => count.as_f64() != Some(0.0),
        Some(other) => other.as_str() != Some("0"),
    }
}

/// Whether an object carries every label of what is desired: another one of its name is somebody else's.
pub fn is_ours(metadata: &ObjectMeta, desired: &Value) -> bool {
    let wanted = desired.pointer("/metadata/labels").and_then(Value::as_object);
    let carries = |name: &str, value: &Value| {
        metadata.labels.as_ref()?.get(name).filter(|is| Some(is.as_str()) == value.as_str())
    };
    wanted.into_iter().flatten().all(|(name, value)| carries(name, value).is_some())
}

/// Whether an object is as it was applied; `spec` is what is read of its own.
pub fn stands(metadata: &ObjectMeta, spec: Option<&Value>, desired: &Value) -> bool {
    let kept = metadata.finalizers.iter().flatten().any(|finalizer| finalizer == FINALIZER_NETWORK);
    let wanted = desired.get("spec").and_then(Value::as_object).into_iter().flatten();
    let same = spec.is_none_or(|spec| wanted.into_iter().all(|(field, value)| spec.get(field) == Some(value)));
    kept && same && applied::is_applied(metadata, desired)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order() -> NetworkOrder {
        NetworkOrder {
            department: "finance".into(),
            zone: "extranet.public".into(),
            cidr: "10.64.0.64/26".parse().unwrap(),
        }
    }

    fn view(object: &Value) -> SubnetView {
        serde_json::from_value(object.clone()).unwrap()
    }

    #[test]
    fn a_subnet_lies_behind_its_departments_router_and_is_closed_to_others() {
        let built = subnet(&order());
        assert_eq!(built["spec"]["vpc"], vpc("finance")["metadata"]["name"]);
        assert_eq!(built["spec"]["gateway"], "10.64.0.65");
        assert_eq!(built["spec"]["private"], true);
        assert!(built["spec"].get("namespaces").is_none(), "imports of images must still get out");
        assert_eq!(vpc("finance")["spec"], json!({}));
    }

    #[test]
    fn names_differ_by_department_and_zone_and_fit_a_label() {
        let longest = "a".repeat(jiyun_crds::names::MAX_NAME_LENGTH);
        assert!(subnet_name(&longest, &"z".repeat(63)).len() <= 63);
        assert_ne!(subnet_name("a", "b-c"), subnet_name("a-b", "c"));
        assert_ne!(subnet_name("a", "b.c"), subnet_name("a", "b-c"));
        assert!(!subnet_name("a", "b.c").contains('.'));
    }

    #[test]
    fn an_edited_spec_a_lost_finalizer_and_another_wish_are_told_apart_from_what_stands() {
        let built = subnet(&order());
        let stands_as = |object: &Value| stands(&view(object).metadata, Some(&object["spec"]), &built);
        let mut filled_in = built.clone();
        filled_in["spec"]["provider"] = json!("ovn");
        assert!(stands_as(&filled_in), "what the engine adds is no drift");
        let mut edited = built.clone();
        edited["spec"]["private"] = json!(false);
        assert!(!stands_as(&edited));
        let mut loose = built.clone();
        loose["metadata"]["finalizers"] = json!(["kubeovn.io/kube-ovn-controller"]);
        assert!(!stands_as(&loose));
        assert!(!stands_as(&subnet(&NetworkOrder { cidr: "10.64.0.0/26".parse().unwrap(), ..order() })));
        let mut foreign = built.clone();
        foreign["metadata"]["labels"][LABEL_DEPARTMENT] = json!("tax");
        assert!(!is_ours(&view(&foreign).metadata, &built) && is_ours(&view(&built).metadata, &built));
    }

    #[test]
    fn only_a_ready_subnet_that_stays_takes_machines() {
        let mut object = subnet(&order());
        assert!(!is_ready(&view(&object)));
        object["status"] = json!({"conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": null}]});
        assert!(is_ready(&view(&object)));
        object["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
        assert!(!is_ready(&view(&object)));
    }

    #[test]
    fn what_operators_connected_on_a_router_is_read() {
        let spec: VpcSpec = serde_json::from_value(json!({"vpcPeerings": [{"remoteVpc": "jiyun-tax"}, {}]})).unwrap();
        assert!(spec.is_joined_to("jiyun-tax") && !spec.is_joined_to("jiyun-court") && !spec.has_way_out());
        for way_out in [json!({"enableExternal": true}), json!({"staticRoutes": [{"cidr": "0.0.0.0/0"}]})] {
            assert!(serde_json::from_value::<VpcSpec>(way_out).unwrap().has_way_out());
        }
        let none: VpcSpec = serde_json::from_value(json!({"staticRoutes": [], "vpcPeerings": null})).unwrap();
        assert!(!none.has_way_out());
    }

    #[test]
    fn addresses_in_use_are_a_number_however_it_is_written() {
        for (using, is) in [
            (json!(null), false),
            (json!(0), false),
            (json!(0.0), false),
            (json!("0"), false),
            (json!(3), true),
            (json!("3"), true),
        ] {
            let status: SubnetStatus = serde_json::from_value(json!({"v4usingIPs": using})).unwrap();
            assert_eq!(is_in_use(&status), is, "{using}");
        }
    }
}
