//! An existing cluster as the Kubernetes of a lab: what is asked of it, what is put there, and what is taken away again.

mod access;
mod bindings;
mod error;
mod lease;
mod marks;
mod people;
mod survey;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec};
use kube::Client;
use kube::api::{Api, PostParams};

pub(crate) use access::Access;
pub use error::ClusterError;
pub(crate) use survey::{Intent, Survey, survey};

use crate::folder::Folder;
use crate::install::NAMESPACE;
use crate::kubeconfig;
use crate::people::Person;
use crate::random;
use crate::wait::wait_for;

/// How long a department's people may wait for their rights once its namespace is there.
const BOUND: Duration = Duration::from_mins(1);

/// How long leaving may take: `jiyun-lab down` waits for a minute.
const LEAVE: Duration = Duration::from_secs(45);

/// An existing cluster in use by this lab.
#[derive(Debug)]
pub(crate) struct Given {
    access: Access,
    authority: PathBuf,
    /// This lab's own mark: a random number.
    mark: String,
}

impl Given {
    /// Writes the authority to a file. Nothing is changed in the cluster.
    pub(crate) fn prepare(access: Access, folder: &Folder) -> Result<Self, ClusterError> {
        let authority = folder.write_etc("kubernetes-ca.crt", &access.authority)?;
        Ok(Self { access, authority, mark: random::hexadecimal().map_err(ClusterError::Random)? })
    }

    /// The API server's URL.
    pub(crate) fn url(&self) -> &str {
        &self.access.url
    }

    /// The file with the authority that signed the API server's certificate.
    pub(crate) fn authority(&self) -> &Path {
        &self.authority
    }

    /// The kubeconfig the lab was given, with one context.
    pub(crate) fn admin_kubeconfig(&self) -> &str {
        &self.access.kubeconfig
    }

    /// A few characters no other lab has.
    pub(crate) fn tag(&self) -> &str {
        self.mark.get(..6).unwrap_or_default()
    }

    /// Claims the cluster for this lab and removes what is left of the people of a lab that was killed.
    pub(crate) async fn claim(&self, client: &Client) -> Result<(), ClusterError> {
        marks::make(client, NAMESPACE, &self.mark).await?;
        lease::take(client, &self.mark).await?;
        marks::take_over(client, NAMESPACE, &self.mark).await?;
        self.holding(client, remove_people(client)).await
    }

    /// Makes the people with these names and groups.
    pub(crate) async fn people(
        &self,
        client: &Client,
        named: Vec<(String, Vec<String>)>,
    ) -> Result<Vec<Person>, ClusterError> {
        self.holding(client, async {
            marks::make(client, marks::PEOPLE, &self.mark).await?;
            let people = people::make(client, named).await?;
            bindings::bind_platform(client, &people).await?;
            Ok(people)
        })
        .await
    }

    /// What keeps the claim while the lab lives.
    pub(crate) fn keeper(&self) -> Keeper {
        Keeper { kubeconfig: self.access.kubeconfig.clone(), mark: self.mark.clone() }
    }

    /// Waits until a department's people may see its hosts, which is when their bindings have come into effect.
    pub(crate) async fn people_ready(&self, people: &[Person], department: &str) -> Result<(), ClusterError> {
        let client = kubeconfig::client(&self.access.kubeconfig).await?;
        let reviews = Api::<SubjectAccessReview>::all(client);
        for person in bindings::of_department(people, department) {
            let review = may_see_hosts(person, department);
            wait_for(format!("the roles of {} in dept-{department}", person.name), BOUND, || async {
                let answer =
                    reviews.create(&PostParams::default(), &review).await.map_err(|error| error.to_string())?;
                let status = answer.status.unwrap_or_default();
                if status.allowed { Ok(()) } else { Err(status.reason.unwrap_or_else(|| "not allowed".to_owned())) }
            })
            .await?;
        }
        Ok(())
    }

    /// Removes what was this lab's alone: people, their bindings, its claim, and the namespace of the claim if nothing
    /// was installed there. What was installed or applied stays.
    pub(crate) async fn leave(&self) -> Result<(), ClusterError> {
        let silent = |_| ClusterError::Silent { url: self.access.url.clone(), seconds: LEAVE.as_secs() };
        tokio::time::timeout(LEAVE, self.leave_in_order()).await.map_err(silent)?
    }

    async fn leave_in_order(&self) -> Result<(), ClusterError> {
        let client = kubeconfig::client(&self.access.kubeconfig).await?;
        if lease::held(&client, &self.mark).await?.is_none() {
            // Never claimed, or another lab's by now: then what is there is that lab's.
            return Ok(());
        }
        self.holding(&client, async {
            remove_people(&client).await?;
            let unused = marks::is_unused(&client, NAMESPACE).await?;
            lease::give_back(&client, &self.mark).await?;
            if unused { marks::remove(&client, NAMESPACE).await } else { Ok(()) }
        })
        .await
    }

    /// Does work that may take longer than the claim holds, and renews it meanwhile.
    async fn holding<T>(
        &self,
        client: &Client,
        work: impl Future<Output = Result<T, ClusterError>>,
    ) -> Result<T, ClusterError> {
        tokio::pin!(work);
        tokio::select! {
            biased;
            outcome = &mut work => outcome,
            // Lost to another lab, which waits for what goes; there is nothing to renew any more.
            () = lease::renew(client, &self.mark) => work.await,
        }
    }
}

/// Keeps a claimed cluster.
#[derive(Debug)]
pub(crate) struct Keeper {
    kubeconfig: String,
    mark: String,
}

impl Keeper {
    /// Renews the claim and binds departments' people; returns only when another lab has the cluster.
    pub(crate) async fn keep(self, people: Arc<[Person]>) -> Result<(), ClusterError> {
        let client = kubeconfig::client(&self.kubeconfig).await?;
        tokio::select! {
            () = lease::renew(&client, &self.mark) => {}
            () = bindings::follow(client.clone(), people) => {}
        }
        Ok(())
    }
}

/// Bindings first: a token is worth nothing without them, from the first moment on.
async fn remove_people(client: &Client) -> Result<(), ClusterError> {
    bindings::remove(client).await?;
    marks::remove(client, marks::PEOPLE).await
}

fn may_see_hosts(person: &Person, department: &str) -> SubjectAccessReview {
    let attribute = |text: &str| Some(text.to_owned());
    SubjectAccessReview {
        spec: SubjectAccessReviewSpec {
            user: Some(person.user.clone()),
            resource_attributes: Some(ResourceAttributes {
                namespace: Some(format!("dept-{department}")),
                verb: attribute("list"),
                group: attribute("jiyun.io"),
                resource: attribute("cloudhosts"),
                ..ResourceAttributes::default()
            }),
            ..SubjectAccessReviewSpec::default()
        },
        ..SubjectAccessReview::default()
    }
}
