//! What an existing cluster is, asked before anything is changed in it: whether a lab may use it, and what it has.

use std::collections::BTreeSet;
use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec};
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use k8s_openapi::apimachinery::pkg::version::Info;
use kube::api::{Api, ListParams, PostParams};
use kube::{Client, ResourceExt as _};

use super::error::asked;
use super::{ClusterError, marks};
use crate::cluster::Engines;
use crate::install::{MANAGER, NAMESPACE};
use crate::profile::Profile;

/// A cluster far away answers within this time; a client that cannot connect may otherwise try for minutes.
const ANSWER: Duration = Duration::from_secs(20);
/// The first version with `MutatingAdmissionPolicy` as v1.
const OLDEST: (u32, u32) = (1, 36);
/// The group and version that must serve it.
const ADMISSION: &str = "admissionregistration.k8s.io/v1";
/// One definition of each engine tells whether the engine is there.
const ENGINES: [&str; 2] = ["virtualmachines.kubevirt.io", "datavolumes.cdi.kubevirt.io"];
/// How the names of Jiyun's definitions end.
const KINDS: &str = ".jiyun.io";
/// The `ConfigMap` in which a controller remembers its ledger.
const LEDGER_MARK: &str = "jiyun-ledger-mark";

/// What the lab wants to do there.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Intent {
    /// The profile, where engines are wanted.
    pub(crate) engines: Option<Profile>,
    /// Whether Jiyun's charts are installed.
    pub(crate) charts: bool,
    /// Whether an audit log is wanted.
    pub(crate) audit: bool,
    /// Whether an identity provider of the lab's is wanted.
    pub(crate) issuer: bool,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Survey {
    /// Which engines there will be.
    pub(crate) engines: Engines,
    /// Definitions that no lab installed, and no lab changes.
    pub(crate) foreign: BTreeSet<String>,
}

/// Asks; changes nothing.
pub(crate) async fn survey(client: &Client, url: &str, intent: Intent) -> Result<Survey, ClusterError> {
    if intent.audit {
        return Err(ClusterError::NoAudit);
    }
    if intent.issuer {
        return Err(ClusterError::NoIssuer);
    }
    let version = reach(client, url).await?;
    if !is_new_enough(&version) {
        return Err(ClusterError::TooOld { url: url.to_owned(), version: version.git_version });
    }
    let served = asked(format!("list the kinds of {ADMISSION}"), client.list_api_group_resources(ADMISSION).await)?;
    if !served.resources.iter().any(|resource| resource.name == "mutatingadmissionpolicies") {
        return Err(ClusterError::NoMutatingPolicies { url: url.to_owned() });
    }
    if !may_do_everything(client).await? {
        return Err(ClusterError::NotAdministrator);
    }
    marks::none_is_foreign(client).await?;
    let found = Definitions::list(client).await?;
    if intent.charts {
        if let Some(kind) = found.foreign.iter().find(|name| name.ends_with(KINDS)) {
            return Err(ClusterError::ForeignKinds(kind.clone()));
        }
        nothing_runs(client).await?;
        let marks = Api::<ConfigMap>::namespaced(client.clone(), NAMESPACE);
        if asked("read the mark of a ledger", marks.get_opt(LEDGER_MARK).await)?.is_some() {
            return Err(ClusterError::Remembers { mark: "jiyun-system/jiyun-ledger-mark" });
        }
    }
    Ok(Survey { engines: found.engines(intent.engines)?, foreign: found.foreign })
}

async fn reach(client: &Client, url: &str) -> Result<Info, ClusterError> {
    let answer = tokio::time::timeout(ANSWER, client.apiserver_version()).await;
    let silent = |_| ClusterError::Silent { url: url.to_owned(), seconds: ANSWER.as_secs() };
    answer.map_err(silent)?.map_err(|source| match source {
        kube::Error::Api(refusal) if refusal.code == 401 => ClusterError::Unknown { url: url.to_owned() },
        source => ClusterError::Unreachable { url: url.to_owned(), source: Box::new(source) },
    })
}

/// The mark outlives the lab, so it does not tell of an installation made later in the same namespace. Of a lab's charts
/// no pod runs.
async fn nothing_runs(client: &Client) -> Result<(), ClusterError> {
    let api = Api::<Deployment>::namespaced(client.clone(), NAMESPACE);
    let found = asked(format!("list the Deployments of {NAMESPACE}"), api.list(&ListParams::default()).await)?;
    let runs = |deployment: &&Deployment| deployment.spec.as_ref().is_none_or(|spec| spec.replicas != Some(0));
    match found.iter().find(runs) {
        Some(deployment) => Err(ClusterError::Installed(format!("{NAMESPACE}/{}", deployment.name_any()))),
        None => Ok(()),
    }
}

