//! What flows are made of: directions, ends and ports, as the API takes and gives them.

use jiyun_crds::v1alpha1 as crds;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Which end opens the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub enum FlowDirection {
    /// The hosts of the system call the peer (出向).
    Egress,
    /// The peer calls the hosts of the system (入向).
    Ingress,
}

/// How far a flow reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub enum FlowReach {
    /// Between hosts of one system (系统内).
    WithinSystem,
    /// Between two systems of one department in one network zone (同区域).
    WithinZone,
    /// Between systems of one department in different network zones (跨区域).
    CrossZone,
    /// To or from a system of another department (跨单位).
    CrossDepartment,
    /// To or from addresses outside the platform (平台外).
    Outside,
}

/// Protocol of a port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum FlowProtocol {
    /// Connections.
    #[default]
    Tcp,
    /// Datagrams.
    Udp,
}

/// The other end of a flow: exactly one of the three.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FlowPeer {
    /// An information system of the same department; the flow's own one as well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<SystemPeer>,
    /// A system of another department. Each department declares its own end; whether there is such a system is told to
    /// nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub foreign: Option<ForeignPeer>,
    /// Addresses outside the platform.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip_block: Option<IpBlock>,
}

/// A system of the same department.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SystemPeer {
    /// Its name.
    #[schema(max_length = 63, example = "budget")]
    pub name: String,
    /// Names of its hosts, at most 32; left out: all of them.
    #[serde(default)]
    #[schema(max_items = 32, example = json!(["budget-db"]))]
    pub hosts: Vec<String>,
}

/// A system of another department.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ForeignPeer {
    /// Name of the department, as it tells it.
    #[schema(max_length = 63, example = "tax")]
    pub department: String,
    /// Name of its system, as it tells it.
    #[schema(max_length = 63, example = "filing")]
    pub system: String,
}

/// Addresses outside the platform.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IpBlock {
    /// Network in CIDR notation, IPv4 or IPv6.
    #[schema(max_length = 43, example = "10.20.0.0/16")]
    pub cidr: String,
    /// Networks within it that are left out, at most 8.
    #[serde(default)]
    #[schema(max_items = 8, example = json!(["10.20.30.0/24"]))]
    pub except: Vec<String>,
}

/// One port, or some in a row.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FlowPort {
    /// Protocol; left out: `TCP`.
    #[serde(default)]
    pub protocol: FlowProtocol,
    /// The port, or the first of them.
    #[schema(minimum = 1, maximum = 65535, example = 443)]
    pub port: u32,
    /// The last of them; left out: that port alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 65535, example = 443)]
    pub end_port: Option<u32>,
}

impl From<FlowDirection> for crds::FlowDirection {
    fn from(direction: FlowDirection) -> Self {
        match direction {
            FlowDirection::Egress => Self::Egress,
            FlowDirection::Ingress => Self::Ingress,
        }
    }
}

impl From<crds::FlowDirection> for FlowDirection {
    fn from(direction: crds::FlowDirection) -> Self {
        match direction {
            crds::FlowDirection::Egress => Self::Egress,
            crds::FlowDirection::Ingress => Self::Ingress,
        }
    }
}

impl From<crds::FlowReach> for FlowReach {
    fn from(reach: crds::FlowReach) -> Self {
        match reach {
            crds::FlowReach::WithinSystem => Self::WithinSystem,
            crds::FlowReach::WithinZone => Self::WithinZone,
            crds::FlowReach::CrossZone => Self::CrossZone,
            crds::FlowReach::CrossDepartment => Self::CrossDepartment,
            crds::FlowReach::Outside => Self::Outside,
        }
    }
}

impl From<FlowPeer> for crds::FlowPeer {
    fn from(FlowPeer { system, foreign, ip_block }: FlowPeer) -> Self {
        Self {
            system: system.map(|SystemPeer { name, hosts }| crds::SystemPeer { name, hosts }),
            foreign: foreign.map(|ForeignPeer { department, system }| crds::ForeignPeer { department, system }),
            ip_block: ip_block.map(|IpBlock { cidr, except }| crds::IpBlock { cidr, except }),
        }
    }
}

impl From<crds::FlowPeer> for FlowPeer {
    fn from(crds::FlowPeer { system, foreign, ip_block }: crds::FlowPeer) -> Self {
        Self {
            system: system.map(|crds::SystemPeer { name, hosts }| SystemPeer { name, hosts }),
            foreign: foreign.map(|crds::ForeignPeer { department, system }| ForeignPeer { department, system }),
            ip_block: ip_block.map(|crds::IpBlock { cidr, except }| IpBlock { cidr, except }),
        }
    }
}

impl From<FlowPort> for crds::FlowPort {
    fn from(FlowPort { protocol, port, end_port }: FlowPort) -> Self {
        let protocol = match protocol {
            FlowProtocol::Tcp => crds::FlowProtocol::TCP,
            FlowProtocol::Udp => crds::FlowProtocol::UDP,
        };
        Self { protocol, port, end_port }
    }
}

impl From<crds::FlowPort> for FlowPort {
    fn from(crds::FlowPort { protocol, port, end_port }: crds::FlowPort) -> Self {
        let protocol = match protocol {
            crds::FlowProtocol::TCP => FlowProtocol::Tcp,
            crds::FlowProtocol::UDP => FlowProtocol::Udp,
        };
        Self { protocol, port, end_port }
    }
}
