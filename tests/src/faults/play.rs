//! What the controller is killed during: hosts that come, are refused, stand in line, are resized and go; a department's
//! whole life.

use jiyun_crds::{
    names::{USER_DATA_KEY, USER_DATA_TYPE, department_namespace},
    v1alpha1::{ApprovalDecision, CloudHost, ConditionType, Reason},
};
use jiyun_lab::wait_for;
use kube::ResourceExt;
use serde_json::json;

use super::{FaultError, stage::Stage};
use crate::{
    Order,
    desk::{Desk, approved, reason_of},
    world::{Bureau, PATIENCE, has, reason},
};

/// The department in which hosts live. Its quota is of 4 cores.
pub const DEPARTMENT: &str = "points";
/// A tier whose pool holds one disk.
pub const NARROW: &str = "narrow";
/// A disk that people have to agree to: see [`policy`].
const LARGE: &str = "200Gi";

/// What people of the department have to agree to: disks above 100 GiB.
pub fn policy() -> serde_json::Value {
    json!({
        "apiVersion": "jiyun.io/v1alpha1", "kind": "ApprovalPolicy", "metadata": {"name": DEPARTMENT},
        "spec": {
            "displayName": "大容量磁盘", "appliesTo": {"departments": [DEPARTMENT]},
            "automatic": {"vcpu": 1000, "memory": "1Ti", "blockStorage": "100Gi"},
        },
    })
}

/// The Secret with user data of a host.
const BOOT: &str = "boot";

/// User data that hosts of the department may name.
pub fn user_data() -> serde_json::Value {
    json!({
        "apiVersion": "v1", "kind": "Secret", "type": USER_DATA_TYPE,
        "metadata": {"name": BOOT, "namespace": department_namespace(DEPARTMENT)},
        "stringData": {(USER_DATA_KEY): "#!/bin/sh\nexit 0\n"},
    })
}

/// One of them. The controller is started before its first scene and told to stop after its last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Play {
    /// A host with user data is granted, another refused, both go.
    Host,
    /// A host waits in line behind another, which goes.
    Line,
    /// A department comes and goes.
    Department,
    /// People agree to a host, which then goes, and refuse another.
    Order,
    /// A host grows, shrinks again, and grows by what people agree to.
    Resize,
}

