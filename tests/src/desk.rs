//! A department where people have to agree: its policy, its orders and its approvers, for tests of approvals.

use std::collections::BTreeSet;

use jiyun_crds::{
    names::department_namespace,
    v1alpha1::{Approval, ApprovalDecision, ConditionType, Order, Reason, condition},
};
use jiyun_lab::wait_for;
use kube::{
    Api, Client, ResourceExt,
    api::{ListParams, PostParams},
    config::{KubeConfigOptions, Kubeconfig},
};
use serde_json::{Value, json};

use crate::{
    World, WorldError,
    world::{Bureau, PATIENCE, Quota},
};

/// A department with a policy of its own.
#[derive(Debug)]
pub struct Desk<'a> {
    /// The department.
    pub bureau: Bureau<'a>,
}

impl<'a> Desk<'a> {
    /// A department of `world` whose every order needs one of its approvers.
    ///
    /// # Errors
    /// See [`WorldError`].
    pub async fn open(world: &'a World, quota: Quota) -> Result<Self, WorldError> {
        let leader = json!([{"name": "leader", "rank": 10, "roles": ["DepartmentApprovers"], "workingDays": 3}]);
        Self::with(world, quota, json!({"levels": leader})).await
    }

    /// A department of `world` with the policy that `rules` are part of.
    ///
    /// # Errors
    /// See [`WorldError`].
    pub async fn with(world: &'a World, quota: Quota, rules: Value) -> Result<Self, WorldError> {
        let desk = Self { bureau: world.department(quota).await? };
        desk.policy(rules).await?;
        Ok(desk)
    }

    /// Makes `rules` the department's policy; returns once the controller knows it.
    ///
    /// # Errors
    /// See [`WorldError`].
    pub async fn policy(&self, rules: Value) -> Result<(), WorldError> {
        let mut spec = json!({"displayName": "测试策略", "appliesTo": {"departments": [self.bureau.name]}});
        if let (Some(spec), Some(rules)) = (spec.as_object_mut(), rules.as_object()) {
            spec.extend(rules.clone());
        }
        let policy = json!({
            "apiVersion": "jiyun.io/v1alpha1", "kind": "ApprovalPolicy", "metadata": {"name": self.bureau.name},
            "spec": spec,
        });
        self.bureau.world.take("an approval policy", &policy.to_string()).await?;
        let name = format!("approvalpolicy/{}", self.bureau.name);
        self.bureau.world.lab.kubectl(&["wait", &name, "--for=condition=Ready", "--timeout=60s"]).await?;
        Ok(())
    }

    /// Its orders, as the platform sees them.
    ///
    /// # Errors
    /// When there is no client.
    pub async fn orders(&self) -> Result<Api<Order>, WorldError> {
        Ok(Api::namespaced(self.bureau.world.lab.client().await?, &department_namespace(&self.bureau.name)))
    }

    /// The names of its orders.
    ///
    /// # Errors
    /// When they cannot be listed.
    pub async fn names(&self) -> Result<BTreeSet<String>, WorldError> {
        let list = self.orders().await?.list(&ListParams::default()).await?;
        Ok(list.items.iter().map(ResourceExt::name_any).collect())
    }

    /// Waits until an order of its is as described.
    ///
    /// # Errors
    /// When it is not in time.
    pub async fn wait_for_order(&self, name: &str, holds: impl Fn(&Order) -> bool) -> Result<Order, WorldError> {
        let api = self.orders().await?;
        Ok(wait_for(format!("order {}/{name}", self.bureau.name), PATIENCE, || async {
            let found = api.get(name).await.map_err(|error| error.to_string())?;
            if holds(&found) { Ok(found) } else { Err(format!("{:?}", found.status)) }
        })
        .await?)
    }

    /// The order that waits for people to agree to `host`.
    ///
    /// # Errors
    /// When there is none in time.
    pub async fn awaited_order(&self, host: &str) -> Result<Order, WorldError> {
        let waits = |found: &jiyun_crds::v1alpha1::CloudHost| named_order(found, Reason::AwaitingApproval).is_some();
        let found = self.bureau.wait_for_host(host, "to wait for people", waits).await?;
        let name = named_order(&found, Reason::AwaitingApproval).unwrap_or_default();
        self.wait_for_order(&name, |order| approved(order) == Some(Reason::AwaitingApproval)).await
    }

