//! The order of a cloud host: the body of `POST .../hosts`.

use jiyun_crds::v1alpha1::{self as crds, CloudHost, CloudHostSpec, LocalRef, Quantity};
use kube::core::ObjectMeta;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{AntiAffinity, Architecture, DeletionProtection, Power, lease::LeaseTerm};
use crate::{
    extract::{
        DepartmentName, ObjectName,
        name::{is_label, is_subdomain},
    },
    problem::{Code, Fault, Problem},
};

/// What a department asks for. Fields the API does not know are refused.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({
    "name": "web-1", "displayName": "门户网站一号机", "system": "portal", "class": "basic-4c8g",
    "image": "openeuler-24.03-amd64", "zone": "extranet-public", "architecture": "amd64",
    "systemDisk": {"tier": "standard", "size": "100Gi"}, "power": "Running",
    "sshAuthorizedKeys": ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGFib3V0IHNvbWUga2V5IG9mIG5vYm9keSBhdCBh"],
}))]
pub struct HostOrder {
    /// Name of the host: a DNS label of at most 40 characters, unique within the department. Left out where the header
    /// `Idempotency-Key` is sent, and only there: the name is then made from it.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 40, pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", example = "web-1")]
    pub name: Option<String>,
    /// Name for people (云主机名称), one line of at most 63 characters.
    #[serde(default)]
    #[schema(max_length = 63, example = "门户网站一号机")]
    pub display_name: Option<String>,
    /// The information system (信息系统) of the department the host is for. Cannot be changed.
    #[schema(max_length = 40, example = "portal")]
    pub system: String,
    /// The host class (规格): how many vCPUs and how much memory.
    #[schema(max_length = 63, example = "basic-4c8g")]
    pub class: String,
    /// The host image (镜像) the system disk is filled from. Cannot be changed.
    #[schema(max_length = 63, example = "openeuler-24.03-amd64")]
    pub image: String,
    /// The snapshot (云快照) of a host of the same information system whose content the system disk begins with, made from
    /// the same image and no larger; left out: it begins as its image. It is made where the snapshot lies. Cannot be
    /// changed.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 40, pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", example = "before-upgrade")]
    pub snapshot: Option<String>,
    /// The network zone (网络区域), that of the information system. Cannot be changed.
    #[schema(max_length = 63, example = "extranet-public")]
    pub zone: String,
    /// The architecture of the machine it runs on. Cannot be changed.
    pub architecture: Architecture,
    /// Which hosts of its information system it does not share a node with (反亲和); left out: it may run beside any. Cannot be
    /// changed.
    #[serde(default)]
    pub anti_affinity: Option<AntiAffinity>,
    /// The disk it starts from; left out: 100Gi of tier `standard`.
    #[serde(default)]
    pub system_disk: SystemDiskOrder,
    /// Whether it runs once it exists; left out: `Running`.
    #[serde(default)]
    pub power: Power,
    /// Whether it is kept from being deleted; left out: `Enabled`. Taking it off later is decided like an order.
    #[serde(default)]
    pub deletion_protection: DeletionProtection,
    /// Until when it is lent (租期); left out: without end. A later end is decided like an order; an earlier one is not.
    #[serde(default)]
    pub lease: Option<LeaseTerm>,
    /// Public keys that may log in at first start, one line each as in `authorized_keys`. Cannot be changed.
    #[serde(default)]
    #[schema(max_items = 16)]
    pub ssh_authorized_keys: Vec<String>,
    /// The Secret of the department's namespace, of type `jiyun.io/user-data`, that has under the key `userData` what cloud-init does
    /// at first start (自定义数据): text of at most 32 KiB that begins as cloud-init wants it, such as `#cloud-config` or `#!`.
    /// The machine gets a copy when it is made; what is done to the Secret later changes nothing. Cannot be changed.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 63, example = "web-boot")]
    pub user_data_secret: Option<String>,
}

/// The disk a host starts from.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct SystemDiskOrder {
    /// Storage tier (存储级别). Cannot be changed.
    #[schema(max_length = 63, default = "standard", example = "standard")]
    pub tier: String,
    /// Size, 20Gi to 4Ti in whole Mi. It can grow, never shrink.
    #[schema(max_length = 32, default = "100Gi", example = "100Gi")]
    pub size: String,
}

impl Default for SystemDiskOrder {
    fn default() -> Self {
        Self { tier: "standard".to_owned(), size: "100Gi".to_owned() }
    }
}

impl HostOrder {
    /// Checks what becomes part of an address at the API server, of a host called `name`. Everything else is checked
    /// there, once.
    pub fn validate(&self, name: &str) -> Result<(), Problem> {
        let names = [
            ("name", ObjectName::parse(name).is_some()),
            ("system", is_label(&self.system)),
            ("class", is_subdomain(&self.class)),
            ("image", is_subdomain(&self.image)),
            ("snapshot", self.snapshot.as_deref().is_none_or(|snapshot| ObjectName::parse(snapshot).is_some())),
            ("zone", is_subdomain(&self.zone)),
            ("userDataSecret", self.user_data_secret.as_deref().is_none_or(is_subdomain)),
        ];
        let wrong = names.into_iter().filter(|(_, fits)| !fits);
        let faults = wrong.map(|(field, _)| Fault::new(Code::InvalidField, field, [("problem", rule(field))]));
        Problem::of_body(faults.collect()).map_or(Ok(()), Err)
    }

    /// The object called `name` this order is.
    pub fn into_object(self, department: &DepartmentName, name: &str) -> CloudHost {
        CloudHost {
            metadata: ObjectMeta {
                name: Some(name.to_owned()),
                namespace: Some(department.namespace()),
                ..ObjectMeta::default()
            },
            spec: CloudHostSpec {
                display_name: self.display_name,
                system_ref: LocalRef::new(self.system),
                class_ref: LocalRef::new(self.class),
                image_ref: LocalRef::new(self.image),
                snapshot_ref: self.snapshot.map(LocalRef::new),
                zone_ref: LocalRef::new(self.zone),
                architecture: self.architecture.into(),
                anti_affinity: self.anti_affinity.map(Into::into),
                system_disk: crds::SystemDisk {
                    tier: self.system_disk.tier,
                    size: Quantity::from(self.system_disk.size.as_str()),
                },
                power: self.power.into(),
                restart_requested_at: None,
                restore: None,
                deletion_protection: self.deletion_protection.into(),
                lease: self.lease.map(Into::into),
                ssh_authorized_keys: self.ssh_authorized_keys,
                user_data_secret_ref: self.user_data_secret.map(LocalRef::new),
            },
            status: None,
        }
    }
}

/// The rule that the name in `field` breaks.
pub(super) fn rule(field: &str) -> &'static str {
    match field {
        "name" | "system" | "host" | "snapshot" | "source.name" => {
            "须由小写字母、数字和连字符组成，以字母或数字开头和结尾，名称不超过 40 个字符 \
             (lower-case letters, digits and hyphens, a letter or digit at both ends, at most 40 characters)"
        }
        _ => "须由小写字母、数字、连字符和点组成 (lower-case letters, digits, hyphens and dots)",
    }
}
