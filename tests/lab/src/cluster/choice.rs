//! Which Kubernetes a lab was told to use.

use std::path::PathBuf;

/// Names the kubeconfig of an existing cluster for labs that were not told otherwise. Not `KUBECONFIG`: what a person's
/// shell points at by default must not be written to by accident.
const ENVIRONMENT: &str = "JIYUN_LAB_CLUSTER";

/// What the options say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Choice {
    /// What the environment says; one of the lab's own, if it says nothing.
    Environment,
    /// One of the lab's own.
    Own,
    /// An existing one.
    Given {
        /// The kubeconfig file.
        kubeconfig: PathBuf,
        /// The context in it; its current one if left out.
        context: Option<String>,
    },
}

impl Choice {
    /// Kubeconfig and context of an existing cluster; nothing for one of the lab's own.
    pub(crate) fn given(&self) -> Option<(PathBuf, Option<String>)> {
        match self {
            Self::Own => None,
            Self::Given { kubeconfig, context } => Some((kubeconfig.clone(), context.clone())),
            Self::Environment => {
                let named = std::env::var_os(ENVIRONMENT).filter(|named| !named.is_empty());
                named.map(|kubeconfig| (kubeconfig.into(), None))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LabOptions;

    #[test]
    fn what_names_its_own_kubernetes_does_not_ask_the_environment() {
        assert_eq!(LabOptions::bare().cluster.given(), None);
        assert_eq!(LabOptions::default().own_cluster().cluster.given(), None);
        let named = LabOptions::default().cluster_context("there", "trial").cluster.given();
        assert_eq!(named, Some((PathBuf::from("there"), Some("trial".to_owned()))));
        assert_eq!(LabOptions::default().cluster, Choice::Environment);
    }
}
