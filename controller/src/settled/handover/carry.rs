//! Carries out what is planned, one step of one host after the other, each with what the step before was answered.

use std::collections::BTreeMap;

use jiyun_crds::{
    names::{ANNOTATION_HANDOVER, department_namespace},
    v1alpha1::{CloudHost, InformationSystem, NetworkFlow},
};
use jiyun_ledger::{AccountId, Claim, Command, Subject, Transfer};
use kube::{Api, ResourceExt};
use tracing::info;

use super::{
    build,
    found::{Found, all},
    plan::{self, Facts, Next, Step, marked},
    progress::{Failure, Round},
    valid::Route,
};
use crate::{
    context::Context,
    error::ReconcileError,
    host::{handed, request},
};

/// More steps than a host has from one end to the other.
const STEPS: usize = 10;

/// One look at a handover.
pub struct Carrier<'a> {
    route: &'a Route,
    found: &'a Found,
    context: &'a Context,
    givers: Api<CloudHost>,
    takers: Api<CloudHost>,
    /// The taker's hosts by name.
    there: BTreeMap<String, CloudHost>,
}

/// What became of a host in this look.
enum Fate {
    /// Its claim has gone over, and it was told to leave.
    Carried,
    /// That was before, and it is on its way out.
    Leaves,
    Waits,
    Stays,
    Fails(Failure),
}

impl<'a> Carrier<'a> {
    /// For this route and what was found.
    pub fn new(route: &'a Route, found: &'a Found, context: &'a Context) -> Self {
        let api = |department: &str| Api::namespaced(context.client.clone(), &department_namespace(department));
        let there = found.taker_hosts.iter().map(|host| (host.name_any(), host.clone())).collect();
        Self { route, found, context, givers: api(&route.from), takers: api(&route.to), there }
    }

    /// Carries over at most `at_once` hosts.
    ///
    /// # Errors
    /// When a request fails. What was done stays done; the next look goes on.
    pub async fn carry(&mut self, at_once: usize) -> Result<Round, ReconcileError> {
        let mut round = Round::default();
        if !self.route.withdrawn {
            self.make_systems().await?;
        }
        self.settle_orphans().await?;
        let hosts: Vec<_> = self.found.hosts.iter().filter(|host| self.route.concerns(host)).collect();
        let mut carried = 0;
        for host in hosts {
            round.remaining += 1;
            if carried >= at_once {
                round.more = true;
                round.leaving += usize::from(handed::is_over(host, self.context));
                continue;
            }
            match self.carry_one(host).await? {
                Fate::Carried => {
                    carried += 1;
                    round.leaving += 1;
                    round.waiting += 1;
                }
                Fate::Leaves => {
                    round.leaving += 1;
                    round.waiting += 1;
                }
                Fate::Waits => round.waiting += 1,
                Fate::Stays => {}
                Fate::Fails(failure) => round.failures.push(failure),
            }
        }
        Ok(round)
    }

    async fn make_systems(&self) -> Result<(), ReconcileError> {
        let api =
            Api::<InformationSystem>::namespaced(self.context.client.clone(), &department_namespace(&self.route.to));
        for system in &self.found.systems {
            let Some(there) = self.route.systems.get(&system.name_any()) else { continue };
            if self.found.taker_systems.iter().all(|other| other.name_any() != *there) {
                self.context.writer.create(&api, &build::system(system, there, self.route)).await?;
            }
        }
        Ok(())
    }

    /// Objects of the taker in this handover's hands whose giver's object is gone.
    async fn settle_orphans(&mut self) -> Result<(), ReconcileError> {
        let ours = format!("{}/", self.route.handover);
        let givers: Vec<_> =
            self.found.hosts.iter().map(|host| build::mark(&self.route.handover, &host.name_any())).collect();
        let is_orphan = |host: &&CloudHost| {
            marked(host).is_some_and(|mark| mark.starts_with(&ours) && !givers.iter().any(|giver| giver == mark))
        };
        let orphans: Vec<CloudHost> = self.there.values().filter(is_orphan).cloned().collect();
        for made in orphans {
            let uid = made.uid().unwrap_or_default();
            let holds = self.context.ledger.read(|state| state.claim_of_subject(&uid).is_some());
            match plan::without_giver(&made, holds) {
                Next::Do(Step::FreeMade) => self.free_made(&made).await?,
                Next::Do(_) => self.context.writer.delete(&self.takers, &made).await?,
                Next::Wait | Next::Stay | Next::Fail(..) => {}
            }
        }
        Ok(())
    }

