//! Wires hosts to their triggers: their own changes, and those of their machines and disks.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
};

use futures::{Stream, stream};
use jiyun_crds::{
    names::{LABEL_CLAIM, LABEL_CLOUDHOST, department_namespace, department_of_engine_namespace},
    v1alpha1::CloudHost,
};
use jiyun_ledger::Ledger;
use kube::{
    Resource, ResourceExt,
    runtime::{
        Controller, Predicate, WatchStreamExt,
        controller::{Action, Config},
        predicates,
        reflector::ObjectRef,
        utils::PredicateConfig,
        watcher,
    },
};
use tokio_util::sync::CancellationToken;

use crate::{
    claims::in_line,
    context::{Context, openings},
    driver::{Driver, drain, failed},
    engines::{
        cdi::DiskView,
        kubevirt::{InstanceView, MachineView, addresses, is_given_up},
    },
    error::ReconcileError,
    watch::{Guarded, Kind},
};

/// Engine objects whose changes bring their host on.
#[derive(Debug)]
pub struct Triggers<M, I, D> {
    /// Machines.
    pub machines: M,
    /// Machines as they run; looked at for their addresses, and for whether they are lost.
    pub instances: I,
    /// Disks.
    pub disks: D,
}

/// Reconciles hosts until `stop`, at most `concurrency` at a time and never one host twice at once.
pub async fn run(
    hosts: Kind<CloudHost, impl Stream<Item = Result<Guarded<CloudHost>, watcher::Error>> + Send + 'static>,
    triggers: Triggers<
        impl Stream<Item = Result<Guarded<MachineView>, watcher::Error>> + Send + 'static,
        impl Stream<Item = Result<Guarded<InstanceView>, watcher::Error>> + Send + 'static,
        impl Stream<Item = Result<Guarded<DiskView>, watcher::Error>> + Send + 'static,
    >,
    told: impl Stream<Item = ObjectRef<Guarded<CloudHost>>> + Send + 'static,
    concurrency: u16,
    context: Context,
    stop: CancellationToken,
) {
    // Our own status writes change neither generation nor finalizers, so they do not call us again. Of annotations, only
    // the mark of a handover is kept.
    let wishes = context.unseen_hosts.watching(hosts.stream).predicate_filter(
        predicates::generation.combine(predicates::finalizers).combine(predicates::annotations),
        PredicateConfig::default(),
    );
    // An instance changes many times on its way; its host has to tell only where it is reached, and whether it is lost.
    let addressed = triggers.instances.predicate_filter(reached_at, PredicateConfig::default());
    let [of_machines, of_instances, of_disks] = std::array::from_fn(|_| context.ledger.clone());
    let outcomes = Controller::for_stream(wishes, hosts.store)
        .with_config(Config::default().concurrency(concurrency))
        .watches_stream(triggers.machines, move |machine| host_of(&machine, &of_machines))
        .watches_stream(addressed, move |instance| host_of(&instance, &of_instances))
        .watches_stream(triggers.disks, move |disk| host_of(&disk, &of_disks))
        .reconcile_on(stream::select(in_line(context.ledger.clone(), "CloudHost"), told))
        .reconcile_all_on(context.writer.trail().reopenings())
        .reconcile_all_on(openings([
            &context.orders_listed,
            &context.engines_listed,
            &context.networks_listed,
            &context.policies_listed,
        ]))
        .graceful_shutdown_on(stop.cancelled_owned())
        .run(reconcile, failed, Driver::new(context));
    drain(outcomes).await;
}

/// A fingerprint of an instance's addresses, and of whether it was given up with its node.
fn reached_at(instance: &Guarded<InstanceView>) -> Option<u64> {
    let status = &instance.0.as_ref().ok()?.status;
    let mut hash = DefaultHasher::new();
    (addresses(status), is_given_up(status)).hash(&mut hash);
    Some(hash.finish())
}

/// The host an engine object is of, by its claim, which goes with it from department to department; by its other labels
/// and its namespace where the ledger does not know the claim.
fn host_of<K: Resource>(object: &K, ledger: &Ledger) -> Option<ObjectRef<Guarded<CloudHost>>> {
    let claim = object.labels().get(LABEL_CLAIM);
    let claim = claim.and_then(|label| ledger.read(|state| super::labelled(label, state).cloned()));
    if let Some(claim) = claim {
        // Disks of volumes are looked after elsewhere.
        let is_host = claim.subject.kind == "CloudHost";
        return is_host.then(|| ObjectRef::new(&claim.subject.name).within(&claim.subject.namespace));
    }
    let department = department_of_engine_namespace(object.meta().namespace.as_deref()?)?;
    let host = object.labels().get(LABEL_CLOUDHOST)?;
    Some(ObjectRef::new(host).within(&department_namespace(department)))
}

async fn reconcile(host: Arc<Guarded<CloudHost>>, driver: Arc<Driver<CloudHost>>) -> Result<Action, ReconcileError> {
    let Ok(readable) = &host.0 else { return Ok(Action::await_change()) };
    driver.counted(&host, Box::pin(super::reconcile(readable, &driver.context))).await
}