impl Play {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Host, Self::Line, Self::Department, Self::Order, Self::Resize];

    /// How many scenes it has.
    pub const fn scenes(self) -> usize {
        match self {
            Self::Host => 3,
            Self::Line => 4,
            Self::Department => 2,
            Self::Order => 5,
            Self::Resize => 6,
        }
    }

    /// After which scenes what is written now and then is waited for.
    pub const fn is_quiet_after(self, scene: usize) -> bool {
        match self {
            Self::Host => scene == 0 || scene == 2,
            Self::Line => scene == 1 || scene == 3,
            Self::Department => scene == 0,
            Self::Order | Self::Resize => false,
        }
    }

    /// Plays a scene until its outcome can be seen.
    ///
    /// # Errors
    /// When it does not come to that.
    pub async fn scene(self, stage: &Stage, scene: usize) -> Result<(), FaultError> {
        let bureau = stage.bureau()?;
        let large = |name: &str| Order { size: LARGE.to_owned(), ..Order::new(name, "portal") };
        let narrow = |name: &str| Order { tier: NARROW.to_owned(), ..Order::new(name, "portal") };
        match (self, scene) {
            (Self::Host, 0) => {
                let mut web = Order::new("web", "portal").object(&bureau.name);
                web["spec"]["userDataSecretRef"] = json!({"name": BOOT});
                taken(&bureau, &web).await?;
                bureau.wait_ready("web").await?;
            }
            (Self::Host, 1) => {
                order(&bureau, &Order::new("big", "portal").class("basic-4c8g")).await?;
                stands(&bureau, "big", "ExceedsLimit").await?;
            }
            (Self::Host, _) => gone(&bureau, &["web", "big"]).await?,
            (Self::Line, 0) => {
                order(&bureau, &narrow("first")).await?;
                bureau.wait_ready("first").await?;
            }
            (Self::Line, 1) => {
                order(&bureau, &narrow("next")).await?;
                stands(&bureau, "next", "WaitingForCapacity").await?;
            }
            (Self::Line, 2) => {
                gone(&bureau, &["first"]).await?;
                bureau.wait_ready("next").await?;
            }
            (Self::Line, _) => gone(&bureau, &["next"]).await?,
            (Self::Order, 0) => {
                order(&bureau, &large("agreed")).await?;
                Desk { bureau }.awaited_order("agreed").await?;
            }
            (Self::Order, 1) => {
                let desk = Desk { bureau };
                let awaited = desk.awaited_order("agreed").await?;
                desk.approve(&awaited).await?;
                desk.bureau.wait_ready("agreed").await?;
                let done = |order: &_| reason_of(order, ConditionType::Fulfilled) == Some(Reason::Fulfilled);
                desk.wait_for_order(&awaited.name_any(), done).await?;
            }
            (Self::Order, 2) => gone(&bureau, &["agreed"]).await?,
            (Self::Order, 3) => {
                order(&bureau, &large("refused")).await?;
                let desk = Desk { bureau };
                let awaited = desk.awaited_order("refused").await?;
                let approver = format!("{DEPARTMENT}-approver");
                desk.decide(&approver, &awaited, ApprovalDecision::Refuse, "不需要").await?;
                stands(&desk.bureau, "refused", "OrderRefused").await?;
            }
            (Self::Order, _) => gone(&bureau, &["refused"]).await?,
            (Self::Resize, 0) => {
                order(&bureau, &Order::new("sized", "portal")).await?;
                bureau.wait_ready("sized").await?;
            }
            (Self::Resize, 1) => {
                change(&bureau, "sized", &json!({"classRef": {"name": "basic-4c8g"}})).await?;
                granted(&bureau, "sized", ("basic-4c8g", "40Gi"), "RestartPending").await?;
                restart(&bureau, "sized").await?;
                granted(&bureau, "sized", ("basic-4c8g", "40Gi"), "Provisioned").await?;
            }
            (Self::Resize, 2) => {
                change(&bureau, "sized", &json!({"classRef": {"name": "basic-2c4g"}})).await?;
                granted(&bureau, "sized", ("basic-2c4g", "40Gi"), "RestartPending").await?;
            }
            (Self::Resize, 3) => {
                restart(&bureau, "sized").await?;
                granted(&bureau, "sized", ("basic-2c4g", "40Gi"), "Provisioned").await?;
                used(&bureau, (2, 0)).await?;
            }
            (Self::Resize, 4) => {
                let larger = json!({"classRef": {"name": "basic-4c8g"}, "systemDisk": {"size": LARGE}});
                change(&bureau, "sized", &larger).await?;
                let waits = |host: &CloudHost| reason(host, ConditionType::Accepted) == Some("AwaitingApproval");
                let host = bureau.wait_for_host("sized", "to wait for people", waits).await?;
                let name = host.status.and_then(|status| status.order_ref).map(|order| order.name).unwrap_or_default();
                let desk = Desk { bureau };
                let open = |order: &_| approved(order) == Some(Reason::AwaitingApproval);
                let awaited = desk.wait_for_order(&name, open).await?;
                desk.approve(&awaited).await?;
                // Nothing grows volumes here.
                granted(&desk.bureau, "sized", ("basic-4c8g", LARGE), "Resizing").await?;
                let done = |order: &_| reason_of(order, ConditionType::Fulfilled) == Some(Reason::Fulfilled);
                desk.wait_for_order(&name, done).await?;
            }
            (Self::Resize, _) => gone(&bureau, &["sized"]).await?,
            (Self::Department, 0) => {
                let unit = stage.unit();
                let department = json!({
                    "apiVersion": "jiyun.io/v1alpha1", "kind": "Department", "metadata": {"name": unit},
                    "spec": {
                        "displayName": "下属单位", "code": unit.to_uppercase(), "billingAccount": unit,
                        "zones": ["extranet-public"], "parentRef": {"name": DEPARTMENT},
                        "access": {"readers": ["r"], "operators": ["o"], "approvers": ["a"]},
                        "quota": [{"meter": "Vcpu", "limit": "2"}],
                    },
                });
                taken(&bureau, &department).await?;
                stage.world.department_ready(unit).await?;
            }
            (Self::Department, _) => {
                let arguments = ["delete", "department", stage.unit(), "--wait=false", "--ignore-not-found"];
                wait_for("the end of the department to be taken", PATIENCE, || stage.world.lab.kubectl(&arguments))
                    .await?;
                let kinds = format!("namespace/dept-{0},namespace/engine-{0},department/{0}", stage.unit());
                let mut arguments = vec!["get", "--ignore-not-found", "-o", "name"];
                arguments.extend(kinds.split(','));
                wait_for("the department to be gone", PATIENCE, || async {
                    let left = stage.world.lab.kubectl(&arguments).await.map_err(|error| error.to_string())?;
                    if left.trim().is_empty() { Ok(()) } else { Err(left) }
                })
                .await?;
            }
        }
        Ok(())
    }
}

