//! Which addresses are given to whom: a `ConfigMap` in the platform's own namespace, one entry a department and zone.
//!
//! All zones share it, and it is written only as it was read (its version is compared by the API server): two leaders cannot
//! give the same addresses to two departments, and zones whose ranges overlap cannot either. Not the status of a zone: that
//! everybody may read, and it would name every department. Not the ledger: addresses are neither counted nor paid for.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, core::ObjectMeta};
use serde_json::json;
use thiserror::Error;

use crate::{cidr::Cidr, context::Context, error::ReconcileError};

/// Name of the `ConfigMap`; the chart's Role names it too.
const NAME: &str = "jiyun-subnets";

/// An entry that somebody has written past us. Nothing is given out on top of it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("ConfigMap {NAME}: {key} holds {value:?}, which is no network, or its name is not <department>.<zone>")]
pub struct UnreadableEntry {
    /// Name of the entry.
    pub key: String,
    /// What it says.
    pub value: String,
}

/// What is given to whom.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AddressBook {
    read: Option<ObjectMeta>,
    /// By department and zone.
    entries: BTreeMap<(String, String), Cidr>,
}

impl AddressBook {
    /// Reads it; empty before the first entry.
    ///
    /// # Errors
    /// When it cannot be read, or not understood.
    pub async fn read(context: &Context) -> Result<Self, ReconcileError> {
        let api = Api::<ConfigMap>::namespaced(context.client.clone(), &context.networks.namespace);
        let found = api.get_opt(NAME).await.map_err(|source| ReconcileError::read(NAME, source))?;
        let Some(found) = found else { return Ok(Self::default()) };
        Ok(Self { entries: entries(found.data.unwrap_or_default())?, read: Some(found.metadata) })
    }

    /// Writes it, if it still is as it was read.
    ///
    /// # Errors
    /// When it is not (status 409), or cannot be written.
    pub async fn write(&mut self, context: &Context) -> Result<(), ReconcileError> {
        let namespace = &context.networks.namespace;
        let api = Api::<ConfigMap>::namespaced(context.client.clone(), namespace);
        let data: BTreeMap<String, String> =
            self.entries.iter().map(|((department, zone), cidr)| (key(department, zone), cidr.to_string())).collect();
        if self.read.is_none() {
            // Empty, and refused where another one is there by now. What is entered is applied, so that it can be struck.
            let metadata =
                ObjectMeta { name: Some(NAME.into()), namespace: Some(namespace.clone()), ..ObjectMeta::default() };
            let created = context.writer.create(&api, &ConfigMap { metadata, ..ConfigMap::default() }).await?;
            self.read = Some(created.metadata);
        }
        let read = self.read.clone().unwrap_or_default();
        let metadata =
            json!({"name": NAME, "namespace": namespace, "uid": read.uid, "resourceVersion": read.resource_version});
        let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data});
        let written = context.writer.apply(&api, NAME, &object).await?;
        self.read = Some(written.metadata);
        Ok(())
    }

    /// What a department has in a zone.
    pub fn of(&self, department: &str, zone: &str) -> Option<Cidr> {
        self.entries.get(&(department.to_owned(), zone.to_owned())).copied()
    }

    /// Whether a department has anything in any zone.
    pub fn names(&self, department: &str) -> bool {
        self.entries.keys().any(|(named, _)| named == department)
    }

    /// Departments that have something in a zone.
    pub fn departments_in(&self, zone: &str) -> Vec<String> {
        self.entries.keys().filter(|(_, of)| of == zone).map(|(department, _)| department.clone()).collect()
    }

    /// Everything that is given.
    pub fn given(&self) -> impl Iterator<Item = Cidr> {
        self.entries.values().copied()
    }

    /// Gives.
    pub fn enter(&mut self, department: &str, zone: &str, cidr: Cidr) {
        self.entries.insert((department.to_owned(), zone.to_owned()), cidr);
    }

    /// Takes back.
    pub fn strike(&mut self, department: &str, zone: &str) {
        self.entries.remove(&(department.to_owned(), zone.to_owned()));
    }
}

/// Names of departments hold no dots.
fn key(department: &str, zone: &str) -> String {
    format!("{department}.{zone}")
}

fn entries(data: BTreeMap<String, String>) -> Result<BTreeMap<(String, String), Cidr>, UnreadableEntry> {
    let entry = |(key, value): (String, String)| match (key.split_once('.'), value.parse()) {
        (Some((department, zone)), Ok(cidr)) => Ok(((department.to_owned(), zone.to_owned()), cidr)),
        _ => Err(UnreadableEntry { key, value }),
    };
    data.into_iter().map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_leads_back_to_its_department_and_zone_and_an_unreadable_one_is_named() {
        let data = |key: &str, value: &str| BTreeMap::from([(key.to_owned(), value.to_owned())]);
        let read = entries(data(&key("finance", "extranet.public"), "10.64.0.0/26")).unwrap();
        assert!(read.contains_key(&("finance".to_owned(), "extranet.public".to_owned())));
        for (key, value) in [("finance", "10.64.0.0/26"), ("finance.internet", "ten")] {
            assert_eq!(entries(data(key, value)).unwrap_err().key, key);
        }
    }
}
