//! What is there on the engines: machines and disks with the claim they carry and their size.

use std::collections::{BTreeMap, BTreeSet};

use jiyun_crds::names::{LABEL_CLAIM, system_disk_name};
use jiyun_ledger::{Claim, Meter};
use kube::{ResourceExt, api::DynamicObject};
use serde_json::Value;

use crate::host::{
    lease,
    request::{engine_name, engine_namespace},
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

    /// Whether both are there; of an archived host its disk.
    pub fn is_whole(&self, claim: &Claim, label: &str) -> bool {
        let theirs = |fact: Option<&Fact>| fact.is_some_and(|fact| fact.label.as_deref() == Some(label));
        (theirs(self.machine(claim)) || lease::is_archived(claim)) && theirs(self.disk(claim))
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
