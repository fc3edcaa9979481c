//! The department under attack: it has an object behind every route, so that a route that lets somebody in has something to
//! show.

use jiyun_crds::{
    names::department_namespace,
    v1alpha1::{CloudVolume, Reason},
};
use jiyun_tests::{
    Order, World, WorldError,
    bucket::Buckets,
    database::Databases,
    desk::{Desk, approved},
    snapshot::{Of, Snapshots},
    volume::Volumes,
    walls::Walls,
    world::{Bureau, Quota},
};
use kube::{Api, ResourceExt};
use serde_json::json;

/// Names for what the routes ask for, in the department under attack.
pub const HOST: &str = "web-1";
pub const SYSTEM: &str = "portal";
pub const FLOW: &str = "to-room";
pub const DATABASE: &str = "records";
pub const VOLUME: &str = "papers";
pub const BUCKET: &str = "scans";
pub const SNAPSHOT: &str = "papers-1";

/// A department with a host that runs, a database, a volume and a snapshot of it, a bucket, a flow that waits, its order, and what
/// one of two levels said about that.
pub struct Victim<'a> {
    pub walls: Walls<'a>,
    /// The order that waits for its second level.
    pub order: String,
}

impl<'a> Victim<'a> {
    pub async fn of(world: &'a World) -> Result<Self, WorldError> {
        let desk = Desk { bureau: world.department(Quota::cores(8)).await? };
        let bureau = &desk.bureau;
        bureau.caller.post(&bureau.hosts_path(), &Order::new(HOST, SYSTEM).body(), 30).await?;
        bureau.wait_ready(HOST).await?;
        // With two levels there is an order that still waits and an approval of it.
        let rules = json!({
            "appliesTo": {"departments": [bureau.name], "flows": ["Outside"]},
            "levels": [
                {"name": "leader", "rank": 10, "roles": ["DepartmentApprovers"]},
                {"name": "security", "rank": 20, "groups": ["county-security-office"]},
            ],
        });
        desk.policy(rules).await?;
        // Where nothing makes databases it waits, and is there to be read, changed and deleted all the same.
        let databases = Databases { bureau: &desk.bureau };
        databases.apply(&databases.order(DATABASE, "Single")).await?;
        let volume = json!({
            "apiVersion": "jiyun.io/v1alpha1", "kind": "CloudVolume",
            "metadata": {"name": VOLUME, "namespace": department_namespace(&bureau.name)},
            "spec": {"systemRef": {"name": SYSTEM}, "zoneRef": {"name": "extranet-public"}, "tier": "standard", "size": "10Gi"},
        });
        world.take("a volume", &volume.to_string()).await?;
        Volumes { bureau }.wait_ready(VOLUME, "Available").await?;
        // Where disks have no storage it is granted and not taken.
        let snapshots = Snapshots { bureau };
        world.take("a snapshot", &snapshots.object(SNAPSHOT, Of::Volume(VOLUME)).to_string()).await?;
        // As of databases: nothing makes buckets here.
        let buckets = Buckets { bureau };
        world.take("a bucket", &buckets.object(BUCKET, "10Gi").to_string()).await?;
        let walls = Walls { desk };
        walls.apply(&walls.flow(FLOW, &json!({"ipBlock": {"cidr": "10.20.0.0/16"}}))).await?;
        let waiting = walls.awaited_order(FLOW, &[]).await?;
        walls.desk.approve(&waiting).await?;
        let second = |order: &jiyun_crds::v1alpha1::Order| {
            approved(order) == Some(Reason::AwaitingApproval)
                && order.status.as_ref().is_some_and(|status| status.level.as_deref() == Some("security"))
        };
        let order = waiting.name_any();
        walls.desk.wait_for_order(&order, second).await?;
        Ok(Self { walls, order })
    }

    pub fn bureau(&self) -> &Bureau<'a> {
        &self.walls.desk.bureau
    }

    pub fn name(&self) -> &str {
        &self.bureau().name
    }

    /// Nothing happened to what was attacked.
    pub async fn is_unharmed(&self) -> Result<(), WorldError> {
        let host = self.bureau().wait_ready(HOST).await?;
        assert_eq!(host.metadata.generation, Some(1));
        assert_eq!(self.bureau().used("Vcpu").await?, (2, 0));
        let flow = self.walls.flows().await?.get(FLOW).await?;
        assert_eq!((flow.metadata.generation, flow.metadata.deletion_timestamp), (Some(1), None));
        let databases = Databases { bureau: self.bureau() };
        let database = databases.objects().await?.get(DATABASE).await?;
        assert_eq!((database.metadata.generation, database.metadata.deletion_timestamp), (Some(1), None));
        let client = self.bureau().world.lab.client().await?;
        let volumes = Api::<CloudVolume>::namespaced(client, &department_namespace(self.name()));
        let volume = volumes.get(VOLUME).await?;
        assert_eq!((volume.metadata.generation, volume.metadata.deletion_timestamp), (Some(1), None));
        let bucket = Buckets { bureau: self.bureau() }.objects().await?.get(BUCKET).await?;
        assert_eq!((bucket.metadata.generation, bucket.metadata.deletion_timestamp), (Some(1), None));
        let snapshot = Snapshots { bureau: self.bureau() }.objects().await?.get(SNAPSHOT).await?;
        assert_eq!((snapshot.metadata.generation, snapshot.metadata.deletion_timestamp), (Some(1), None));
        let order = self.walls.desk.orders().await?.get(&self.order).await?;
        assert_eq!(approved(&order), Some(Reason::AwaitingApproval), "{:?}", order.status);
        assert_eq!(order.status.unwrap_or_default().decisions.len(), 1, "nobody else decided");
        assert_eq!(self.walls.desk.names().await?.len(), 1, "nothing else was filed");
        Ok(())
    }
}
