//! What can be ordered, and what it costs (云服务目录).

use jiyun_crds::v1alpha1::{DatabaseClass, HostClass, HostImage, NetworkZone, PriceItem, PriceList};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Architecture, database_words::DatabaseEngine};

/// Everything that can be ordered.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!(super::example::catalogue()))]
pub struct Catalogue {
    /// Host classes (规格), by name.
    pub classes: Vec<Class>,
    /// Database classes (云数据库规格), by name.
    pub database_classes: Vec<DatabaseSize>,
    /// Host images (镜像), by name.
    pub images: Vec<Image>,
    /// Network zones (网络区域), by name.
    pub zones: Vec<Zone>,
    /// The prices (价目) in force; absent if none are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prices: Option<Prices>,
    /// Prices that come into force later, the next one first.
    pub upcoming_prices: Vec<Prices>,
}

/// A size of cloud host.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Class {
    /// Its name, for orders.
    #[schema(example = "basic-4c8g")]
    pub name: String,
    /// Its name for people.
    pub display_name: String,
    /// Series: `Basic`, `General`, `Memory`, `Compute`.
    #[schema(example = "General")]
    pub series: String,
    /// Virtual processors.
    pub vcpu: u32,
    /// Memory.
    #[schema(example = "8Gi")]
    pub memory: String,
    /// The architectures it is offered on.
    pub architectures: Vec<Architecture>,
}

/// A size of cloud database.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = DatabaseClass)]
pub struct DatabaseSize {
    /// Its name, for orders.
    #[schema(example = "database-2c8g")]
    pub name: String,
    /// Its name for people.
    pub display_name: String,
    /// Its engine.
    pub engine: DatabaseEngine,
    /// Major versions it comes in.
    #[schema(example = json!(["16", "17"]))]
    pub versions: Vec<String>,
    /// Virtual processors of each instance.
    pub vcpu: u32,
    /// Memory of each instance.
    #[schema(example = "8Gi")]
    pub memory: String,
    /// The architectures it is offered on.
    pub architectures: Vec<Architecture>,
}

/// An operating system a host can start from.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Image {
    /// Its name, for orders.
    #[schema(example = "openeuler-24.03-amd64")]
    pub name: String,
    /// Its name for people.
    pub display_name: String,
    /// Operating system and release.
    #[schema(example = "openEuler 24.03 LTS")]
    pub operating_system: String,
    /// The architecture it runs on.
    pub architecture: Architecture,
    /// The smallest system disk it fits on.
    #[schema(example = "40Gi")]
    pub min_disk: String,
    /// `Offered`; `Deprecated`: it can still be ordered, and better is not. What was retired is not in the catalogue.
    #[schema(example = "Offered")]
    pub lifecycle: String,
    /// The image to order instead, where there is one.
    #[schema(example = "openeuler-24.03-sp2-amd64")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replaced_by: Option<String>,
}

/// One of the separated networks.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Zone {
    /// Its name, for orders.
    #[schema(example = "extranet-public")]
    pub name: String,
    /// Its name for people.
    pub display_name: String,
    /// `GovExtranetPublic`, `GovExtranetPrivate` or `Internet`.
    #[schema(example = "GovExtranetPublic")]
    pub kind: String,
}

/// A price list.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Prices {
    /// Its name.
    pub name: String,
    /// From when it counts.
    #[schema(example = "2026-01-01T00:00:00+08:00")]
    pub valid_from: String,
    /// The currency, `CNY`.
    #[schema(example = "CNY")]
    pub currency: String,
    /// The prices; the most specific one that matches counts.
    pub items: Vec<Price>,
}

/// One price.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Price {
    /// What is priced: `Vcpu`, `Memory`, `Hosts`, `BlockStorage`, `ObjectStorage`, `DatabaseInstances`.
    #[schema(example = "Vcpu")]
    pub meter: String,
    /// Only on this architecture; absent: on any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub architecture: Option<Architecture>,
    /// Only of this storage tier; absent: of any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tier: Option<String>,
    /// What the price is for: `CoreMonth`, `GiBMonth`, `HostMonth`, `InstanceMonth`.
    #[schema(example = "CoreMonth")]
    pub unit: String,
    /// Yuan per unit.
    #[schema(example = "45.00")]
    #[serde(rename = "price")]
    pub yuan: String,
}

impl From<HostClass> for Class {
    fn from(class: HostClass) -> Self {
        Self {
            name: class.metadata.name.unwrap_or_default(),
            display_name: class.spec.display_name,
            series: class.spec.series.to_string(),
            vcpu: class.spec.vcpu,
            memory: class.spec.memory.to_string(),
            architectures: class.spec.architectures.into_iter().map(Architecture::from).collect(),
        }
    }
}

impl From<DatabaseClass> for DatabaseSize {
    fn from(class: DatabaseClass) -> Self {
        Self {
            name: class.metadata.name.unwrap_or_default(),
            display_name: class.spec.display_name,
            engine: class.spec.engine.into(),
            versions: class.spec.versions.into_iter().map(|offered| offered.version).collect(),
            vcpu: class.spec.vcpu,
            memory: class.spec.memory.to_string(),
            architectures: class.spec.architectures.into_iter().map(Architecture::from).collect(),
        }
    }
}

impl From<HostImage> for Image {
    fn from(image: HostImage) -> Self {
        Self {
            name: image.metadata.name.unwrap_or_default(),
            display_name: image.spec.display_name,
            operating_system: image.spec.operating_system,
            architecture: image.spec.architecture.into(),
            min_disk: image.spec.min_disk.to_string(),
            lifecycle: image.spec.lifecycle.to_string(),
            replaced_by: image.spec.replaced_by.map(|other| other.name),
        }
    }
}

impl From<NetworkZone> for Zone {
    fn from(zone: NetworkZone) -> Self {
        Self {
            name: zone.metadata.name.unwrap_or_default(),
            display_name: zone.spec.display_name,
            kind: zone.spec.kind.to_string(),
        }
    }
}

impl From<PriceList> for Prices {
    fn from(list: PriceList) -> Self {
        Self {
            name: list.metadata.name.unwrap_or_default(),
            valid_from: list.spec.valid_from.to_string(),
            currency: list.spec.currency.to_string(),
            items: list.spec.items.into_iter().map(Price::from).collect(),
        }
    }
}

impl From<PriceItem> for Price {
    fn from(item: PriceItem) -> Self {
        Self {
            meter: item.meter.to_string(),
            architecture: item.architecture.map(Architecture::from),
            tier: item.tier,
            unit: item.unit.to_string(),
            yuan: item.price,
        }
    }
}
