//! The system that is measured: a world with departments and pools of its own, wide enough for any number of hosts.

use std::time::Duration;

use jiff::Timestamp;
use jiyun_crds::{names::department_namespace, v1alpha1::QuotaReport};

use super::{
    BenchError,
    audit::{self, Write},
    progress::say,
    requests::Requests,
};
use crate::{Caller, World, WorldOptions, world::Quota};
use jiyun_lab::{LabOptions, wait_for};
use kube::Api;

/// Departments the hosts are spread over.
const DEPARTMENTS: usize = 10;

/// The catalogue of the city, without its pools.
const FILES: [&str; 6] =
    ["00-zones.yaml", "10-site.yaml", "30-classes.yaml", "40-images.yaml", "50-prices.yaml", "55-approvals.yaml"];

/// Room for 50,000 hosts of 2 cores, 4 GiB and 40 GiB of disk ten times over; the largest pools the kinds allow.
const POOLS: &str = "
apiVersion: jiyun.io/v1alpha1
kind: ComputePool
metadata: {name: bench-compute}
spec:
  siteRef: {name: hengshan-main}
  zones: [extranet-public]
  architecture: amd64
  processor: simulated
  provider: bench
  maxProtectionLevel: 3
  capacity: {vcpu: 1000000, memory: 4Pi}
---
apiVersion: jiyun.io/v1alpha1
kind: StoragePool
metadata: {name: bench-storage}
spec:
  siteRef: {name: hengshan-main}
  zones: [extranet-public]
  tier: standard
  storageClassName: standard
  provider: bench
  maxProtectionLevel: 3
  capacity: 20Pi
";

/// As much of each as the pools have.
const QUOTA: Quota = Quota { vcpu: 1_000_000, memory_gibibytes: 4 << 20, storage_gibibytes: 20 << 20 };

/// How long the first quota reports may take; they are written every ten seconds.
const REPORTED: Duration = Duration::from_mins(1);

/// Name of the audit log in the lab's folder.
const AUDIT: &str = "audit.jsonl";

/// A running system with its departments.
#[derive(Debug)]
pub struct Town {
    /// The system.
    pub world: World,
    departments: Vec<(String, Caller)>,
}

impl Town {
    /// Starts a system and waits until its departments are ready for orders. `audited` writes the audit log, which
    /// costs the API server time: both sides of a comparison have it or neither has.
    ///
    /// # Errors
    /// See [`BenchError`].
    pub async fn start(what: &str, audited: bool) -> Result<Self, BenchError> {
        say(&format!("{what}: a new lab"));
        let names: Vec<String> = (0..DEPARTMENTS).map(|number| format!("bench-{number}")).collect();
        // A figure is about this machine, whatever cluster the environment names.
        let mut lab = LabOptions::default().own_cluster().departments(names.iter().cloned());
        if audited {
            lab = lab.audit(AUDIT);
        }
        let options = WorldOptions { lab, files: FILES.to_vec(), controller_arguments: Vec::new() };
        let world = World::start(options).await?;
        world.take("the pools", POOLS).await?;
        let mut departments = Vec::new();
        for name in names {
            let caller = world.named_department(&name, QUOTA).await?.caller;
            departments.push((name, caller));
        }
        let town = Self { world, departments };
        town.reported().await?;
        Ok(town)
    }

    /// Waits until every department has its quota report: a replay writes to it, and makes none.
    async fn reported(&self) -> Result<(), BenchError> {
        let client = self.world.lab.client().await?;
        for (name, _) in &self.departments {
            let reports = Api::<QuotaReport>::namespaced(client.clone(), &department_namespace(name));
            wait_for(format!("the quota report of {name}"), REPORTED, || async {
                reports.get(name).await.map_err(|error| error.to_string())
            })
            .await?;
        }
        Ok(())
    }

    /// The department that host `number` belongs to, and its operator.
    ///
    /// # Errors
    /// When there are no departments.
    pub fn department(&self, number: usize) -> Result<(&str, &Caller), BenchError> {
        let chosen = self.departments.get(number % self.departments.len().max(1));
        let (name, caller) = chosen.ok_or(BenchError::Nothing("there are no departments"))?;
        Ok((name, caller))
    }

    /// The changing requests answered since `since`.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn writes(&self, since: Timestamp) -> Result<Vec<Write>, BenchError> {
        let path = self.world.lab.folder().join(AUDIT);
        let text = std::fs::read_to_string(&path).map_err(BenchError::file(path))?;
        let mut writes = audit::parse(&text)?;
        writes.retain(|write| write.at >= since);
        Ok(writes)
    }

    /// The API server's own count.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn requests(&self) -> Result<Requests, BenchError> {
        let request = http::Request::get("/metrics").body(Vec::new());
        let request = request.map_err(kube::Error::HttpError)?;
        let text = self.world.lab.client().await?.request_text(request).await?;
        Ok(Requests::parse(&text)?)
    }

    /// Stops our components; what they made stays.
    pub async fn silence(&self) {
        self.world.api.stop().await;
        self.world.controller.stop().await;
    }

    /// Ends the system.
    ///
    /// # Errors
    /// When it cannot be stopped.
    pub async fn close(self) -> Result<(), BenchError> {
        Ok(self.world.close().await?)
    }
}
