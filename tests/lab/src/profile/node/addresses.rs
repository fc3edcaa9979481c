//! Addresses in a node. They are in a network namespace of its own, so every lab has the same.

use std::net::Ipv4Addr;

/// The node.
pub(crate) const NODE: Ipv4Addr = Ipv4Addr::new(192, 168, 77, 11);
/// The API server, as the node and its pods reach it.
pub(crate) const API: Ipv4Addr = Ipv4Addr::new(192, 168, 77, 1);
/// The first of the services' addresses, which Kubernetes gives to itself.
pub(crate) const KUBERNETES: &str = "10.0.0.1";
/// The name server's service.
pub(crate) const DNS: &str = "10.0.0.10";
/// All pods.
pub(crate) const PODS: &str = "10.244.0.0/16";
/// The pods of the first node.
pub(crate) const POD_NETWORK: &str = "10.244.1.0/24";
