//! What an order means for the object that it is about.

use jiyun_crds::v1alpha1::{ConditionStatus, ConditionType, HostRefusal, Order, Reason, condition::Finding};
use jiyun_messages::{Parameters, parameters};
use kube::ResourceExt;

use super::phase::Phase;
use crate::{
    conditions::finding,
    host::{rejection::Rejection, report::in_parts},
};

/// What an order means for an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ordered {
    /// The order's name.
    pub order: String,
    /// How it stands, as the reason of condition `Admitted`.
    pub reason: Reason,
    /// Why the order is not granted, where it is over.
    pub refusal: Option<HostRefusal>,
}

impl Ordered {
    /// What an order that is about this very wish means for it; nothing where it was approved: its claim is about to be
    /// granted, and the order's controller calls again.
    pub fn by(order: &Order, phase: Phase) -> Option<Self> {
        let name = order.name_any();
        match phase {
            Phase::New | Phase::Open => Some(Self { order: name, reason: Reason::AwaitingApproval, refusal: None }),
            Phase::Approved | Phase::Fulfilled => None,
            Phase::Over(reason) => {
                let refusal = order.status.as_ref().and_then(|status| status.refusal.clone());
                let refusal = refusal.or_else(|| Some(in_parts(reason.as_str().to_owned(), &Parameters::new())));
                Some(Self { order: name, reason, refusal })
            }
        }
    }

    /// It waits for an order of this name that does not list it yet.
    pub fn awaited(order: String) -> Self {
        Self { order, reason: Reason::AwaitingOrder, refusal: None }
    }

    /// Condition `Admitted` of an object that has nothing yet.
    pub fn admitted(&self) -> Finding {
        self.told(ConditionType::Admitted, ConditionStatus::Unknown)
    }

    /// Condition `Accepted` of an object that was granted and is to be changed: it goes on as it is.
    pub fn accepted(&self) -> Finding {
        self.told(ConditionType::Accepted, ConditionStatus::False)
    }

    /// As a condition; `open` is its status while nothing was decided against it.
    fn told(&self, kind: ConditionType, open: ConditionStatus) -> Finding {
        let about = parameters([("order", self.order.as_str())]);
        match &self.refusal {
            None => finding(kind, open, self.reason, self.reason.as_str(), &about),
            Some(refusal) => {
                let mut about: Parameters =
                    refusal.parameters.iter().map(|each| (each.name.clone(), each.value.clone())).collect();
                let code = jiyun_messages::refusal_code(&refusal.code, &about).to_owned();
                about.insert("order".to_owned(), self.order.clone());
                finding(kind, ConditionStatus::False, self.reason, &code, &about)
            }
        }
    }

    /// What an order that is not approved means for what was granted: it goes on as it is.
    pub fn objection(&self) -> Rejection {
        let about = self.refusal.iter().flat_map(|refusal| &refusal.parameters);
        let mut parameters: Parameters = about.map(|each| (each.name.clone(), each.value.clone())).collect();
        parameters.insert("order".to_owned(), self.order.clone());
        Rejection { reason: self.reason, code: self.reason.as_str(), parameters }
    }
}