    async fn carry_one(&mut self, host: &CloudHost) -> Result<Fate, ReconcileError> {
        let mut host = host.clone();
        for _ in 0..STEPS {
            let uid = host.uid().unwrap_or_default();
            let (claim, gone) = self.context.ledger.read(|state| {
                let own = state.claim_of_subject(&uid).map(|claim| Claim::clone(claim));
                (own, handed::went_to(&host, state).cloned())
            });
            let made = self.made(&host, gone.as_ref()).cloned();
            let facts = Facts { host: &host, claim: claim.as_ref(), gone: gone.as_ref(), made: made.as_ref() };
            let step = match plan::next(facts, self.route, |name| self.there.contains_key(name)) {
                Next::Do(step) => step,
                Next::Wait if gone.is_some() => return Ok(Fate::Leaves),
                Next::Wait => return Ok(Fate::Waits),
                Next::Stay => return Ok(Fate::Stays),
                Next::Fail(code, about) => return Ok(Fate::Fails(Failure::new(&host.name_any(), code, &about))),
            };
            let is_last = matches!(step, Step::Remove | Step::Free | Step::RemoveMade);
            self.take(&step, &mut host, claim.as_ref(), made.as_ref()).await?;
            if is_last {
                return Ok(if step == Step::Remove { Fate::Carried } else { Fate::Waits });
            }
        }
        Ok(Fate::Waits)
    }

    /// The taker's object for a giver's.
    fn made(&self, host: &CloudHost, gone: Option<&Claim>) -> Option<&CloudHost> {
        if let Some(claim) = gone {
            return self
                .there
                .get(&claim.subject.name)
                .filter(|there| there.uid().as_ref() == Some(&claim.subject.uid));
        }
        let mark = build::mark(&self.route.handover, &host.name_any());
        self.there.values().find(|there| marked(there) == Some(&mark))
    }

    async fn take(
        &mut self,
        step: &Step,
        host: &mut CloudHost,
        claim: Option<&Claim>,
        made: Option<&CloudHost>,
    ) -> Result<(), ReconcileError> {
        let writer = &self.context.writer;
        let mark = build::mark(&self.route.handover, &host.name_any());
        match (step, made, claim) {
            (Step::Mark, _, _) => {
                *host = writer.annotate(&self.givers, host, ANNOTATION_HANDOVER, Some(&mark)).await?;
                // Whoever reconciles it must see the mark before the claim has gone.
                self.context.unseen_hosts.wrote(host.clone());
            }
            (Step::Free, _, _) => {
                *host = writer.annotate(&self.givers, host, ANNOTATION_HANDOVER, None).await?;
                self.context.unseen_hosts.wrote(host.clone());
            }
            (Step::Make(name), _, _) => {
                let Some(system) = self.route.systems.get(&host.spec.system_ref.name) else { return Ok(()) };
                let object = build::host(host, name, system, self.route);
                let made = writer.create(&self.takers, &object).await?;
                self.context.unseen_hosts.wrote(made.clone());
                self.there.insert(name.clone(), made);
            }
            (Step::Transfer, Some(made), Some(claim)) => {
                if let Some(hold) = &claim.hold {
                    // What was set aside on top of it was promised to an order of the giver, and the taker knows of none. The
                    // host is marked by now: no order sets anything aside for it any more.
                    let digest = hold.spec_digest.clone();
                    self.context.ledger.record(Command::WithdrawFor(claim.id, digest)).await?;
                }
                self.context.ledger.transfer(transfer(claim, made, self.route)).await?;
                info!(
                    handover = self.route.handover,
                    claim = %claim.id,
                    from = self.route.from,
                    to = self.route.to,
                    host = host.name_any(),
                    as_host = made.name_any(),
                    "handed over"
                );
            }
            (Step::FreeMade, Some(made), _) => self.free_made(made).await?,
            (Step::Remove, _, _) => writer.delete(&self.givers, host).await?,
            (Step::RemoveMade, Some(made), _) => writer.delete(&self.takers, made).await?,
            (Step::Transfer | Step::FreeMade | Step::RemoveMade, _, _) => {}
        }
        Ok(())
    }

