//! What says which version of an engine is installed: its own object, or the Deployment of its operator.
//!
//! Contract: `status.observedKubeVirtVersion` of `kubevirt.io/v1` `KubeVirt` and `status.observedVersion` of
//! `cdi.kubevirt.io/v1beta1` `CDI`, which their operators write once everything runs in it. CloudNativePG, Kube-OVN and
//! Rook have no such object: the tag of the image says it, of what their releases install.

use serde::Deserialize;

use super::view::{EngineKind, Unread, View};

/// Which Deployment is CloudNativePG's operator, wherever it was put (release 1.30: `releases/`, and its Helm chart).
pub const CNPG_LABELS: &str = "app.kubernetes.io/name=cloudnative-pg";

/// Where Kube-OVN's controller is (release 1.16: both of its charts).
pub const KUBE_OVN_NAMESPACE: &str = "kube-system";

/// Which Deployment there it is.
pub const KUBE_OVN_FIELDS: &str = "metadata.name=kube-ovn-controller";

/// Which Deployment is Rook's operator, wherever it was put (release 1.20: `deploy/examples/operator.yaml`, and
/// `library.rook-ceph.labels` of its Helm chart). What it makes of a Ceph cluster, and its toolbox, are not labelled so.
pub const ROOK_LABELS: &str = "operator=rook,storage-backend=ceph";

/// The kind `KubeVirt`.
#[derive(Clone, Debug)]
pub struct KubeVirt;

impl EngineKind for KubeVirt {
    const GROUP: &'static str = "kubevirt.io";
    const VERSION: &'static str = "v1";
    const KIND: &'static str = "KubeVirt";
    const PLURAL: &'static str = "kubevirts";
    type Spec = Unread;
    type Status = KubeVirtStatus;
}

/// What is read of KubeVirt's state.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct KubeVirtStatus {
    /// The version that runs.
    #[serde(rename = "observedKubeVirtVersion")]
    pub observed: Option<String>,
}

/// The kind `CDI`, which is cluster-scoped.
#[derive(Clone, Debug)]
pub struct Cdi;

impl EngineKind for Cdi {
    const GROUP: &'static str = "cdi.kubevirt.io";
    const VERSION: &'static str = "v1beta1";
    const KIND: &'static str = "CDI";
    const PLURAL: &'static str = "cdis";
    type Spec = Unread;
    type Status = CdiStatus;
}

/// What is read of CDI's state.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct CdiStatus {
    /// The version that runs.
    #[serde(rename = "observedVersion")]
    pub observed: Option<String>,
}

/// The kind `Deployment`.
#[derive(Clone, Debug)]
pub struct Deployment;

impl EngineKind for Deployment {
    const GROUP: &'static str = "apps";
    const VERSION: &'static str = "v1";
    const KIND: &'static str = "Deployment";
    const PLURAL: &'static str = "deployments";
    type Spec = DeploymentSpec;
    type Status = Unread;
}

/// What is read of a Deployment's wish.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct DeploymentSpec {
    /// The pods it makes.
    pub template: PodTemplate,
}

/// The pods of a Deployment.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct PodTemplate {
    /// What is in them.
    pub spec: PodSpec,
}

/// What is in a pod.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct PodSpec {
    /// Its containers.
    pub containers: Vec<Container>,
}

/// A container.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Container {
    /// What it is made of.
    pub image: Option<String>,
}

/// What KubeVirt says it is.
pub fn of_kubevirt(installed: &View<KubeVirt>) -> Option<&str> {
    installed.status.observed.as_deref()
}

/// What CDI says it is.
pub fn of_cdi(installed: &View<Cdi>) -> Option<&str> {
    installed.status.observed.as_deref()
}

/// What an operator was installed as: the tag of its first container, beside which nothing else runs in their releases.
pub fn of_operator(installed: &View<Deployment>) -> Option<&str> {
    tag(installed.spec.template.spec.containers.first()?.image.as_deref()?)
}

/// The tag of an image; none where a digest alone names it. A colon before the last slash is that of a port.
fn tag(image: &str) -> Option<&str> {
    let named = image.split_once('@').map_or(image, |(named, _)| named);
    let last = named.rsplit_once('/').map_or(named, |(_, last)| last);
    last.split_once(':').map(|(_, tag)| tag)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, from_value, json};

    use super::*;

    #[test]
    fn engines_say_their_version_whatever_else_their_objects_hold() {
        let object = |status: Value| json!({"metadata": {"name": "it"}, "spec": {"any": [1]}, "status": status});
        let kubevirt =
            object(json!({"observedKubeVirtVersion": "v1.8.2", "phase": "Deployed", "new": {"field": null}}));
        assert_eq!(of_kubevirt(&from_value(kubevirt).unwrap()), Some("v1.8.2"));
        let cdi = object(json!({"observedVersion": "v1.65.0", "conditions": null}));
        assert_eq!(of_cdi(&from_value(cdi).unwrap()), Some("v1.65.0"));
        assert_eq!(of_cdi(&from_value(object(json!({"phase": "Deploying"}))).unwrap()), None);
        assert_eq!(of_kubevirt(&from_value(json!({"metadata": {}})).unwrap()), None);
    }

    #[test]
    fn an_operators_version_is_the_tag_of_its_image() {
        let deployment = |containers: Value| {
            let object =
                json!({"metadata": {}, "spec": {"replicas": 1, "template": {"spec": {"containers": containers}}}});
            of_operator(&from_value(object).unwrap()).map(str::to_owned)
        };
        let image = |image: &str| deployment(json!([{"name": "manager", "image": image}, {"name": "other"}]));
        assert_eq!(image("ghcr.io/cloudnative-pg/cloudnative-pg:1.30.0").as_deref(), Some("1.30.0"));
        assert_eq!(image("docker.io/rook/ceph:v1.20.6").as_deref(), Some("v1.20.6"));
        assert_eq!(image("registry.example:5000/kube-ovn:v1.16.2@sha256:0a").as_deref(), Some("v1.16.2"));
        assert_eq!(image("registry.example:5000/kube-ovn"), None);
        assert_eq!(image("cloudnative-pg@sha256:0a"), None);
        assert_eq!(deployment(json!([])), None);
    }
}
