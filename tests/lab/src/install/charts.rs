//! Jiyun's own charts, rendered by Helm as a customer's would be, applied by the lab.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{InstallError, manifest};
use crate::paths::source_root;

/// The namespace of Jiyun's own parts.
pub(crate) const NAMESPACE: &str = "jiyun-system";

/// Jiyun's programs and its etcd run as processes of the lab, under their charts' service accounts: no pod and no key is wanted.
const VALUES: &str =
    "controller.replicas=0,api.replicas=0,ledger.endpoints={https://ledger.example:2379},api.tlsSecret=none";

/// The installation binds the platform's roles to the installation's groups; these are the lab's.
const PEOPLE: &str = include_str!("people.yaml");

/// Bindings of the platform's roles to the groups of the lab's people.
pub(crate) fn people() -> Result<Vec<Value>, InstallError> {
    manifest::parse(Path::new("people.yaml"), PEOPLE)
}

/// The charts in the order they are installed.
fn folders() -> Vec<PathBuf> {
    let charts = ["jiyun-crds", "jiyun"].map(|chart| source_root().join("charts").join(chart));
    charts.into_iter().filter(|chart| chart.join("Chart.yaml").is_file()).collect()
}

/// Whether the source tree holds the charts.
pub(super) fn exist() -> bool {
    !folders().is_empty()
}

/// The objects of the charts, in the order the charts are installed, then the lab's people's roles, where they are known
/// by their groups. Blocks.
pub(super) fn render(helm: &Path, groups: bool) -> Result<Vec<Vec<Value>>, InstallError> {
    let mut charts = vec![vec![json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})]];
    for chart in folders() {
        let name = chart.file_name().unwrap_or_default().to_string_lossy();
        let path = chart.to_string_lossy();
        let mut arguments = vec!["template", &*name, &*path, "--include-crds", "--namespace", NAMESPACE];
        if name == "jiyun" {
            arguments.extend(["--set", VALUES]);
        }
        charts.push(manifest::parse(&chart, &super::output_blocking(helm, &arguments)?)?);
    }
    if groups {
        charts.push(people()?);
    }
    Ok(charts)
}
