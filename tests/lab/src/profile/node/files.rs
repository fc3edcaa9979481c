//! The configuration of a node's programs.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::addresses::{DNS, PODS};
use super::supplies::PLACE;
use crate::node::spec::FOLDERS;

/// Where the node's programs find their configuration.
const ETC: &str = "/etc/jiyun-lab";

/// Certificates and kubeconfigs, as paths of the lab's folder.
#[derive(Debug)]
pub(super) struct Identity {
    pub(super) authority: PathBuf,
    pub(super) kubelet_kubeconfig: PathBuf,
    pub(super) kubelet_certificate: PathBuf,
    pub(super) kubelet_key: PathBuf,
    pub(super) proxy_kubeconfig: PathBuf,
}

/// The path of a configuration file in the node.
pub(super) fn path(name: &str) -> PathBuf {
    Path::new(ETC).join(name)
}

/// All files of the node of this name, whose pods have addresses of this network. JSON is YAML, so that no value needs quoting.
pub(super) fn files(name: &str, pods: &str, identity: &Identity) -> Vec<(PathBuf, String)> {
    vec![
        (path("containerd.toml"), containerd()),
        (path("kubelet.json"), kubelet(identity).to_string()),
        (path("kube-proxy.json"), proxy(identity).to_string()),
        ("/etc/cni/net.d/10-lab.conflist".into(), pod_network(pods).to_string()),
        // An address for documentation (RFC 5737): there is nobody to ask outside, and an empty list would mean localhost.
        ("/etc/resolv.conf".into(), "nameserver 192.0.2.1\n".into()),
        ("/etc/hosts".into(), format!("127.0.0.1 localhost {name}\n")),
        ("/etc/hostname".into(), format!("{name}\n")),
        ("/etc/nsswitch.conf".into(), "hosts: files dns\n".into()),
    ]
}

/// containerd 2's format, version 3 (containerd, `docs/cri/config.md`).
fn containerd() -> String {
    format!(
        r#"version = 3
root = "/var/lib/containerd"
state = "/run/containerd"
disabled_plugins = ["io.containerd.nri.v1.nri"]
[grpc]
  address = "/run/containerd/containerd.sock"
[plugins.'io.containerd.cri.v1.images']
  snapshotter = "overlayfs"
  [plugins.'io.containerd.cri.v1.images'.pinned_images]
    sandbox = "{PLACE}/pause:1"
[plugins.'io.containerd.cri.v1.runtime']
  # Lowering it takes CAP_SYS_RESOURCE, which root of some machines lacks.
  restrict_oom_score_adj = true
  [plugins.'io.containerd.cri.v1.runtime'.containerd]
    default_runtime_name = "runc"
    [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
        BinaryName = "/usr/sbin/runc"
        SystemdCgroup = false
  [plugins.'io.containerd.cri.v1.runtime'.cni]
    bin_dirs = ["/usr/lib/cni"]
    conf_dir = "/etc/cni/net.d"
"#
    )
}

fn kubelet(identity: &Identity) -> Value {
    json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": {"enabled": false},
            "webhook": {"enabled": true},
            "x509": {"clientCAFile": identity.authority},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": identity.kubelet_certificate,
        "tlsPrivateKeyFile": identity.kubelet_key,
        "cgroupDriver": "cgroupfs",
        "failCgroupV1": false,
        "failSwapOn": false,
        // Lowering it takes CAP_SYS_RESOURCE, which root of some machines lacks.
        "oomScoreAdj": 0,
        "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
        "clusterDNS": [DNS],
        "clusterDomain": "cluster.local",
        "resolvConf": "/etc/resolv.conf",
        "volumePluginDir": "/var/lib/kubelet/plugins-exec",
        // The disk is the machine's: how full it is says nothing about the node, and no image can be fetched again.
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "100Mi", "imagefs.available": "100Mi"},
        "imageGCHighThresholdPercent": 100,
        "serializeImagePulls": false,
    })
}

fn proxy(identity: &Identity) -> Value {
    json!({
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clientConnection": {"kubeconfig": identity.proxy_kubeconfig},
        "mode": "nftables",
        "clusterCIDR": PODS,
        "oomScoreAdj": 0,
        // Zero leaves settings alone that belong to the whole machine.
        "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
        "healthzBindAddress": "127.0.0.1:10256",
        "metricsBindAddress": "127.0.0.1:10249",
    })
}

fn pod_network(pods: &str) -> Value {
    json!({
        "cniVersion": "1.0.0",
        "name": "lab",
        "plugins": [
            {
                "type": "bridge",
                "bridge": "pods",
                "isGateway": true,
                "ipMasq": false,
                "hairpinMode": true,
                "ipam": {
                    "type": "host-local",
                    "dataDir": "/run/cni",
                    "ranges": [[{"subnet": pods}]],
                    "routes": [{"dst": "0.0.0.0/0"}],
                },
            },
            {"type": "portmap", "capabilities": {"portMappings": true}},
        ],
    })
}

/// The path of a program in the node.
pub(super) fn program(folder: &str, name: &str) -> PathBuf {
    Path::new(FOLDERS).join(folder).join(name)
}
