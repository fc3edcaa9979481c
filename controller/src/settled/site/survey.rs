//! Looks at a site for its engines: whether their kinds are served, and what they say of their version. It only reads.

use std::time::Duration;

use kube::{Api, Client, api::ListParams};

use crate::{
    engines::{
        cdi::DiskView,
        cnpg::ClusterView,
        installation::{
            CNPG_LABELS, KUBE_OVN_FIELDS, KUBE_OVN_NAMESPACE, ROOK_LABELS, of_cdi, of_kubevirt, of_operator,
        },
        kube_ovn::SubnetView,
        kubevirt::MachineView,
        release::{CDI, CNPG, Engine, KUBE_OVN, KUBEVIRT, Looked, ROOK},
        rook::UserView,
        view::{EngineKind, View},
    },
    watch::{Guarded, Watched},
};

/// How long looking for one engine may take: two small requests.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a site has of each engine.
pub async fn look(client: &Client) -> [(&'static Engine, Looked); 5] {
    let any = ListParams::default;
    let (kubevirt, cdi, cnpg, kube_ovn, rook) = tokio::join!(
        looked::<MachineView, _>(client, Api::all(client.clone()), any(), of_kubevirt),
        looked::<DiskView, _>(client, Api::all(client.clone()), any(), of_cdi),
        looked::<ClusterView, _>(client, Api::all(client.clone()), any().labels(CNPG_LABELS), of_operator),
        looked::<SubnetView, _>(
            client,
            Api::namespaced(client.clone(), KUBE_OVN_NAMESPACE),
            any().fields(KUBE_OVN_FIELDS),
            of_operator,
        ),
        looked::<UserView, _>(client, Api::all(client.clone()), any().labels(ROOK_LABELS), of_operator),
    );
    [(&KUBEVIRT, kubevirt), (&CDI, cdi), (&CNPG, cnpg), (&KUBE_OVN, kube_ovn), (&ROOK, rook)]
}

/// Whether the kind `K` of an engine is served, and what the first object of `installations` that `which` names says.
///
/// That no such object is there does not make an engine missing: what is ordered goes by whether its kind is served.
async fn looked<K: Watched, E: EngineKind>(
    client: &Client,
    installations: Api<Guarded<View<E>>>,
    which: ListParams,
    read: fn(&View<E>) -> Option<&str>,
) -> Looked {
    let looking = async {
        let kind = Api::<K>::all(client.clone());
        if let Err(error) = kind.list_metadata(&ListParams::default().limit(1)).await {
            return failed(&error, Looked::Missing);
        }
        match installations.list(&which.limit(1)).await {
            Ok(found) => {
                let readable = found.items.first().and_then(|object| object.0.as_ref().ok());
                Looked::Installed(readable.and_then(read).map(str::to_owned))
            }
            Err(error) => failed(&error, Looked::Installed(None)),
        }
    };
    tokio::time::timeout(PATIENCE, looking).await.unwrap_or(Looked::Unclear)
}

/// What a failed request says: `not_served` where there is no such kind, nothing of the version where we may not read it.
fn failed(error: &kube::Error, not_served: Looked) -> Looked {
    match error {
        kube::Error::Api(status) if status.code == 404 => not_served,
        kube::Error::Api(status) if status.code == 403 => Looked::Installed(None),
        _ => Looked::Unclear,
    }
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::*;

    fn refused(code: u16) -> kube::Error {
        kube::Error::Api(Box::new(Status { code, ..Status::default() }))
    }

    #[test]
    fn what_is_not_served_is_missing_and_what_may_not_be_read_is_not() {
        assert_eq!(failed(&refused(404), Looked::Missing), Looked::Missing);
        assert_eq!(failed(&refused(403), Looked::Missing), Looked::Installed(None));
        for code in [401, 429, 500, 503] {
            assert_eq!(failed(&refused(code), Looked::Missing), Looked::Unclear, "{code}");
        }
    }
}
