//! Catalogue kinds whose rules live in the schema: classes and images are ready once they exist.

use futures::future::{BoxFuture, ready};
use jiyun_crds::v1alpha1::{ConditionStatus, ConditionType, DatabaseClass, HostClass, HostImage, Reason};

use super::{Outcome, Settled};
use crate::{conditions::plain, context::Context, error::ReconcileError};

macro_rules! ready_once_it_exists {
    ($($kind:ty),+) => {$(
        impl Settled for $kind {
            super::reported!(cluster);

            fn settle<'a>(&'a self, _: &'a Context) -> BoxFuture<'a, Result<Outcome, ReconcileError>> {
                let finding = plain(ConditionType::Ready, ConditionStatus::True, Reason::Valid);
                Box::pin(ready(Ok(Outcome::found(vec![finding]))))
            }
        }
    )+};
}

ready_once_it_exists!(DatabaseClass, HostClass, HostImage);
