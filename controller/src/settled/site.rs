//! Sites (数据中心): ready when their engines answer; which engines they have, of which version, is looked at now and then.

mod survey;

use std::{collections::HashSet, time::Duration};

use futures::{Stream, StreamExt, future::BoxFuture};
use jiyun_crds::v1alpha1::{
    ConditionStatus, ConditionType, EngineReport, EngineState, Reason, Site, SiteStatus, condition::Finding,
};
use jiyun_messages::parameters;
use kube::{
    ResourceExt,
    runtime::{reflector::Store, watcher},
};
use serde_json::{Value, json};

use super::{AGAIN, Outcome, SOON, Settled};
use crate::{
    conditions::{finding, plain},
    context::Context,
    engines::release::{Checked, Engine, Looked},
    error::ReconcileError,
    metrics::Metrics,
    watch::{Guarded, Kind},
};

/// When to look at engines again that are as they should be: they are upgraded a few times a year, and a look is ten
/// requests. Where something is to be done about them, somebody waits to see it done: then it is [`AGAIN`].
const ENGINES_EVERY: Duration = Duration::from_mins(10);

impl Settled for Site {
    super::reported!(cluster);

    fn settle<'a>(&'a self, context: &'a Context) -> BoxFuture<'a, Result<Outcome, ReconcileError>> {
        Box::pin(async move { Ok(settle(self, context).await) })
    }

    fn says(&self, further: &Value) -> bool {
        let said = self.status.clone().unwrap_or_default();
        told(said.engines, said.engine_versions) == *further
    }
}

async fn settle(site: &Site, context: &Context) -> Outcome {
    let name = site.name_any();
    let Some(engines) = context.sites.engines(site) else {
        context.metrics.set_engines(&name, &[]);
        return Outcome::found(vec![unreachable(&name)]);
    };
    let looked = survey::look(&engines.client).await;
    // Every site that is served is the hub. Its hosts and volumes would wait in silence for lists that never come.
    if let Some(missing) = is_incomplete(&looked) {
        context.machine_engine.set(missing);
    }
    let is_unclear = looked.iter().any(|(_, looked)| *looked == Looked::Unclear);
    let before = site.status.as_ref().map(|status| status.engines.as_slice()).unwrap_or_default();
    let checked = looked
        .map(|(engine, looked)| Checked::of(engine, looked, before.iter().find(|report| report.name == engine.name)));
    let reports: Vec<EngineReport> = checked.iter().map(Checked::report).collect();
    context.metrics.set_engines(&name, &reports);
    // It may have been deleted while it was looked at, and nothing of it be told any more.
    context.metrics.keep_engines_of(&names(&context.catalogue.sites));
    let supported = judged(&checked);
    let again = match supported.status {
        _ if is_unclear => SOON,
        ConditionStatus::True => ENGINES_EVERY,
        ConditionStatus::False | ConditionStatus::Unknown => AGAIN,
    };
    let ready = plain(ConditionType::Ready, ConditionStatus::True, Reason::Valid);
    Outcome { status: told(reports, in_short(&checked)), again, ..Outcome::found(vec![ready, supported]) }
}

fn unreachable(site: &str) -> Finding {
    let about = parameters([("site", site)]);
    finding(ConditionType::Ready, ConditionStatus::False, Reason::SiteUnreachable, "SiteUnreachable", &about)
}