    /// What is protected from deletion is what has a claim in its status: that is told before the mark goes, which protected
    /// it until then.
    async fn tell_claim(&self, made: &CloudHost) -> Result<CloudHost, ReconcileError> {
        let uid = made.uid().unwrap_or_default();
        let claim = self.context.ledger.read(|state| state.claim_of_subject(&uid).map(|claim| claim.id.to_string()));
        let mut status = made.status.clone().unwrap_or_default();
        if claim.is_none() || status.claim_id == claim {
            return Ok(made.clone());
        }
        status.claim_id = claim;
        let status = serde_json::to_value(&status)?;
        let told = self.context.writer.apply_status(&self.takers, &made.name_any(), &status).await?;
        self.context.unseen_hosts.wrote(told.clone());
        Ok(told)
    }

    async fn free_made(&mut self, made: &CloudHost) -> Result<(), ReconcileError> {
        let made = self.tell_claim(made).await?;
        let freed = self.context.writer.annotate(&self.takers, &made, ANNOTATION_HANDOVER, None).await?;
        self.context.unseen_hosts.wrote(freed.clone());
        self.there.insert(freed.name_any(), freed);
        Ok(())
    }

    /// Deletes the giver's systems, once none of their hosts is left, and counts those that are still there.
    ///
    /// # Errors
    /// When a request fails.
    pub async fn systems_left(&self) -> Result<usize, ReconcileError> {
        // Read anew: somebody may have ordered something meanwhile.
        let hosts: Vec<CloudHost> = all(&self.route.from, self.context).await?;
        let api =
            Api::<InformationSystem>::namespaced(self.context.client.clone(), &department_namespace(&self.route.from));
        for system in &self.found.systems {
            let name = system.name_any();
            let is_used = hosts.iter().any(|host| host.spec.system_ref.name == name);
            if self.route.systems.contains_key(&name) && !is_used {
                self.end_flows(&name).await?;
            }
            if self.route.systems.contains_key(&name) && !is_used && system.metadata.deletion_timestamp.is_none() {
                self.context.writer.delete(&api, system).await?;
            }
        }
        Ok(self.route.systems.len())
    }

    /// Deletes the giver's flows at either end of a system that goes: they do not go along, and would keep it for ever.
    async fn end_flows(&self, system: &str) -> Result<(), ReconcileError> {
        let namespace = department_namespace(&self.route.from);
        let api = Api::<NetworkFlow>::namespaced(self.context.client.clone(), &namespace);
        let flows = self.context.orders.flows.state();
        for flow in flows.iter().filter_map(|flow| flow.0.as_ref().ok()) {
            let names_it = flow.spec.system_ref.name == system
                || flow.spec.peer.system.as_ref().is_some_and(|peer| peer.name == system);
            let is_here = flow.metadata.namespace.as_deref() == Some(&namespace);
            if is_here && names_it && flow.metadata.deletion_timestamp.is_none() {
                self.context.writer.delete(&api, flow).await?;
            }
        }
        Ok(())
    }
}

/// What the ledger is told: whose the claim is now. Its machine stays where it lies.
fn transfer(claim: &Claim, made: &CloudHost, route: &Route) -> Transfer {
    Transfer {
        claim: claim.id,
        account: AccountId::new(&route.to),
        system: made.spec.system_ref.name.clone(),
        subject: Subject {
            kind: claim.subject.kind.clone(),
            namespace: department_namespace(&route.to),
            name: made.name_any(),
            uid: made.uid().unwrap_or_default(),
        },
        engine_namespace: request::engine_namespace(claim),
    }
}
