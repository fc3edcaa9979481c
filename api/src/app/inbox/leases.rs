//! Leases that end: hosts that the caller asked for, or may change. The API server selects them, so that a look costs what
//! there is to show and not what there is.

use std::collections::BTreeMap;

use futures::{StreamExt, TryStreamExt, stream};
use jiyun_crds::{
    names::{ANNOTATION_CREATED_BY, ANNOTATION_REQUESTED_BY},
    v1alpha1::CloudHost,
};
use kube::{ResourceExt, api::ListParams};

use super::{AT_ONCE, CHUNK, department_of};
use crate::{
    app::App,
    extract::DepartmentName,
    problem::Problem,
    store::{Caller, KubernetesError, kubernetes::User},
};

/// Hosts whose lease ends soon or has ended.
const ENDING: &str = "status.lease.stage!=,status.lease.stage!=Running";

/// The most that are read, of one department or of all at once; whoever has more of them looks at one department at a time.
const MOST_READ: usize = 5_000;

/// The most that are shown.
const MOST: usize = 1_000;

/// Whose hosts are looked at.
pub(super) enum Scope {
    /// Those of these departments.
    Of(Vec<DepartmentName>),
    /// Those of all.
    All,
}

impl App {
    /// The hosts of `scope` whose lease ends soon or has ended and which `user`, the caller, asked for or may change, the
    /// nearest end first.
    pub(super) async fn ending_leases(
        &self,
        caller: &Caller,
        user: &User,
        scope: Scope,
    ) -> Result<Vec<(DepartmentName, CloudHost)>, Problem> {
        let is_all = matches!(scope, Scope::All);
        let hosts = match scope {
            Scope::All => ending(caller, None).await?,
            Scope::Of(departments) => {
                let read = stream::iter(departments).map(|department: DepartmentName| async move {
                    let _turn = self.turn().await;
                    ending(caller, Some(&department.namespace())).await
                });
                read.buffered(AT_ONCE).try_concat().await?
            }
        };
        let mut of: BTreeMap<DepartmentName, Vec<CloudHost>> = BTreeMap::new();
        for host in hosts {
            if let Some(department) = department_of(&host) {
                of.entry(department).or_default().push(host);
            }
        }
        // Whoever sees those of all is asked about all at once: a question for each department would be hundreds.
        let everywhere = if is_all && !of.is_empty() { Some(may_change(caller, None).await?) } else { None };
        let mine = |host: &CloudHost| {
            let stamps = [ANNOTATION_CREATED_BY, ANNOTATION_REQUESTED_BY];
            stamps.iter().any(|stamp| host.annotations().get(*stamp) == Some(&user.name))
        };
        let asked = stream::iter(of).map(|(department, hosts)| async move {
            let may = match everywhere {
                Some(may) => may,
                None if hosts.iter().all(mine) => true,
                None => {
                    let _turn = self.turn().await;
                    may_change(caller, Some(&department.namespace())).await?
                }
            };
            let shown = hosts.into_iter().filter(|host| may || mine(host));
            Ok::<_, Problem>(shown.map(|host| (department.clone(), host)).collect::<Vec<_>>())
        });
        let mut shown: Vec<_> = asked.buffered(AT_ONCE).try_concat().await?;
        shown.sort_by_cached_key(|(department, host)| {
            let lease = host.status.as_ref().and_then(|status| status.lease.as_ref());
            let ends = lease.and_then(|lease| lease.ends_at.timestamp().ok());
            (ends.is_none(), ends, department.clone(), host.metadata.name.clone())
        });
        shown.truncate(MOST);
        Ok(shown)
    }
}

/// The hosts whose lease ends soon or has ended; none where the caller may not list them.
async fn ending(caller: &Caller, namespace: Option<&str>) -> Result<Vec<CloudHost>, Problem> {
    let mut chunk = ListParams::default().limit(CHUNK).fields(ENDING);
    let mut found = Vec::new();
    loop {
        let list = match caller.list::<CloudHost>(namespace, &chunk).await {
            Ok(list) => list,
            Err(error) if error.is_invisible() => return Ok(Vec::new()),
            Err(error) => return Err(Problem::from_kubernetes(error, "cloudhosts".to_owned())),
        };
        found.extend(list.items);
        match list.metadata.continue_.filter(|token| !token.is_empty() && found.len() < MOST_READ) {
            Some(token) => chunk.continue_token = Some(token),
            None => return Ok(found),
        }
    }
}

async fn may_change(caller: &Caller, namespace: Option<&str>) -> Result<bool, Problem> {
    let unanswered = |error: KubernetesError| Problem::from_kubernetes(error, "SelfSubjectAccessReview".to_owned());
    caller.may_change_hosts(namespace).await.map_err(unanswered)
}