/// Whether an engine is missing that every site has to have; none where that could not be told.
fn is_incomplete(looked: &[(&'static Engine, Looked)]) -> Option<bool> {
    let required = || looked.iter().filter(|(engine, _)| engine.is_required).map(|(_, looked)| looked);
    if required().any(|looked| *looked == Looked::Missing) {
        return Some(true);
    }
    (!required().any(|looked| *looked == Looked::Unclear)).then_some(false)
}

/// What is amiss with engines, the worst first; each with how it is told.
const AMISS: [(EngineState, ConditionStatus, Reason, &str); 3] = [
    (EngineState::Missing, ConditionStatus::False, Reason::EngineMissing, "SiteEngineMissing"),
    (EngineState::TooOld, ConditionStatus::False, Reason::EngineTooOld, "SiteEngineTooOld"),
    (EngineState::Unknown, ConditionStatus::Unknown, Reason::EngineUnknown, "SiteEngineUnknown"),
];

/// Whether the engines are what they have to be. `Ready` does not follow: what needs an engine says so itself, and what runs
/// goes on.
fn judged(checked: &[Checked]) -> Finding {
    for (state, status, reason, code) in AMISS {
        let are_so = checked.iter().filter(|engine| engine.state == state && !engine.is_left_out());
        let named: Vec<_> = are_so.map(Checked::beside_minimum).collect();
        if !named.is_empty() {
            let about = parameters([("engines", named.join(", "))]);
            return finding(ConditionType::EnginesSupported, status, reason, code, &about);
        }
    }
    plain(ConditionType::EnginesSupported, ConditionStatus::True, Reason::EnginesSupported)
}

/// The engines in one line, without those that are not there and need not be.
fn in_short(checked: &[Checked]) -> Option<String> {
    let words: Vec<_> = checked.iter().filter(|engine| !engine.is_left_out()).map(Checked::in_short).collect();
    (!words.is_empty()).then(|| words.join(", "))
}

/// Of a status what is found out beside conditions.
fn told(engines: Vec<EngineReport>, engine_versions: Option<String>) -> Value {
    json!(SiteStatus { engines, engine_versions, ..SiteStatus::default() })
}

/// Passes sites on and takes the engines of those that are gone out of the figures.
pub fn following_sites(
    kind: Kind<Site, impl Stream<Item = Result<Guarded<Site>, watcher::Error>> + Send + 'static>,
    metrics: Metrics,
) -> Kind<Site, impl Stream<Item = Result<Guarded<Site>, watcher::Error>> + Send + 'static> {
    let there = kind.store.clone();
    let stream = kind.stream.inspect(move |_| {
        metrics.keep_engines_of(&names(&there));
    });
    Kind { store: kind.store, stream, listed: kind.listed }
}

/// The sites that are there, also those that cannot be read.
fn names(sites: &Store<Guarded<Site>>) -> HashSet<String> {
    sites.state().iter().map(|site| site.name_any()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engines::release::{CDI, CNPG, KUBE_OVN, KUBEVIRT, ROOK};

    fn said(engine: &'static Engine, version: &str) -> Checked {
        Checked::of(engine, Looked::Installed(Some(version.to_owned())), None)
    }

    fn missing(engine: &'static Engine) -> Checked {
        Checked::of(engine, Looked::Missing, None)
    }

    fn fine() -> [Checked; 5] {
        [said(&KUBEVIRT, "v1.8.2"), said(&CDI, "v1.65.0"), missing(&CNPG), missing(&KUBE_OVN), missing(&ROOK)]
    }

    #[test]
    fn engines_that_need_not_be_there_are_not_missed_and_not_shown() {
        let found = judged(&fine());
        assert_eq!((found.status, found.reason), (ConditionStatus::True, Reason::EnginesSupported));
        assert_eq!(in_short(&fine()).as_deref(), Some("KubeVirt 1.8.2, CDI 1.65.0"));
    }

    #[test]
    fn the_worst_is_told_with_version_and_minimum_and_the_line_shows_all() {
        let mut engines = fine();
        engines[2] = said(&CNPG, "main");
        let found = judged(&engines);
        assert_eq!((found.status, found.reason), (ConditionStatus::Unknown, Reason::EngineUnknown));
        assert!(found.message.contains("CloudNativePG main (>= 1.30.0)"), "{}", found.message);

        engines[0] = said(&KUBEVIRT, "v1.7.0");
        engines[3] = said(&KUBE_OVN, "v1.15.9");
        engines[4] = said(&ROOK, "v1.20.6");
        let found = judged(&engines);
        assert_eq!((found.status, found.reason), (ConditionStatus::False, Reason::EngineTooOld));
        assert!(found.message.contains("KubeVirt 1.7.0 (>= 1.8.0), Kube-OVN 1.15.9 (>= 1.16.0)"), "{}", found.message);

        engines[1] = missing(&CDI);
        let found = judged(&engines);
        assert_eq!((found.status, found.reason), (ConditionStatus::False, Reason::EngineMissing));
        assert!(found.message.contains("not installed: CDI (>= 1.65.0)"), "{}", found.message);
        let line =
            "KubeVirt 1.7.0 TooOld, CDI Missing, CloudNativePG main Unknown, Kube-OVN 1.15.9 TooOld, Rook 1.20.6";
        assert_eq!(in_short(&engines).as_deref(), Some(line));
    }

    #[test]
    fn hosts_are_told_of_a_missing_engine_only_where_that_is_certain() {
        let there = || Looked::Installed(None);
        for (kubevirt, cdi, cnpg, expected) in [
            (there(), there(), Looked::Missing, Some(false)),
            (there(), there(), Looked::Unclear, Some(false)),
            (there(), Looked::Missing, there(), Some(true)),
            (Looked::Missing, Looked::Unclear, there(), Some(true)),
            (there(), Looked::Unclear, Looked::Missing, None),
            (Looked::Unclear, Looked::Unclear, Looked::Unclear, None),
        ] {
            let looked = [(&KUBEVIRT, kubevirt), (&CDI, cdi), (&CNPG, cnpg)];
            assert_eq!(is_incomplete(&looked), expected, "{looked:?}");
        }
    }

    #[test]
    fn every_sentence_about_engines_is_in_the_catalogue() {
        for (_, _, _, code) in AMISS {
            assert!(jiyun_messages::codes().any(|known| known == code), "{code}");
        }
    }

    #[test]
    fn a_site_that_says_what_was_found_is_not_written_again() {
        let reports: Vec<_> = fine().iter().map(Checked::report).collect();
        let further = told(reports.clone(), in_short(&fine()));
        assert_eq!(further["engines"][0]["version"], "1.8.2");
        assert_eq!(further["engines"][2], json!({"name": "CloudNativePG", "minimum": "1.30.0", "state": "Missing"}));
        let mut site: Site = serde_json::from_value(json!({
            "apiVersion": "jiyun.io/v1alpha1", "kind": "Site", "metadata": {"name": "main"},
            "spec": {"displayName": "Main", "region": "here", "role": "Primary"},
            "status": {"observedGeneration": 3},
        }))
        .unwrap();
        assert!(site.says(&json!({})) && !site.says(&further));
        site.status = Some(SiteStatus {
            engines: reports,
            engine_versions: in_short(&fine()),
            ..site.status.unwrap_or_default()
        });
        assert!(site.says(&further) && !site.says(&json!({})));
    }
}
