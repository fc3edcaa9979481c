//! Every file of `examples/` fits the types, to the last field, and the county is complete.

#[cfg(test)]
mod city {
    use std::collections::{BTreeMap, BTreeSet};
    use std::path::Path;

    use jiyun_crds::names::{MAX_NAME_LENGTH, department_of_namespace};
    use jiyun_crds::v1alpha1::*;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
    use serde::Serialize;
    use serde::de::DeserializeOwned;
    use serde_json::Value;

    fn documents() -> Vec<(String, Value)> {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/city");
        let mut documents = Vec::new();
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "yaml") {
                let text = std::fs::read_to_string(&path).unwrap();
                let name = path.file_name().unwrap().to_string_lossy().into_owned();
                let read: Vec<Value> = serde_yaml::from_multiple(&text).unwrap();
                documents.extend(read.into_iter().filter(|d| !d.is_null()).map(|document| (name.clone(), document)));
            }
        }
        documents
    }

    fn of<K: DeserializeOwned>(kind: &str) -> Vec<K> {
        documents()
            .into_iter()
            .filter(|(_, document)| document["kind"] == kind)
            .map(|(file, document)| serde_json::from_value(document).unwrap_or_else(|e| panic!("{file}: {e}")))
            .collect()
    }

    /// Paths of values in `written` that are not in `read`: fields the type does not know.
    fn lost(written: &Value, read: &Value, path: &str) -> Vec<String> {
        match (written, read) {
            (Value::Object(written), Value::Object(read)) => written
                .iter()
                .flat_map(|(key, value)| lost(value, read.get(key).unwrap_or(&Value::Null), &format!("{path}.{key}")))
                .collect(),
            (Value::Array(written), Value::Array(read)) if written.len() == read.len() => {
                written.iter().zip(read).flat_map(|(a, b)| lost(a, b, &format!("{path}[]"))).collect()
            }
            _ if written == read => Vec::new(),
            _ => vec![format!("{path}: wrote {written}, read {read}")],
        }
    }

    fn round_trip<K: DeserializeOwned + Serialize>(document: &Value) -> Result<Vec<String>, serde_json::Error> {
        let typed: K = serde_json::from_value(document.clone())?;
        Ok(lost(document, &serde_json::to_value(&typed)?, ""))
    }

    /// The system that an object of this metadata names.
    fn system_of<'a>(systems: &'a [InformationSystem], named: &LocalRef, of: &ObjectMeta) -> &'a InformationSystem {
        let is_named = |system: &&InformationSystem| {
            system.metadata.name.as_deref() == Some(&named.name) && system.metadata.namespace == of.namespace
        };
        systems.iter().find(is_named).unwrap_or_else(|| panic!("{:?}: system", of.name))
    }

    fn has_pool(pools: &[StoragePool], of_type: StorageType, tier: &str) -> bool {
        pools.iter().any(|pool| pool.spec.storage_type == of_type && pool.spec.tier == tier)
    }

    #[test]
    fn every_document_fits_its_type_and_holds_no_unknown_field() {
        let mut problems = Vec::new();
        for (file, document) in documents() {
            let found = match document["kind"].as_str().unwrap_or_default() {
                "ApprovalPolicy" => round_trip::<ApprovalPolicy>(&document),
                "CloudBucket" => round_trip::<CloudBucket>(&document),
                "CloudDatabase" => round_trip::<CloudDatabase>(&document),
                "CloudHost" => round_trip::<CloudHost>(&document),
                "CloudSnapshot" => round_trip::<CloudSnapshot>(&document),
                "CloudVolume" => round_trip::<CloudVolume>(&document),
                "ComputePool" => round_trip::<ComputePool>(&document),
                "DatabaseClass" => round_trip::<DatabaseClass>(&document),
                "Department" => round_trip::<Department>(&document),
                "Handover" => round_trip::<Handover>(&document),
                "HostClass" => round_trip::<HostClass>(&document),
                "HostImage" => round_trip::<HostImage>(&document),
                "InformationSystem" => round_trip::<InformationSystem>(&document),
                "NetworkFlow" => round_trip::<NetworkFlow>(&document),
                "NetworkZone" => round_trip::<NetworkZone>(&document),
                "PriceList" => round_trip::<PriceList>(&document),
                "Site" => round_trip::<Site>(&document),
                "StoragePool" => round_trip::<StoragePool>(&document),
                other => Ok(vec![format!("kind {other:?} is none of ours")]),
            };
            let found = found.unwrap_or_else(|error| vec![error.to_string()]);
            problems.extend(found.into_iter().map(|what| format!("{file} {}: {what}", document["metadata"]["name"])));
        }
        assert!(problems.is_empty(), "{}", problems.join("\n"));
    }

    #[test]
    fn an_unknown_field_is_noticed() {
        let (_, mut document) = documents().into_iter().find(|(_, d)| d["kind"] == "Site").unwrap();
        document["spec"]["colour"] = Value::from("red");
        assert_eq!(round_trip::<Site>(&document).unwrap(), [r#".spec.colour: wrote "red", read null"#]);
    }

    #[test]
    fn the_county_has_39_departments_and_17_townships_under_one_root() {
        let mut by_file: BTreeMap<String, usize> = BTreeMap::new();
        for (file, _) in documents().into_iter().filter(|(_, document)| document["kind"] == "Department") {
            *by_file.entry(file).or_default() += 1;
        }
        let counted: Vec<(&str, usize)> = by_file.iter().map(|(file, count)| (file.as_str(), *count)).collect();
        assert_eq!(counted, [("60-county.yaml", 1), ("61-departments.yaml", 39), ("62-townships.yaml", 17)]);
        let departments = of::<Department>("Department");
        let roots: Vec<&Department> = departments.iter().filter(|d| d.spec.parent_ref.is_none()).collect();
        assert_eq!(roots.len(), 1);
        let root = roots[0].metadata.name.clone().unwrap();
        for department in departments.iter().filter(|d| d.spec.parent_ref.is_some()) {
            assert_eq!(department.spec.parent_ref, Some(LocalRef::new(root.clone())));
        }
    }

    #[test]
    fn names_and_codes_of_units_are_unique_and_short_enough() {
        let departments = of::<Department>("Department");
        let names: BTreeSet<_> = departments.iter().map(|d| d.metadata.name.clone().unwrap()).collect();
        let codes: BTreeSet<_> = departments.iter().map(|d| d.spec.code.clone()).collect();
        assert_eq!((names.len(), codes.len()), (departments.len(), departments.len()));
        assert!(names.iter().all(|name| name.len() <= MAX_NAME_LENGTH));
    }

    #[test]
    fn no_unit_may_hold_more_than_the_county() {
        let departments = of::<Department>("Department");
        let limits = |d: &Department| -> BTreeMap<(Meter, Option<String>), u64> {
            let read = |q: &QuotaLimit| match q.meter {
                meter if meter.is_size() => q.limit.as_ref().unwrap().mebibytes().unwrap(),
                _ => q.limit.as_ref().unwrap().whole().unwrap(),
            };
            d.spec.quota.iter().map(|q| ((q.meter, q.tier.clone()), read(q))).collect()
        };
        let root = limits(departments.iter().find(|d| d.spec.parent_ref.is_none()).unwrap());
        for department in &departments {
            for (what, limit) in limits(department) {
                assert!(limit <= root[&what], "{:?} {what:?}", department.metadata.name);
            }
        }
    }

    #[test]
    fn the_catalogue_is_complete() {
        assert_eq!(of::<NetworkZone>("NetworkZone").len(), 3);
        assert_eq!(of::<Site>("Site").len(), 1);
        assert_eq!(of::<HostClass>("HostClass").len(), 11);
        assert_eq!(of::<HostImage>("HostImage").len(), 4);
        assert_eq!(of::<DatabaseClass>("DatabaseClass").len(), 2);
        let architectures: BTreeSet<_> =
            of::<ComputePool>("ComputePool").iter().map(|pool| pool.spec.architecture).collect();
        assert_eq!(architectures, BTreeSet::from([Architecture::Amd64, Architecture::Arm64]));
        let tiers = |of_type: StorageType| -> BTreeSet<String> {
            let pools = of::<StoragePool>("StoragePool").into_iter().filter(|pool| pool.spec.storage_type == of_type);
            pools.map(|pool| pool.spec.tier).collect()
        };
        assert_eq!(tiers(StorageType::Block), ["standard", "performance", "extreme"].map(str::to_owned).into());
        assert_eq!(tiers(StorageType::Object), ["standard"].map(str::to_owned).into());
    }

    #[test]
    fn everything_that_can_be_asked_for_has_a_price() {
        let [prices] = of::<PriceList>("PriceList").try_into().unwrap();
        assert_eq!(prices.spec.valid_from.timestamp().unwrap().to_string(), "2025-12-31T16:00:00Z");
        let price = |meter, architecture, tier: Option<&str>| {
            let found =
                prices.spec.items.iter().find(|item| {
                    item.meter == meter && item.architecture == architecture && item.tier.as_deref() == tier
                });
            found.map(|item| (item.unit, item.price.as_str()))
        };
        let (amd64, arm64) = (Some(Architecture::Amd64), Some(Architecture::Arm64));
        assert_eq!(price(Meter::Vcpu, amd64, None), Some((PriceUnit::CoreMonth, "45.00")));
        assert_eq!(price(Meter::Vcpu, arm64, None), Some((PriceUnit::CoreMonth, "52.00")));
        assert_eq!(price(Meter::Memory, amd64, None), Some((PriceUnit::GiBMonth, "16.00")));
        assert_eq!(price(Meter::Memory, arm64, None), Some((PriceUnit::GiBMonth, "15.00")));
        for pool in of::<StoragePool>("StoragePool") {
            let meter = pool.spec.storage_type.meter();
            assert!(price(meter, None, Some(&pool.spec.tier)).is_some(), "{meter} {}", pool.spec.tier);
        }
    }

    #[test]
    fn every_database_refers_to_what_exists_and_fits() {
        let databases = of::<CloudDatabase>("CloudDatabase");
        assert_eq!(databases.len(), 1);
        for database in databases {
            let spec = &database.spec;
            let systems = of::<InformationSystem>("InformationSystem");
            let system = system_of(&systems, &spec.system_ref, &database.metadata);
            let classes = of::<DatabaseClass>("DatabaseClass");
            let class = classes.iter().find(|c| c.metadata.name.as_deref() == Some(&spec.class_ref.name)).unwrap();
            assert_eq!(misfit::database_misfits(spec, system, class).next(), None);
        }
    }

    #[test]
    fn every_volume_refers_to_what_exists_and_fits() {
        let systems = of::<InformationSystem>("InformationSystem");
        let hosts = of::<CloudHost>("CloudHost");
        let pools = of::<StoragePool>("StoragePool");
        let volumes = of::<CloudVolume>("CloudVolume");
        assert_eq!((volumes.len(), volumes.iter().filter(|volume| volume.spec.host_ref.is_some()).count()), (2, 1));
        for volume in volumes {
            let (name, spec) = (volume.metadata.name.clone().unwrap(), &volume.spec);
            let system = system_of(&systems, &spec.system_ref, &volume.metadata);
            assert_eq!(misfit::volume_misfits(spec, system).next(), None, "{name}");
            assert!(has_pool(&pools, StorageType::Block, &spec.tier), "{name}: tier");
            let is_host = |host: &CloudHost, named: &LocalRef| {
                host.metadata.name.as_deref() == Some(&named.name)
                    && host.metadata.namespace == volume.metadata.namespace
                    && host.spec.system_ref == spec.system_ref
            };
            let has_host = |named: &LocalRef| hosts.iter().any(|host| is_host(host, named));
            assert!(spec.host_ref.as_ref().is_none_or(has_host), "{name}: host");
        }
    }

    #[test]
    fn every_bucket_refers_to_what_exists_and_fits() {
        let systems = of::<InformationSystem>("InformationSystem");
        let pools = of::<StoragePool>("StoragePool");
        let buckets = of::<CloudBucket>("CloudBucket");
        assert_eq!(buckets.len(), 2);
        for bucket in buckets {
            let (name, spec) = (bucket.metadata.name.clone().unwrap(), &bucket.spec);
            let system = system_of(&systems, &spec.system_ref, &bucket.metadata);
            assert_eq!(misfit::bucket_misfits(spec, system).next(), None, "{name}");
            assert!(has_pool(&pools, StorageType::Object, &spec.tier), "{name}: tier");
        }
    }

    #[test]
    fn every_snapshot_is_of_a_disk_of_its_system_in_a_pool_that_takes_snapshots() {
        let systems = of::<InformationSystem>("InformationSystem");
        let (hosts, volumes) = (of::<CloudHost>("CloudHost"), of::<CloudVolume>("CloudVolume"));
        let pools = of::<StoragePool>("StoragePool");
        let snapshots = of::<CloudSnapshot>("CloudSnapshot");
        assert_eq!(snapshots.len(), 1);
        for snapshot in snapshots {
            let (name, spec) = (snapshot.metadata.name.clone().unwrap(), &snapshot.spec);
            system_of(&systems, &spec.system_ref, &snapshot.metadata);
            let is_it = |of: &ObjectMeta, system: &LocalRef| {
                of.name.as_deref() == Some(&spec.source.name)
                    && of.namespace == snapshot.metadata.namespace
                    && *system == spec.system_ref
            };
            let tier = match spec.source.kind {
                SnapshotSourceKind::CloudHost => {
                    let host = hosts.iter().find(|host| is_it(&host.metadata, &host.spec.system_ref));
                    host.map(|host| host.spec.system_disk.tier.clone())
                }
                SnapshotSourceKind::CloudVolume => {
                    let volume = volumes.iter().find(|volume| is_it(&volume.metadata, &volume.spec.system_ref));
                    volume.map(|volume| volume.spec.tier.clone())
                }
            };
            let tier = tier.unwrap_or_else(|| panic!("{name}: source"));
            let is_of_tier =
                |pool: &&StoragePool| pool.spec.storage_type == StorageType::Block && pool.spec.tier == tier;
            let mut of_tier = pools.iter().filter(is_of_tier);
            assert!(of_tier.all(|pool| pool.spec.snapshot_class_name.is_some()), "{name}: {tier}");
        }
    }

    #[test]
    fn every_block_pool_takes_snapshots_and_no_other_does() {
        for pool in of::<StoragePool>("StoragePool") {
            let is_block = pool.spec.storage_type == StorageType::Block;
            assert_eq!(pool.spec.snapshot_class_name.is_some(), is_block, "{:?}", pool.metadata.name);
        }
    }

    #[test]
    fn every_host_refers_to_what_exists_and_fits() {
        let departments = of::<Department>("Department");
        let systems = of::<InformationSystem>("InformationSystem");
        let classes = of::<HostClass>("HostClass");
        let images = of::<HostImage>("HostImage");
        let hosts = of::<CloudHost>("CloudHost");
        assert_eq!((systems.len(), hosts.len()), (5, 7));
        for host in hosts {
            let (name, spec) = (host.metadata.name.clone().unwrap(), &host.spec);
            let unit = department_of_namespace(host.metadata.namespace.as_deref().unwrap()).unwrap();
            let unit = departments.iter().find(|d| d.metadata.name.as_deref() == Some(unit)).unwrap();
            assert!(unit.spec.zones.contains(&spec.zone_ref.name), "{name}: zone");
            let system = system_of(&systems, &spec.system_ref, &host.metadata);
            assert_eq!(system.spec.zone_ref, spec.zone_ref, "{name}");
            let class = classes.iter().find(|c| c.metadata.name.as_deref() == Some(&spec.class_ref.name)).unwrap();
            assert!(class.spec.architectures.contains(&spec.architecture), "{name}: class");
            let image = images.iter().find(|i| i.metadata.name.as_deref() == Some(&spec.image_ref.name)).unwrap();
            assert_eq!(image.spec.architecture, spec.architecture, "{name}: image");
            assert!(
                spec.system_disk.size.mebibytes().unwrap() >= image.spec.min_disk.mebibytes().unwrap(),
                "{name}: disk"
            );
        }
    }
}
