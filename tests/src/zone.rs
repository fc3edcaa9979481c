//! A network zone of a test's own, in which each department has a network of its own: what is given to whom, and what the
//! engine was asked to make of it.

use jiyun_crds::{
    names::{LABEL_ZONE, SYSTEM_NAMESPACE, department_namespace},
    v1alpha1::{ConditionType, NetworkZone, condition},
};
use jiyun_lab::wait_for;
use kube::{
    Api,
    api::{ApiResource, DynamicObject, GroupVersionKind, ListParams},
};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::{
    Order, World, WorldError, WorldOptions,
    world::{Bureau, PATIENCE, Quota},
};

/// A zone, and a department that may use it.
#[derive(Debug)]
pub struct Zone<'a> {
    /// The department; its system `inner` lies in the zone.
    pub bureau: Bureau<'a>,
    /// The zone's name.
    pub name: String,
}

/// A world with Kube-OVN that all tests of departments' networks share.
///
/// # Errors
/// See [`WorldError`].
pub async fn shared() -> Result<&'static World, WorldError> {
    static SHARED: OnceCell<World> = OnceCell::const_new();
    let options = WorldOptions::default();
    let begin = || World::start(WorldOptions { lab: options.lab.clone().kube_ovn().own_cluster(), ..options });
    SHARED.get_or_try_init(begin).await
}

/// A zone with these addresses, and pools that lie in it.
pub fn objects(zone: &str, cidrs: &[&str]) -> [Value; 3] {
    let pool =
        json!({"siteRef": {"name": "hengshan-main"}, "zones": [zone], "provider": "test", "maxProtectionLevel": 3});
    let with = |kind: &str, more: Value| {
        let mut spec = pool.clone();
        if let (Some(spec), Some(more)) = (spec.as_object_mut(), more.as_object()) {
            spec.extend(more.clone());
        }
        json!({"apiVersion": "jiyun.io/v1alpha1", "kind": kind, "metadata": {"name": zone}, "spec": spec})
    };
    let isolation = json!({"kubeOvn": {"cidrs": cidrs, "subnetPrefixLength": 26}});
    [
        json!({
            "apiVersion": "jiyun.io/v1alpha1", "kind": "NetworkZone", "metadata": {"name": zone},
            "spec": {"displayName": "隔离区", "kind": "GovExtranetPrivate", "isolation": isolation},
        }),
        with(
            "ComputePool",
            json!({"architecture": "amd64", "processor": "Hygon", "capacity": {"vcpu": 64, "memory": "1Ti"}}),
        ),
        with("StoragePool", json!({"tier": "standard", "storageClassName": "standard", "capacity": "1Ti"})),
    ]
}

impl<'a> Zone<'a> {
    /// A zone of `world` with these addresses, and a department that may use it.
    ///
    /// # Errors
    /// See [`WorldError`].
    pub async fn open(world: &'a World, cidrs: &[&str]) -> Result<Self, WorldError> {
        Self::of(world.department(Quota::AMPLE).await?, cidrs).await
    }

    /// A zone with these addresses, which this department may use.
    ///
    /// # Errors
    /// See [`WorldError`].
    pub async fn of(bureau: Bureau<'a>, cidrs: &[&str]) -> Result<Self, WorldError> {
        let zone = Self { name: format!("zone-{}", bureau.name), bureau };
        for object in objects(&zone.name, cidrs) {
            zone.bureau.world.take("a zone and its pools", &object.to_string()).await?;
        }
        zone.admit(&zone.bureau).await?;
        Ok(zone)
    }