async fn order(bureau: &Bureau<'_>, order: &Order) -> Result<(), FaultError> {
    taken(bureau, &order.object(&bureau.name)).await
}

async fn taken(bureau: &Bureau<'_>, object: &serde_json::Value) -> Result<(), FaultError> {
    let text = object.to_string();
    wait_for("an object to be taken", PATIENCE, || bureau.world.lab.apply_text(&text)).await?;
    Ok(())
}

async fn stands(bureau: &Bureau<'_>, host: &str, why: &str) -> Result<(), FaultError> {
    let not_admitted = |why| {
        move |host: &jiyun_crds::v1alpha1::CloudHost| {
            !has(host, ConditionType::Admitted) && reason(host, ConditionType::Admitted) == Some(why)
        }
    };
    bureau.wait_for_host(host, why, not_admitted(why)).await?;
    Ok(())
}

/// Changes what a host asks for.
async fn change(bureau: &Bureau<'_>, host: &str, spec: &serde_json::Value) -> Result<(), FaultError> {
    let (namespace, patch) = (format!("dept-{}", bureau.name), json!({"spec": spec}).to_string());
    let arguments = ["patch", "cloudhost", host, "-n", &namespace, "--type=merge", "-p", &patch];
    wait_for("a change to be taken", PATIENCE, || bureau.world.lab.kubectl(&arguments)).await?;
    Ok(())
}

/// Waits until a host was granted this class and disk, and says so of its engines.
async fn granted(
    bureau: &Bureau<'_>,
    host: &str,
    (class, size): (&str, &str),
    engines: &str,
) -> Result<(), FaultError> {
    let is_so = |host: &CloudHost| {
        let grant = host.status.as_ref().and_then(|status| status.granted.as_ref());
        grant.is_some_and(|grant| grant.class == class && grant.system_disk_size.as_str() == size)
            && reason(host, ConditionType::Accepted) == Some("Valid")
            && reason(host, ConditionType::Provisioned) == Some(engines)
            && has(host, ConditionType::Ready)
    };
    bureau.wait_for_host(host, &format!("to have {class} and {size}, {engines}"), is_so).await?;
    Ok(())
}

/// Stops a host and starts it again.
async fn restart(bureau: &Bureau<'_>, host: &str) -> Result<(), FaultError> {
    for power in ["Stopped", "Running"] {
        change(bureau, host, &json!({"power": power})).await?;
        let is_so =
            |host: &CloudHost| has(host, ConditionType::Ready) && reason(host, ConditionType::Ready) == Some(power);
        bureau.wait_for_host(host, power, is_so).await?;
    }
    Ok(())
}

/// Waits until so many cores are used and held.
async fn used(bureau: &Bureau<'_>, cores: (u64, u64)) -> Result<(), FaultError> {
    wait_for(format!("{cores:?} cores to be used and held"), PATIENCE, || async {
        let used = bureau.used("Vcpu").await.map_err(|error| error.to_string())?;
        if used == cores { Ok(()) } else { Err(format!("{used:?}")) }
    })
    .await?;
    Ok(())
}

async fn gone(bureau: &Bureau<'_>, hosts: &[&str]) -> Result<(), FaultError> {
    let namespace = format!("dept-{}", bureau.name);
    for host in hosts {
        let arguments = ["delete", "cloudhost", host, "-n", &namespace, "--wait=false", "--ignore-not-found"];
        wait_for("an end to be taken", PATIENCE, || bureau.world.lab.kubectl(&arguments)).await?;
    }
    for host in hosts {
        bureau.wait_gone(host).await?;
    }
    Ok(())
}
