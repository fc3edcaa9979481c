//! Network zone (网络区域): one of the separated networks of e-government.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::PlainStatus;
use crate::rules;
use crate::schema::structural;

/// One of the separated networks of e-government. Resources of different zones never share a network.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "jiyun.io",
    version = "v1alpha1",
    kind = "NetworkZone",
    doc = "One of the separated networks of e-government (网络区域).",
    status = "PlainStatus",
    shortname = "nz",
    category = "jiyun",
    derive = "PartialEq",
    validation = rules::referable_name(),
    printcolumn(name = "Display", type_ = "string", json_path = ".spec.displayName"),
    printcolumn(name = "Kind", type_ = "string", json_path = ".spec.kind"),
    printcolumn(name = "Ready", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].status"#),
    printcolumn(name = "Reason", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].reason"#),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = structural)]
#[x_kube(validation = rules::there_or_not("网络隔离", "isolation"))]
pub struct NetworkZoneSpec {
    /// [free] Name for people (区域名称), one line of at most 63 characters.
    #[schemars(length(max = 63))]
    #[x_kube(validation = rules::line("区域名称", "displayName"))]
    pub display_name: String,
    /// [immutable] Which network it is. `GovExtranetPublic`: public area of the e-government extranet (政务外网公共区);
    /// `GovExtranetPrivate`: private area of it, one department's own network (政务外网专网区); `Internet`: what the public
    /// reaches (互联网区). The classified network (涉密内网) is none of these: it is run by a separate instance, if at all.
    // A string with a rule instead of an enum: the API server does not run rules on a value outside an enum, and then
    // nobody would read why the classified network is refused.
    #[schemars(with = "String", length(max = 63))]
    #[x_kube(
        validation = rules::immutable("区域类别", "kind"),
        validation = Rule::new("self in ['GovExtranetPublic', 'GovExtranetPrivate', 'Internet']").message(
            "区域类别只能是 GovExtranetPublic（政务外网公共区）、GovExtranetPrivate（政务外网专网区）或 Internet（互联网区）；\
             涉密内网不得接入本平台 (kind must be GovExtranetPublic, GovExtranetPrivate or Internet; the classified network \
             must not be connected to this platform)"
        )
    )]
    pub kind: ZoneKind,
    /// [guarded] Whether each department has a network of its own in this zone (网络隔离), and from which addresses. Absent:
    /// machines lie in the cluster's own network, with walls between departments. Cannot be added or taken away once the
    /// zone exists: machines in it would be cut off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub isolation: Option<ZoneIsolation>,
}

/// What gives each department a network of its own.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ZoneIsolation {
    /// [guarded] Kube-OVN: a virtual router (`Vpc`) for each department, and a `Subnet` behind it for this zone. Kube-OVN has
    /// to be the cluster's own network plugin.
    pub kube_ovn: KubeOvnIsolation,
}

/// From which addresses departments get their subnets.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::subnets_fit())]
pub struct KubeOvnIsolation {
    /// [guarded] IPv4 networks that subnets are taken from, 1 to 16, none within another, e.g. `10.64.0.0/16`. Nothing else may
    /// use them, no other zone either. More can be added; none can be taken away.
    #[schemars(length(max = 16), inner(length(max = 18)))]
    #[x_kube(
        validation = rules::address_ranges("地址段", "cidrs"),
        validation = rules::apart("地址段", "cidrs"),
        validation = rules::only_added("地址段", "cidrs"),
        merge_strategy = ListMerge::Set
    )]
    pub cidrs: Vec<String>,
    /// [immutable] How large each subnet is, 16 to 28: 26 is 64 addresses, of which 61 are for machines.
    #[x_kube(
        validation = rules::between("子网前缀长度", "subnetPrefixLength", 16, 28),
        validation = rules::immutable("子网前缀长度", "subnetPrefixLength")
    )]
    pub subnet_prefix_length: u32,
}

/// The networks this platform may serve (DB34/T 3607-2020: 公共区, 专网区, 互联网出口).
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
    strum::Display,
    strum::IntoStaticStr,
    strum::EnumIter,
    strum::EnumString,
)]
pub enum ZoneKind {
    /// public area of the e-government extranet (政务外网公共区).
    GovExtranetPublic,
    /// private area of the e-government extranet, one department's own network (政务外网专网区).
    GovExtranetPrivate,
    /// what the public reaches (互联网区).
    Internet,
}
