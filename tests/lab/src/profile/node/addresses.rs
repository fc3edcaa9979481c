//! Addresses in the nodes. They are in network namespaces of the lab's own, so every lab has the same.

use std::net::Ipv4Addr;

/// The API server, as every node and its pods reach it.
pub(crate) const API: Ipv4Addr = Ipv4Addr::new(192, 168, 77, 1);
/// The first of the services' addresses, which Kubernetes gives to itself.
pub(crate) const KUBERNETES: &str = "10.0.0.1";
/// The name server's service.
pub(crate) const DNS: &str = "10.0.0.10";
/// All pods.
pub(crate) const PODS: &str = "10.244.0.0/16";

/// The node of this number, which counts from 1.
pub(crate) fn node(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(192, 168, 77, 10 + number)
}

/// The hardware address of that node on the switch, one of those anybody may give (IEEE 802, locally administered).
pub(crate) fn hardware(number: u8) -> String {
    format!("02:6c:61:62:00:{number:02x}")
}

/// The pods of that node.
pub(crate) fn pods(number: u8) -> String {
    format!("10.244.{number}.0/24")
}