    /// Lets another department use the zone, with a system `inner` in it.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn admit(&self, bureau: &Bureau<'_>) -> Result<(), WorldError> {
        let zones = json!({"spec": {"zones": ["extranet-public", self.name]}}).to_string();
        bureau.world.lab.kubectl(&["patch", "department", &bureau.name, "--type=merge", "-p", &zones]).await?;
        let inner = json!({
            "apiVersion": "jiyun.io/v1alpha1", "kind": "InformationSystem",
            "metadata": {"name": "inner", "namespace": department_namespace(&bureau.name)},
            "spec": {"displayName": "内部系统", "protectionLevel": 2, "zoneRef": {"name": self.name}, "owner": {"name": "李四"}},
        });
        Ok(bureau.world.lab.apply_text(&inner.to_string()).await?)
    }

    /// An order for a host of the system `inner`.
    pub fn order(&self, host: &str) -> Order {
        Order { zone: self.name.clone(), ..Order::new(host, "inner") }
    }

    /// Waits until the zone's condition `Ready` has this reason.
    ///
    /// # Errors
    /// When it has not in time; the error shows what was seen last.
    pub async fn wait_for_reason(&self, reason: &str) -> Result<String, WorldError> {
        wait_for_reason(self.bureau.world, &self.name, reason).await
    }

    /// The zone's subnets.
    ///
    /// # Errors
    /// When they cannot be listed.
    pub async fn subnets(&self) -> Result<Vec<DynamicObject>, WorldError> {
        let ours = ListParams::default().labels(&format!("{LABEL_ZONE}={}", self.name));
        Ok(engine(self.bureau.world, "Subnet", "subnets").await?.list(&ours).await?.items)
    }

    /// Waits until the zone's only subnet is as described.
    ///
    /// # Errors
    /// When it is not in time.
    pub async fn wait_for_subnet(&self, what: &str, holds: impl Fn(&Value) -> bool) -> Result<Value, WorldError> {
        Ok(wait_for(format!("subnet of {}: {what}", self.name), PATIENCE, || async {
            let found = self.subnets().await.map_err(|error| format!("{error:?}"))?;
            let found: Vec<Value> = found.iter().filter_map(|one| serde_json::to_value(one).ok()).collect();
            match found.as_slice() {
                [one] if holds(one) => Ok(one.clone()),
                _ => Err(format!("{found:?}")),
            }
        })
        .await?)
    }

    /// What the platform has written down as given in this zone, by department.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn given(&self) -> Result<Vec<String>, WorldError> {
        let lab = &self.bureau.world.lab;
        let book = lab.kubectl(&["get", "configmap", "jiyun-subnets", "-n", SYSTEM_NAMESPACE, "-o", "json"]).await?;
        let book: Value = serde_json::from_str(&book).unwrap_or_default();
        let entries = book["data"].as_object().cloned().unwrap_or_default();
        let mine = entries.iter().filter_map(|(name, cidr)| {
            let department = name.strip_suffix(&format!(".{}", self.name))?;
            Some(format!("{department} {}", cidr.as_str()?))
        });
        Ok(mine.collect())
    }
}

/// Waits until the condition `Ready` of a zone has this reason, and gives its message.
///
/// # Errors
/// When it has not in time; the error shows what was seen last.
pub async fn wait_for_reason(world: &World, zone: &str, reason: &str) -> Result<String, WorldError> {
    let api = Api::<NetworkZone>::all(world.lab.client().await?);
    Ok(wait_for(format!("zone {zone} to be {reason}"), PATIENCE, || async {
        let found = api.get(zone).await.map_err(|error| error.to_string())?;
        let conditions = found.status.map(|status| status.conditions).unwrap_or_default();
        match condition::find(&conditions, ConditionType::Ready) {
            Some(ready) if ready.reason == reason => Ok(ready.message.clone()),
            other => Err(format!("{other:?}")),
        }
    })
    .await?)
}

/// Kube-OVN's objects of a kind.
///
/// # Errors
/// When there is no client.
pub async fn engine(world: &World, kind: &str, plural: &str) -> Result<Api<DynamicObject>, WorldError> {
    let resource = ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk("kubeovn.io", "v1", kind), plural);
    Ok(Api::all_with(world.lab.client().await?, &resource))
}
