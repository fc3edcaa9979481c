//! What is there on the engines: machines and disks with the claim they carry and their size.

use std::collections::{BTreeMap, BTreeSet};

use jiyun_crds::names::{LABEL_CLAIM, system_disk_name};
use jiyun_ledger::{Claim, Meter};
use kube::{ResourceExt, api::DynamicObject};
use serde_json::Value;

use crate::{
    content::is_restoring,
    host::{
        lease,
        request::{engine_name, engine_namespace},
    },
};

/// Namespace and name.
type Key = (String, String);

/// One engine object.
#[derive(Clone, Debug, PartialEq)]
pub struct Fact {
    /// The claim it carries.
    pub label: Option<String>,
    /// Its spec.
    pub spec: Value,
}

/// Everything there is.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Machines.
    pub machines: BTreeMap<Key, Fact>,
    /// Disks.
    pub disks: BTreeMap<Key, Fact>,
    /// Names of namespaces.
    pub namespaces: BTreeSet<String>,
}

/// By namespace and name.
pub fn by_name(objects: Vec<DynamicObject>) -> BTreeMap<Key, Fact> {
    let fact = |object: DynamicObject| {
        let key = (object.namespace().unwrap_or_default(), object.name_any());
        let label = object.labels().get(LABEL_CLAIM).cloned();
        (key, Fact { label, spec: object.data.get("spec").cloned().unwrap_or_default() })
    };
    objects.into_iter().map(fact).collect()
}

impl Facts {
    fn machine(&self, claim: &Claim) -> Option<&Fact> {
        self.machines.get(&(engine_namespace(claim), engine_name(claim).to_owned()))
    }

    fn disk(&self, claim: &Claim) -> Option<&Fact> {
        self.disks.get(&(engine_namespace(claim), system_disk_name(engine_name(claim))))
    }

    /// The namespace in which the machine or disk with this label lies; none if there is neither.
    pub fn namespace_of(&self, label: &str) -> Option<&str> {
        let all = self.machines.iter().chain(&self.disks);
        let mut theirs = all.filter(|(_, fact)| fact.label.as_deref() == Some(label));
        theirs.next().map(|((namespace, _), _)| namespace.as_str())
    }

    /// Whether a machine or a disk of this claim is there.
    pub fn has_any(&self, claim: &Claim, label: &str) -> bool {
        let theirs = |fact: Option<&Fact>| fact.is_some_and(|fact| fact.label.as_deref() == Some(label));
        theirs(self.machine(claim)) || theirs(self.disk(claim))
    }

    /// Whether both are there; of an archived host its disk, and of one whose disk is being made anew its machine.
    pub fn is_whole(&self, claim: &Claim, label: &str) -> bool {
        let theirs = |fact: Option<&Fact>| fact.is_some_and(|fact| fact.label.as_deref() == Some(label));
        (theirs(self.machine(claim)) || lease::is_archived(claim)) && (theirs(self.disk(claim)) || is_restoring(claim))
    }

    /// Why what is there is not what the claim says; none if it is, or is not there at all. Its wish may have been edited
    /// since, which was never approved.
    pub fn contradicts(&self, claim: &Claim, label: &str) -> Option<String> {
        let (machine, disk) = (self.machine(claim), self.disk(claim));
        for (what, fact) in [("machine", machine), ("disk", disk)] {
            let other = fact.and_then(|fact| Some((fact.label.clone()?, fact))).filter(|(carried, _)| carried != label);
            if let Some((carried, _)) = other {
                return Some(format!("its {what} carries {carried}, and not {label}"));
            }
        }
        let held = |meter| claim.lines.iter().filter(|line| line.meter == meter).map(|line| line.quantity).sum::<u64>();
        let cores = machine.and_then(|fact| fact.spec.pointer("/template/spec/domain/cpu/sockets")?.as_u64());
        let memory = machine.and_then(|fact| mebibytes(fact.spec.pointer("/template/spec/domain/memory/guest")?));
        let size = disk.and_then(|fact| mebibytes(fact.spec.pointer("/storage/resources/requests/storage")?));
        // A copy of a snapshot is made as large as its engine wants it: that much more was never granted.
        let is_copy = disk.is_some_and(|fact| fact.spec.pointer("/source/snapshot").is_some());
        let size = size.filter(|size| !is_copy || *size < held(Meter::BlockStorage));
        let told = [(Meter::Vcpu, cores), (Meter::Memory, memory), (Meter::BlockStorage, size)];
        told.into_iter().find_map(|(meter, is)| {
            let is = is.filter(|is| *is != held(meter))?;
            Some(format!("its machine has {is} {} of {meter}, and its spec asks for {}", meter.unit(), held(meter)))
        })
    }
}

/// A size as this program writes it (`4096Mi`).
fn mebibytes(text: &Value) -> Option<u64> {
    text.as_str()?.strip_suffix("Mi")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const LABEL: &str = "claim-7.book";

    fn claim() -> Claim {
        let line = |meter: &str, pool: &str, quantity: u64| -> Value {
            json!({"meter": meter, "pool": pool, "dimensions": {}, "quantity": quantity})
        };
        serde_json::from_value(json!({
            "id": 7, "account": "finance", "system": "budget",
            "subject": {"kind": "CloudHost", "namespace": "dept-finance", "name": "web", "uid": "u-1"},
            "item": "basic", "specDigest": "d", "approvedSpec": {}, "reservedAt": "2026-02-01T00:00:00Z",
            "lines": [
                line("Vcpu", "compute/x86", 2), line("Memory", "compute/x86", 4096),
                line("BlockStorage", "storage/ceph", 41_500),
            ],
        }))
        .unwrap()
    }

    /// A machine as it was granted, with a disk of this size that was filled from `source`.
    fn there(size: &str, source: &Value) -> Facts {
        let fact = |spec: Value| Fact { label: Some(LABEL.to_owned()), spec };
        let key = |name: &str| ("engine-finance".to_owned(), name.to_owned());
        let machine = json!({"template": {"spec": {"domain": {"cpu": {"sockets": 2}, "memory": {"guest": "4096Mi"}}}}});
        let disk = json!({"source": source, "storage": {"resources": {"requests": {"storage": size}}}});
        Facts {
            machines: [(key("web"), fact(machine))].into(),
            disks: [(key("web-system"), fact(disk))].into(),
            namespaces: BTreeSet::new(),
        }
    }

    #[test]
    fn a_copy_of_a_snapshot_may_be_larger_than_what_was_granted_and_no_other_disk_may() {
        let contradicts = |size: &str, source: &Value| there(size, source).contradicts(&claim(), LABEL);
        let image = json!({"http": {"url": "http://images/kylin.qcow2"}});
        let copy = json!({"snapshot": {"namespace": "engine-finance", "name": "web-1-snapshot"}});
        assert_eq!(contradicts("41500Mi", &image), None);
        assert!(contradicts("41984Mi", &image).is_some_and(|why| why.contains("41984")));
        assert_eq!(contradicts("41984Mi", &copy), None, "in whole GiB, or more");
        assert_eq!(contradicts("41500Mi", &copy), None);
        assert!(contradicts("40960Mi", &copy).is_some_and(|why| why.contains("40960")), "less than was granted");
    }

    #[test]
    fn what_carries_the_claim_of_another_is_told_before_its_size() {
        let mut facts = there("41984Mi", &json!({"snapshot": {"name": "web-1-snapshot"}}));
        for disk in facts.disks.values_mut() {
            disk.label = Some("claim-8.book".to_owned());
        }
        let why = facts.contradicts(&claim(), LABEL).unwrap();
        assert!(why.contains("claim-8.book"), "{why}");
    }
}
