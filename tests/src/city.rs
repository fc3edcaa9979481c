//! The demo city of `examples/city/`: what it contains, by name.

use std::path::PathBuf;

/// Folder of the city's files.
pub fn folder() -> PathBuf {
    jiyun_lab::source_root().join("examples/city")
}

/// Files of the catalogue, pools, prices and departments: everything that needs no department's namespace.
pub const PLATFORM_FILES: [&str; 11] = [
    "00-zones.yaml",
    "10-site.yaml",
    "20-pools.yaml",
    "30-classes.yaml",
    "35-database-classes.yaml",
    "40-images.yaml",
    "50-prices.yaml",
    "55-approvals.yaml",
    "60-county.yaml",
    "61-departments.yaml",
    "62-townships.yaml",
];

/// Files whose objects live in departments' namespaces.
pub const DEPARTMENT_FILES: [&str; 7] = [
    "70-systems.yaml",
    "80-hosts.yaml",
    "85-databases.yaml",
    "86-volumes.yaml",
    "87-buckets.yaml",
    "88-snapshots.yaml",
    "90-flows.yaml",
];

/// Files a small world needs: no townships, and departments of its own.
pub const CATALOGUE_FILES: [&str; 8] = [
    "00-zones.yaml",
    "10-site.yaml",
    "20-pools.yaml",
    "30-classes.yaml",
    "35-database-classes.yaml",
    "40-images.yaml",
    "50-prices.yaml",
    "55-approvals.yaml",
];

/// The disk every host on a node of the lab boots from.
const GUEST_DISK: &str = "http://images.lab-images.svc/debian-13.qcow2";
/// The image every database there is made from.
const POSTGRESQL: &str = "lab.jiyun.io/postgresql:17";
/// The class of volumes there.
const VOLUMES: &str = "lab-local";

/// The class of volumes, and of their snapshots, of a node with a CSI driver.
const WITH_SNAPSHOTS: &str = "lab-btrfs";

/// A file of the city for a node of the lab: images come from the node's own shop, volumes from its only class.
pub fn on_node(text: &str) -> String {
    // Its volumes are folders, of which no snapshots are taken.
    placed(text, VOLUMES, "# no snapshots")
}

/// The same for a node whose volumes have snapshots.
pub fn on_node_with_snapshots(text: &str) -> String {
    placed(text, WITH_SNAPSHOTS, &format!("snapshotClassName: {WITH_SNAPSHOTS}"))
}

fn placed(text: &str, volumes: &str, snapshots: &str) -> String {
    let place = |line: &str| {
        let indent = &line[..line.len() - line.trim_start().len()];
        match line.trim_start() {
            source if source.starts_with("http: {url:") => format!("{indent}http: {{url: \"{GUEST_DISK}\"}}"),
            version if version.starts_with("- {version: \"17\"") => {
                format!("{indent}- {{version: \"17\", image: \"{POSTGRESQL}\"}}")
            }
            class if class.starts_with("storageClassName:") => format!("{indent}storageClassName: {volumes}"),
            class if class.starts_with("snapshotClassName:") => format!("{indent}{snapshots}"),
            _ => line.to_owned(),
        }
    };
    text.lines().map(place).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn on_a_node_every_image_and_class_is_the_nodes_own() {
        for file in ["20-pools.yaml", "35-database-classes.yaml", "40-images.yaml"] {
            let text = std::fs::read_to_string(folder().join(file)).unwrap();
            let there = on_node(&text);
            // Of databases, the node has one version alone.
            let there = there.replace("registry.gov.example/postgresql:16", "");
            assert!(!there.contains("gov.example/") && !there.contains("storageClassName: standard"), "{there}");
            assert!(!there.contains("snapshotClassName"), "{there}");
            assert_eq!(there.lines().count(), text.lines().count());
        }
    }
}
