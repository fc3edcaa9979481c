//! A new order: the body of `POST .../orders`.

use std::collections::BTreeSet;

use jiyun_crds::v1alpha1::{self as crds, LocalRef, OrderSpec};
use kube::core::ObjectMeta;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{HostOrder, OrderAction, OrderedKind, host_order::rule};
use crate::{
    extract::{
        DepartmentName, ObjectName,
        name::{is_label, is_order_name},
    },
    problem::{Code, Fault, Problem},
};

/// The most items of an order.
const MAX_ITEMS: usize = 16;

/// What a department asks for together. Fields the API does not know are refused.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({
    "name": "portal-rollout", "system": "portal", "justification": "门户网站扩容", "projectNumber": "HS-2026-001",
    "items": [
        {"host": {"name": "web-2", "system": "portal", "class": "basic-4c8g", "image": "openeuler-24.03-amd64",
            "zone": "extranet-public", "architecture": "amd64"}},
        {"kind": "CloudHost", "name": "web-1", "action": "End"},
    ],
}))]
pub struct OrderFiling {
    /// Name of the order: DNS labels joined by dots, at most 63 characters, unique within the department. Left out where
    /// the header `Idempotency-Key` is sent, and only there: the name is then made from it.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 63, example = "portal-rollout")]
    pub name: Option<String>,
    /// The information system (信息系统) of the department that everything is for. Cannot be changed.
    #[schema(max_length = 40, example = "portal")]
    pub system: String,
    /// What is asked for, 1 to 16 items. Cannot be changed.
    #[schema(min_items = 1, max_items = 16)]
    pub items: Vec<ItemFiling>,
    /// Why (事由), one line of at most 512 characters.
    #[serde(default)]
    #[schema(max_length = 512, example = "门户网站扩容")]
    pub justification: Option<String>,
    /// Number of the project (项目编号), one line of at most 63 characters; left out: that of the system.
    #[serde(default)]
    #[schema(max_length = 63, example = "HS-2026-001")]
    pub project_number: Option<String>,
    /// Number of the filing with the authority (备案号), one line of at most 63 characters.
    #[serde(default)]
    #[schema(max_length = 63, example = "43042300001")]
    pub filing_number: Option<String>,
    /// Whom it is filed for, where that is not the caller: neither may decide it. Cannot be changed.
    #[serde(default)]
    #[schema(max_length = 253, example = "zhouwen")]
    pub applicant: Option<String>,
}

/// One resource: an object that exists, by name, or a host to be created with the order.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ItemFiling {
    /// Its kind; left out: `CloudHost`.
    #[serde(default)]
    pub kind: OrderedKind,
    /// The name of an object that exists. Left out where `host` is given.
    #[serde(default)]
    #[schema(max_length = 40, example = "web-1")]
    pub name: Option<String>,
    /// What is to happen to it; left out: `Create`.
    #[serde(default)]
    pub action: OrderAction,
    /// A host that is created with the order, as `POST .../hosts` takes it, for the system of the order. Its name may be
    /// left out where `Idempotency-Key` is sent. Only with `action` `Create`.
    #[serde(default)]
    pub host: Option<Box<HostOrder>>,
}

/// Where the item number `index` is in the body.
pub fn place(index: usize) -> String {
    format!("items[{index}]")
}

impl ItemFiling {
    /// The field that holds its name.
    pub fn name_field(&self, index: usize) -> String {
        format!("{}.{}", place(index), if self.host.is_some() { "host.name" } else { "name" })
    }

    /// The name it has so far.
    pub fn given_name(&self) -> Option<&str> {
        self.host.as_ref().map_or(self.name.as_deref(), |host| host.name.as_deref())
    }
}

impl OrderFiling {
    /// Checks what must be right before anything is created, of an order called `name` whose items are called `names`.
    /// Everything else is checked by the API server, once.
    pub fn validate(&self, name: &str, names: &[String]) -> Result<(), Problem> {
        let mut faults = Vec::new();
        let mut wrong = |field: &str, problem: &str| {
            faults.push(Fault::new(Code::InvalidField, field, [("problem", problem)]));
        };
        if !is_order_name(name) {
            wrong(
                "name",
                "须由小写字母、数字、连字符和点组成，不超过 63 个字符 (lower-case letters, digits, hyphens and dots, at most 63 characters)",
            );
        }
        if !is_label(&self.system) {
            wrong("system", rule("system"));
        }
        if !(1..=MAX_ITEMS).contains(&self.items.len()) {
            wrong("items", "须有 1 至 16 项 (must hold 1 to 16 items)");
        }
        let mut seen = BTreeSet::new();
        for (index, (item, name)) in self.items.iter().zip(names).enumerate() {
            if ObjectName::parse(name).is_none() {
                wrong(&item.name_field(index), rule("name"));
            } else if !seen.insert(name) {
                wrong(&item.name_field(index), "与前面一项同名 (an item before it has the same name)");
            }
            let Some(host) = &item.host else { continue };
            if item.name.is_some() {
                wrong(
                    &format!("{}.name", place(index)),
                    "已填写 host，请去掉 name (leave it out: the host has a name)",
                );
            }
            if item.kind != OrderedKind::CloudHost {
                wrong(
                    &format!("{}.kind", place(index)),
                    "已填写 host，须为 `CloudHost` (must be CloudHost where host is given)",
                );
            }
            if item.action != OrderAction::Create {
                wrong(
                    &format!("{}.action", place(index)),
                    "新建的云主机须为 `Create` (must be Create for a host that is created)",
                );
            }
            if host.system != self.system {
                wrong(
                    &format!("{}.host.system", place(index)),
                    "须与申请单的 system 相同 (must be the system of the order)",
                );
            }
        }
        Problem::of_body(faults).map_or(Ok(()), Err)
    }

    /// The order called `name`, of items called `names`.
    pub fn object(&self, department: &DepartmentName, name: &str, names: &[String]) -> crds::Order {
        let items = self.items.iter().zip(names).map(|(item, name)| crds::OrderItem {
            kind: item.kind.into(),
            name: name.clone(),
            action: item.action.into(),
        });
        crds::Order {
            metadata: ObjectMeta {
                name: Some(name.to_owned()),
                namespace: Some(department.namespace()),
                ..ObjectMeta::default()
            },
            spec: OrderSpec {
                system_ref: LocalRef::new(self.system.clone()),
                items: items.collect(),
                justification: self.justification.clone(),
                applicant: self.applicant.clone().unwrap_or_default(),
                project_number: self.project_number.clone(),
                filing_number: self.filing_number.clone(),
                state: crds::OrderState::Filed,
            },
            status: None,
        }
    }
}
