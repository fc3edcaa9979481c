//! What an order asks for, item by item: names, and amounts as numbers with their units.

use jiyun_crds::v1alpha1::{self as crds, AcceptedItem, RefusalParameter};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Meter, OrderAction, OrderedKind};

/// One resource of an order.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OrderItem {
    /// Its kind.
    pub kind: OrderedKind,
    /// Its name.
    #[schema(example = "web-1")]
    pub name: String,
    /// What is to happen to it.
    pub action: OrderAction,
    /// What was asked for when the order was accepted: what is decided about. Absent until then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<ItemSummary>,
}

/// What an item asked for.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ItemSummary {
    /// The host class (规格).
    #[schema(example = "basic-4c8g")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// The image.
    #[schema(example = "openeuler-24.03-amd64")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Storage tier of its system disk, or of a volume, bucket or snapshot.
    #[schema(example = "standard")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tier: Option<String>,
    /// What a network flow lets through.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flow: Option<FlowSummary>,
    /// What a snapshot is to be taken of: kind and name.
    #[schema(example = "CloudHost web-1")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The snapshot that a host or a volume is to be made from.
    #[schema(example = "before-upgrade")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<String>,
    /// The Secret with a host's user data (自定义数据): what is agreed to is its name.
    #[schema(example = "web-boot")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_data_secret: Option<String>,
    /// Until when a host would be lent (租期); absent where it has no end.
    #[schema(example = "2027-06-30T16:00:00Z", format = DateTime)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lease_ends_at: Option<String>,
    /// `Disabled` where it would not be protected from deletion.
    #[schema(example = "Disabled")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deletion_protection: Option<String>,
    /// How much, meter by meter; nothing for a network flow.
    pub amounts: Vec<Amount>,
}

/// What a network flow lets through, in words.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FlowSummary {
    /// How far it reaches.
    #[schema(example = "CrossZone")]
    pub reach: String,
    /// Which end opens connections: `Egress`, `Ingress`.
    #[schema(example = "Egress")]
    pub direction: String,
    /// Hosts at this end; `*`: all of the system.
    #[schema(example = "budget-web")]
    pub hosts: String,
    /// The other end: a system and its hosts, a department and its system, or addresses.
    #[schema(example = "portal: *")]
    pub peer: String,
    /// Ports.
    #[schema(example = "TCP 443")]
    pub ports: String,
}

/// How much of a meter.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Amount {
    /// What is counted.
    pub meter: Meter,
    /// How much of it.
    #[schema(example = 4)]
    pub quantity: u64,
    /// In which unit: `vCPU`, `MiB`.
    #[schema(example = "vCPU")]
    pub unit: &'static str,
}

impl OrderItem {
    /// The item, with what `accepted` says of it.
    pub fn new(item: crds::OrderItem, accepted: &[AcceptedItem]) -> Self {
        let accepted = accepted.iter().find(|accepted| accepted.name == item.name);
        Self {
            kind: item.kind.into(),
            name: item.name,
            action: item.action.into(),
            summary: accepted.filter(|item| !item.summary.is_empty()).map(|item| ItemSummary::new(&item.summary)),
        }
    }
}

impl ItemSummary {
    fn new(rows: &[RefusalParameter]) -> Self {
        let find = |name: &str| rows.iter().find(|row| row.name == name).map(|row| row.value.clone());
        let meters = [
            ("vcpu", jiyun_ledger::Meter::Vcpu),
            ("memory", jiyun_ledger::Meter::Memory),
            ("blockStorage", jiyun_ledger::Meter::BlockStorage),
            ("objectStorage", jiyun_ledger::Meter::ObjectStorage),
        ];
        // Such as `8192 MiB`: the number in the unit of its meter.
        let amount = |(name, meter): (&str, jiyun_ledger::Meter)| {
            let quantity = find(name)?.split(' ').next()?.parse().ok()?;
            Some(Amount { meter: meter.into(), quantity, unit: meter.unit() })
        };
        Self {
            class: find("class"),
            image: find("image"),
            source: find("source"),
            snapshot: find("snapshot"),
            user_data_secret: find("userData"),
            tier: find("tier"),
            flow: flow(&find),
            lease_ends_at: find("leaseEndsAt"),
            deletion_protection: find("deletionProtection"),
            amounts: meters.into_iter().filter_map(amount).collect(),
        }
    }
}

fn flow(find: &impl Fn(&str) -> Option<String>) -> Option<FlowSummary> {
    Some(FlowSummary {
        reach: find("reach")?,
        direction: find("direction")?,
        hosts: find("hosts")?,
        peer: find("peer")?,
        ports: find("ports")?,
    })
}
