//! The addresses a zone gives out, and whether an older zone gives out the same.

use jiyun_crds::v1alpha1::{KubeOvnIsolation, NetworkZone};
use kube::ResourceExt;

use crate::cidr::{Cidr, InvalidCidr};

/// From which networks subnets of which size are taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ranges {
    /// The networks, in the order in which they are used up.
    pub cidrs: Vec<Cidr>,
    /// Prefix length of a subnet.
    pub length: u8,
}

/// Two zones with an address in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overlap {
    /// The network of the zone that was asked about.
    pub own: Cidr,
    /// That of the older zone.
    pub other: Cidr,
    /// The older zone.
    pub zone: String,
}

impl Ranges {
    /// Reads what a zone asks for.
    ///
    /// # Errors
    /// When a text is no network, which the rules of the kind exclude.
    pub fn of(wish: &KubeOvnIsolation) -> Result<Self, InvalidCidr> {
        let cidrs: Result<Vec<Cidr>, _> = wish.cidrs.iter().map(|text| text.parse()).collect();
        Ok(Self { cidrs: cidrs?, length: u8::try_from(wish.subnet_prefix_length).map_err(|_| InvalidCidr)? })
    }
}

/// The first network of `zone` that overlaps one of an older zone: the older one goes on, the younger one is to be mended.
pub fn overlapping(zone: &NetworkZone, ranges: &Ranges, all: &[NetworkZone]) -> Option<Overlap> {
    let mut older: Vec<&NetworkZone> = all.iter().filter(|other| age(other) < age(zone)).collect();
    older.sort_by_key(|other| age(other));
    older.into_iter().find_map(|other| {
        let theirs = Ranges::of(&other.spec.isolation.as_ref()?.kube_ovn).ok()?;
        let pairs = ranges.cidrs.iter().flat_map(|own| theirs.cidrs.iter().map(move |other| (*own, *other)));
        let (own, foreign) = pairs.into_iter().find(|(own, other)| own.overlaps(*other))?;
        Some(Overlap { own, other: foreign, zone: other.name_any() })
    })
}

/// Zones of one second are told apart by their names.
fn age(zone: &NetworkZone) -> (Option<jiff::Timestamp>, Option<&str>) {
    let meta = &zone.metadata;
    (meta.creation_timestamp.as_ref().map(|created| created.0), meta.name.as_deref())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn zone(name: &str, created: &str, cidrs: &[&str]) -> NetworkZone {
        serde_json::from_value(json!({
            "apiVersion": "jiyun.io/v1alpha1", "kind": "NetworkZone",
            "metadata": {"name": name, "creationTimestamp": created},
            "spec": {"displayName": name, "kind": "Internet",
                     "isolation": {"kubeOvn": {"cidrs": cidrs, "subnetPrefixLength": 26}}},
        }))
        .unwrap()
    }

    #[test]
    fn the_younger_of_two_zones_with_the_same_addresses_is_the_one_to_mend() {
        let old = zone("old", "2026-01-01T00:00:00Z", &["10.64.0.0/16", "10.80.0.0/16"]);
        let young = zone("a-young-one", "2026-02-01T00:00:00Z", &["10.96.0.0/16", "10.80.4.0/24"]);
        let all = [young.clone(), old.clone()];
        let of = |zone: &NetworkZone| {
            overlapping(zone, &Ranges::of(&zone.spec.isolation.as_ref().unwrap().kube_ovn).unwrap(), &all)
        };
        assert_eq!(of(&old), None);
        let found = of(&young).unwrap();
        assert_eq!((found.own.to_string(), found.other.to_string()), ("10.80.4.0/24".into(), "10.80.0.0/16".into()));
        assert_eq!(found.zone, "old");
    }
}