/// Some clusters write `36+`.
fn is_new_enough(version: &Info) -> bool {
    let number = |text: &str| -> u32 {
        let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().unwrap_or(0)
    };
    (number(&version.major), number(&version.minor)) >= OLDEST
}

async fn may_do_everything(client: &Client) -> Result<bool, ClusterError> {
    let all = || Some("*".to_owned());
    let everything = ResourceAttributes { verb: all(), group: all(), resource: all(), ..ResourceAttributes::default() };
    let review = SelfSubjectAccessReview {
        spec: SelfSubjectAccessReviewSpec { resource_attributes: Some(everything), ..Default::default() },
        ..SelfSubjectAccessReview::default()
    };
    let reviews = Api::<SelfSubjectAccessReview>::all(client.clone());
    let answer = asked("say what its user may do", reviews.create(&PostParams::default(), &review).await)?;
    Ok(answer.status.is_some_and(|status| status.allowed))
}

/// The definitions of a cluster by who installed them.
#[derive(Debug, Default)]
struct Definitions {
    labs: BTreeSet<String>,
    foreign: BTreeSet<String>,
}

impl Definitions {
    async fn list(client: &Client) -> Result<Self, ClusterError> {
        let api = Api::<CustomResourceDefinition>::all(client.clone());
        let mut found = Self::default();
        for definition in asked("list its definitions", api.list_metadata(&ListParams::default()).await)? {
            let is_labs = definition.managed_fields().iter().any(|entry| entry.manager.as_deref() == Some(MANAGER));
            let list = if is_labs { &mut found.labs } else { &mut found.foreign };
            list.insert(definition.name_any());
        }
        Ok(found)
    }

    /// An engine whose definition no lab installed is the cluster's own. Both are, or none is: a simulator of one beside
    /// the other's real controllers would be neither.
    fn engines(&self, wanted: Option<Profile>) -> Result<Engines, ClusterError> {
        let Some(profile) = wanted else { return Ok(Engines::None) };
        let [machines, disks] = ENGINES;
        match (self.foreign.contains(machines), self.foreign.contains(disks)) {
            (true, true) => Ok(Engines::TheClusters),
            (true, false) => Err(ClusterError::HalfEngines { present: machines, missing: disks }),
            (false, true) => Err(ClusterError::HalfEngines { present: disks, missing: machines }),
            (false, false) if profile == Profile::Real => Err(ClusterError::NoKubeVirt),
            (false, false) => Ok(Engines::Simulated),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        let version = |major: &str, minor: &str| Info { major: major.into(), minor: minor.into(), ..Info::default() };
        assert!(is_new_enough(&version("1", "36")) && is_new_enough(&version("1", "36+")));
        assert!(is_new_enough(&version("1", "100")) && is_new_enough(&version("2", "0")));
        assert!(!is_new_enough(&version("1", "35")) && !is_new_enough(&version("", "")));
    }

    #[test]
    fn engines_are_the_clusters_own_or_simulated_but_never_half() {
        let found = |foreign: &[&str]| Definitions {
            labs: BTreeSet::new(),
            foreign: foreign.iter().map(|name| (*name).to_owned()).collect(),
        };
        let both = found(&ENGINES);
        for profile in [Profile::Scale, Profile::Real] {
            assert_eq!(both.engines(Some(profile)).expect("its own"), Engines::TheClusters);
        }
        assert_eq!(found(&[]).engines(Some(Profile::Scale)).expect("simulated"), Engines::Simulated);
        assert!(matches!(found(&[]).engines(Some(Profile::Real)), Err(ClusterError::NoKubeVirt)));
        assert!(matches!(found(&ENGINES[..1]).engines(Some(Profile::Scale)), Err(ClusterError::HalfEngines { .. })));
        assert_eq!(found(&ENGINES[1..]).engines(None).expect("none wanted"), Engines::None);
        let left = Definitions { labs: ENGINES.map(str::to_owned).into(), foreign: BTreeSet::new() };
        assert_eq!(left.engines(Some(Profile::Scale)).expect("an earlier lab's"), Engines::Simulated);
    }
}
