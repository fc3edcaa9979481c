//! What a department asks of the book: a host with its disk, as large as the controller would write it.

use jiff::Timestamp;
use jiyun_ledger::{ClaimRequest, Meter, Placement, PoolKind, Subject};
use serde_json::json;

use super::{
    city::{ARCHITECTURES, City, MEMORY, STORAGE, TIER, ZONE},
    random::Random,
};

/// Quantities of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Cores.
    pub vcpu: u64,
    /// Memory in MiB.
    pub memory: u64,
    /// Disk in MiB.
    pub disk: u64,
}

impl Size {
    /// As many cores, and memory and disk about as a quota has them.
    pub fn of(vcpu: u64, random: &mut Random) -> Self {
        Self { vcpu, memory: vcpu * MEMORY * random.between(3, 5) / 4, disk: vcpu * STORAGE * random.between(3, 5) / 4 }
    }

    /// One to eight cores.
    pub fn any(random: &mut Random) -> Self {
        let vcpu = random.between(1, 8);
        Self::of(vcpu, random)
    }
}

/// A host somebody wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Host {
    /// The department's number.
    pub department: usize,
    /// Its number within the department.
    pub number: u64,
    /// How large.
    pub size: Size,
}

impl Host {
    /// Tells its object from all others; as long as a UID is.
    pub fn uid(&self) -> String {
        format!("{:08x}-0000-4000-8000-{:012x}", self.department, self.number)
    }

    /// The architecture it must have: that of its number.
    pub fn architecture(&self) -> &'static str {
        if self.number.is_multiple_of(2) { ARCHITECTURES[0] } else { ARCHITECTURES[1] }
    }

    /// What is asked of the book; no place in line is asked for.
    pub fn request(&self, city: &City, hold_until: Option<Timestamp>) -> ClaimRequest {
        let account = city.department(self.department);
        let Size { vcpu, memory, disk } = self.size;
        let architecture = self.architecture();
        let class = format!("general-{vcpu}c{}g", memory / 1024);
        ClaimRequest {
            system: "filing".to_owned(),
            subject: Subject {
                kind: "CloudHost".to_owned(),
                namespace: format!("dept-{account}"),
                name: format!("host-{:06}", self.number),
                uid: self.uid(),
            },
            account,
            item: class.clone(),
            zone: ZONE.to_owned(),
            protection_level: 2,
            placements: vec![
                Placement {
                    pool_kind: PoolKind::Compute,
                    architecture: Some(architecture.to_owned()),
                    tier: None,
                    site: None,
                    pool: None,
                    quantities: [(Meter::Hosts, 1), (Meter::Vcpu, vcpu), (Meter::Memory, memory)].into(),
                },
                Placement {
                    pool_kind: PoolKind::Storage,
                    architecture: None,
                    tier: Some(TIER.to_owned()),
                    site: None,
                    pool: None,
                    quantities: [(Meter::BlockStorage, disk)].into(),
                },
            ],
            spec_digest: format!("{vcpu:016x}{memory:016x}{disk:016x}{:016x}", self.number),
            approved_spec: json!({
                "class": class, "image": "openeuler-24.03", "imageSource": {"http": "https://images.city.example/openeuler-24.03"},
                "vcpu": vcpu, "memoryMebibytes": memory, "architecture": architecture, "diskTier": TIER,
                "diskMebibytes": disk, "sshAuthorizedKeys": [format!("ssh-ed25519 {} operator", "A".repeat(68))],
            })
            .into(),
            hold_until,
            wait: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::ledger::city::Shape;

    #[test]
    fn equal_wishes_have_equal_digests_and_as_many_bytes_whatever_their_number() {
        let city = City::new(Shape { departments: 20, cores: 100, above: 100 });
        let size = Size { vcpu: 4, memory: 16_384, disk: 40_960 };
        let host = |number| Host { department: 3, number, size }.request(&city, None);
        assert_eq!(host(1), host(1));
        let resized = Host { department: 3, number: 1, size: Size { vcpu: 5, ..size } }.request(&city, None);
        assert_ne!(host(1).spec_digest, resized.spec_digest);
        assert_eq!(host(1).subject, resized.subject);
        let bytes = |number| serde_json::to_vec(&host(number)).unwrap().len();
        assert_eq!(bytes(1), bytes(50_001));
        assert_eq!((host(1).validate(), host(1).spec_digest.len(), host(1).subject.uid.len()), (Ok(()), 64, 36));
    }
}
