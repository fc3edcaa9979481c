//! Sites (数据中心): ready when their engines answer.

use futures::future::BoxFuture;
use jiyun_crds::v1alpha1::{ConditionStatus, ConditionType, Reason, Site, condition::Finding};
use jiyun_messages::parameters;
use kube::ResourceExt;

use super::{Outcome, Settled};
use crate::{
    conditions::{finding, plain},
    context::Context,
    error::ReconcileError,
};

impl Settled for Site {
    super::reported!(cluster);

    fn settle<'a>(&'a self, context: &'a Context) -> BoxFuture<'a, Result<Outcome, ReconcileError>> {
        Box::pin(async move { Ok(Outcome::found(vec![judged(self, context.sites.engines(self).is_some())])) })
    }
}

fn judged(site: &Site, served: bool) -> Finding {
    if served {
        return plain(ConditionType::Ready, ConditionStatus::True, Reason::Valid);
    }
    let about = parameters([("site", site.name_any())]);
    finding(ConditionType::Ready, ConditionStatus::False, Reason::SiteUnreachable, "SiteUnreachable", &about)
}
