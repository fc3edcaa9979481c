//! Price lists (价目): recorded in the ledger, where statements take them from; a recorded list never changes.

use futures::future::BoxFuture;
use jiff::{Timestamp, ToSpan};
use jiyun_crds::v1alpha1::{ConditionStatus, ConditionType, PriceList, Reason, condition::Finding};
use jiyun_ledger::{CommandError, Dimensions, Meter, PriceBook, PriceUnit, Rate};
use jiyun_messages::{Parameters, parameters};
use kube::ResourceExt;
use rust_decimal::Decimal;

use super::{Outcome, Settled};
use crate::{conditions::finding, context::Context, error::ReconcileError};

impl Settled for PriceList {
    super::reported!(cluster);

    fn settle<'a>(&'a self, context: &'a Context) -> BoxFuture<'a, Result<Outcome, ReconcileError>> {
        Box::pin(settle(self, context))
    }
}

async fn settle(list: &PriceList, context: &Context) -> Result<Outcome, ReconcileError> {
    let book = match read(list) {
        Ok(book) => book,
        Err((code, about)) => return Ok(Outcome::found(vec![unusable(code, &about)])),
    };
    let (id, valid_from) = (book.id.clone(), book.valid_from);
    if let Err(error) = context.ledger.set_prices(book).await.map_err(ReconcileError::from) {
        return match error.command() {
            Some(command) => Ok(Outcome::found(vec![objection(&id, command)])),
            None => Err(error),
        };
    }
    let now = Timestamp::now();
    let in_force = context.ledger.read(|state| state.book_at(now).is_some_and(|book| book.id == id));
    let mut outcome = Outcome::found(vec![standing(valid_from, now, in_force)]);
    if let Ok(wait) = std::time::Duration::try_from(valid_from.duration_since(now)) {
        // Look again when its time comes, so that the condition turns then and not a minute later.
        outcome.again = outcome.again.min(wait.saturating_add(std::time::Duration::from_secs(1)));
    }
    Ok(outcome)
}

fn standing(valid_from: Timestamp, now: Timestamp, in_force: bool) -> Finding {
    let about = parameters([("valid_from", valid_from.to_string())]);
    let kind = ConditionType::InForce;
    match (in_force, valid_from > now) {
        (true, _) => finding(kind, ConditionStatus::True, Reason::InForce, "InForce", &about),
        (false, true) => finding(kind, ConditionStatus::False, Reason::NotYetInForce, "NotYetInForce", &about),
        (false, false) => finding(kind, ConditionStatus::False, Reason::Superseded, "Superseded", &about),
    }
}

fn unusable(code: &str, about: &Parameters) -> Finding {
    finding(ConditionType::InForce, ConditionStatus::False, Reason::Misconfigured, code, about)
}

fn objection(name: &str, command: &CommandError) -> Finding {
    match command {
        CommandError::ImmutableBook { .. } => unusable("PricesConflict", &parameters([("name", name)])),
        other => unusable("InvalidField", &parameters([("field", "spec.items"), ("problem", &other.to_string())])),
    }
}

fn read(list: &PriceList) -> Result<PriceBook, (&'static str, Parameters)> {
    let spec = &list.spec;
    let valid_from = spec
        .valid_from
        .timestamp()
        .map_err(|_| ("InvalidDate", parameters([("field", "spec.validFrom"), ("value", spec.valid_from.as_str())])))?;
    let mut rates = Vec::with_capacity(spec.items.len());
    for (index, item) in spec.items.iter().enumerate() {
        let price: Decimal = item.price.parse().map_err(|problem: rust_decimal::Error| {
            let field = format!("spec.items[{index}].price");
            (
                "InvalidQuantity",
                parameters([("field", field), ("value", item.price.clone()), ("problem", problem.to_string())]),
            )
        })?;
        rates.push(Rate {
            meter: meter(item.meter),
            dimensions: Dimensions {
                pool: None,
                architecture: item.architecture.map(|architecture| architecture.as_str().to_owned()),
                tier: item.tier.clone(),
                zone: None,
            },
            // The kind's own rule lets a meter be priced in its own unit only.
            unit: PriceUnit::of(meter(item.meter)).0,
            price,
        });
    }
    // Whole seconds, like all times of the ledger.
    let valid_from =
        valid_from.checked_sub(i64::from(valid_from.subsec_nanosecond()).nanoseconds()).unwrap_or(valid_from);
    Ok(PriceBook { id: list.name_any(), valid_from, rates })
}

/// The ledger's meter of a written one.
pub fn meter(written: jiyun_crds::v1alpha1::Meter) -> Meter {
    match written {
        jiyun_crds::v1alpha1::Meter::Vcpu => Meter::Vcpu,
        jiyun_crds::v1alpha1::Meter::Memory => Meter::Memory,
        jiyun_crds::v1alpha1::Meter::Hosts => Meter::Hosts,
        jiyun_crds::v1alpha1::Meter::BlockStorage => Meter::BlockStorage,
        jiyun_crds::v1alpha1::Meter::Gpus => Meter::Gpus,
        jiyun_crds::v1alpha1::Meter::FileStorage => Meter::FileStorage,
        jiyun_crds::v1alpha1::Meter::ObjectStorage => Meter::ObjectStorage,
        jiyun_crds::v1alpha1::Meter::BackupStorage => Meter::BackupStorage,
        jiyun_crds::v1alpha1::Meter::DatabaseInstances => Meter::DatabaseInstances,
        jiyun_crds::v1alpha1::Meter::ProtectedCapacity => Meter::ProtectedCapacity,
        jiyun_crds::v1alpha1::Meter::Bandwidth => Meter::Bandwidth,
        jiyun_crds::v1alpha1::Meter::PublicIps => Meter::PublicIps,
    }
}