    /// The order that waits for people to agree to `host`, and is none of `others`.
    ///
    /// # Errors
    /// When there is none in time.
    pub async fn awaited_order_but(&self, host: &str, others: &[&Order]) -> Result<Order, WorldError> {
        let names: Vec<String> = others.iter().map(|order| order.name_any()).collect();
        let waits = |found: &jiyun_crds::v1alpha1::CloudHost| {
            named_order(found, Reason::AwaitingApproval).is_some_and(|name| !names.contains(&name))
        };
        let found = self.bureau.wait_for_host(host, "to wait for people again", waits).await?;
        let name = named_order(&found, Reason::AwaitingApproval).unwrap_or_default();
        self.wait_for_order(&name, |order| approved(order) == Some(Reason::AwaitingApproval)).await
    }

    /// Waits until nothing is held or used any more: that an order is over is said before what it held is given up.
    ///
    /// # Errors
    /// When it is not in time.
    pub async fn all_free(&self) -> Result<(), WorldError> {
        wait_for(format!("nothing to be held by {}", self.bureau.name), PATIENCE, || async {
            let used = self.bureau.used("Vcpu").await.map_err(|error| error.to_string())?;
            if used == (0, 0) { Ok(()) } else { Err(format!("used and held: {used:?}")) }
        })
        .await?;
        Ok(())
    }

    /// A client of a person of the lab.
    ///
    /// # Errors
    /// When there is no such person.
    pub async fn client_of(&self, person: &str) -> Result<Client, WorldError> {
        let lab = &self.bureau.world.lab;
        Ok(lab.client_as(&lab.person(person)?.token).await?)
    }

    /// What `person` decides about `order`, as it stands now.
    ///
    /// # Errors
    /// When the API server refuses it.
    pub async fn decide(
        &self,
        person: &str,
        order: &Order,
        decision: ApprovalDecision,
        reason: &str,
    ) -> Result<Approval, WorldError> {
        self.decide_through(self.client_of(person).await?, person, order, decision, reason).await
    }

    /// A client of the administrator's who passes for `user` in these groups: for people with groups no lab gives.
    ///
    /// # Errors
    /// When there is no client.
    pub async fn client_as(&self, user: &str, groups: &[&str]) -> Result<Client, WorldError> {
        let kubeconfig = Kubeconfig::read_from(self.bureau.world.lab.kubeconfig()).map_err(std::io::Error::other)?;
        let config = kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
        let mut config = config.map_err(std::io::Error::other)?;
        config.auth_info.impersonate = Some(user.to_owned());
        config.auth_info.impersonate_groups = Some(groups.iter().map(|group| (*group).to_owned()).collect());
        Ok(Client::try_from(config)?)
    }

    /// As [`Desk::decide`], through a client of the person's.
    ///
    /// # Errors
    /// When the API server refuses it.
    pub async fn decide_through(
        &self,
        client: Client,
        person: &str,
        order: &Order,
        decision: ApprovalDecision,
        reason: &str,
    ) -> Result<Approval, WorldError> {
        let status = order.status.clone().unwrap_or_default();
        let name = format!("{}-{person}-{}", order.name_any(), status.level.clone().unwrap_or_default());
        let approval: Approval = serde_json::from_value(json!({
            "apiVersion": "jiyun.io/v1alpha1", "kind": "Approval",
            "metadata": {"name": name.chars().take(63).collect::<String>()},
            "spec": {
                "orderRef": {"name": order.name_any()}, "orderUid": order.uid(), "digest": status.digest,
                "level": status.level, "decision": decision, "reason": reason,
            },
        }))
        .map_err(std::io::Error::other)?;
        let api = Api::<Approval>::namespaced(client, &department_namespace(&self.bureau.name));
        Ok(api.create(&PostParams::default(), &approval).await?)
    }

    /// The department's approver agrees to `order`.
    ///
    /// # Errors
    /// When the API server refuses it.
    pub async fn approve(&self, order: &Order) -> Result<Approval, WorldError> {
        self.decide(&format!("{}-approver", self.bureau.name), order, ApprovalDecision::Approve, "").await
    }
}

/// The order a host's status names, if it is not admitted for this reason.
pub fn named_order(host: &jiyun_crds::v1alpha1::CloudHost, reason: Reason) -> Option<String> {
    let status = host.status.as_ref()?;
    let admitted = condition::find(&status.conditions, ConditionType::Admitted)?;
    let name = status.order_ref.as_ref()?.name.clone();
    (admitted.reason == reason.as_str()).then_some(name)
}

/// The reason of an order's condition `Approved`.
pub fn approved(order: &Order) -> Option<Reason> {
    reason_of(order, ConditionType::Approved)
}

/// The reason of a condition of an order.
pub fn reason_of(order: &Order, kind: ConditionType) -> Option<Reason> {
    let status = order.status.as_ref()?;
    condition::find(&status.conditions, kind)?.reason.parse().ok()
}
