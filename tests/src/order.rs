//! A cloud host order as a department writes it, over the API or as an object.

use serde_json::{Value, json};

/// An order with the choices most tests make: 2C4G on x86, 40 GiB, in the public extranet, free to be deleted.
#[derive(Clone, Debug)]
pub struct Order {
    /// Name of the host.
    pub name: String,
    /// Information system.
    pub system: String,
    /// Host class.
    pub class: String,
    /// Image.
    pub image: String,
    /// Network zone.
    pub zone: String,
    /// Architecture.
    pub architecture: String,
    /// Tier of the system disk.
    pub tier: String,
    /// Size of the system disk.
    pub size: String,
    /// Running or Stopped.
    pub power: String,
}

impl Order {
    /// An order for `name` in `system`.
    pub fn new(name: impl Into<String>, system: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            system: system.into(),
            class: "basic-2c4g".into(),
            image: "openeuler-24.03-amd64".into(),
            zone: "extranet-public".into(),
            architecture: "amd64".into(),
            tier: "standard".into(),
            size: "40Gi".into(),
            power: "Running".into(),
        }
    }

    /// Of another class.
    #[must_use]
    pub fn class(mut self, class: &str) -> Self {
        self.class = class.into();
        self
    }

    /// The body for `POST .../hosts`.
    pub fn body(&self) -> Value {
        json!({
            "name": self.name, "system": self.system, "class": self.class, "image": self.image, "zone": self.zone,
            "architecture": self.architecture, "systemDisk": {"tier": self.tier, "size": self.size},
            "power": self.power, "deletionProtection": "Disabled",
        })
    }

    /// The object for kubectl.
    pub fn object(&self, department: &str) -> Value {
        json!({
            "apiVersion": "jiyun.io/v1alpha1", "kind": "CloudHost",
            "metadata": {"name": self.name, "namespace": jiyun_crds::names::department_namespace(department)},
            "spec": {
                "systemRef": {"name": self.system}, "classRef": {"name": self.class},
                "imageRef": {"name": self.image}, "zoneRef": {"name": self.zone}, "architecture": self.architecture,
                "systemDisk": {"tier": self.tier, "size": self.size}, "power": self.power,
                "deletionProtection": "Disabled",
            },
        })
    }
}
