//! The demo city of `examples/city/`: what it contains, by name.

use std::path::PathBuf;

/// Folder of the city's files.
pub fn folder() -> PathBuf {
    jiyun_lab::source_root().join("examples/city")
}

/// Files of the catalogue, pools, prices and departments: everything that needs no department's namespace.
pub const PLATFORM_FILES: [&str; 10] = [
    "00-zones.yaml",
    "10-site.yaml",
    "20-pools.yaml",
    "30-classes.yaml",
    "40-images.yaml",
    "50-prices.yaml",
    "55-approvals.yaml",
    "60-county.yaml",
    "61-departments.yaml",
    "62-townships.yaml",
];

/// Files whose objects live in departments' namespaces.
pub const DEPARTMENT_FILES: [&str; 3] = ["70-systems.yaml", "80-hosts.yaml", "90-flows.yaml"];

/// Files a small world needs: no townships, and departments of its own.
pub const CATALOGUE_FILES: [&str; 7] = [
    "00-zones.yaml",
    "10-site.yaml",
    "20-pools.yaml",
    "30-classes.yaml",
    "40-images.yaml",
    "50-prices.yaml",
    "55-approvals.yaml",
];
