//! Changes of a granted volume, bucket or snapshot: what applies at once, what is decided first, and what is not done
//! whoever agrees.
//!
//! What was granted is served as it was approved. A larger size, or that it may be deleted, is put to a policy or to people;
//! until they have decided, and if they decide against it, it goes on as it is.

use std::sync::Arc;

use jiyun_crds::v1alpha1::Quantity;
use jiyun_ledger::Claim;
use jiyun_messages::parameters;

use super::{Stored, approved::Approved, changed as request};
use crate::{
    change::{self, partly},
    claims::leave_line,
    content::Restoration,
    context::Context,
    error::ReconcileError,
    host::{
        change::Objection,
        digest::{RESTORED, of_wish},
        protection_level,
        rejection::Rejection,
    },
    order::{
        mark::OrderMark,
        route::{Asked, Passed},
    },
};

/// What a changed wish comes to.
pub type Change = change::Change<Approved>;

/// What is wished of something that was granted.
pub struct Wished<'a> {
    /// In resolved terms.
    pub approved: &'a Approved,
    /// Digest of the wish.
    pub digest: &'a str,
    /// What policies are asked about it.
    pub asked: Asked<'a>,
}

/// What changing a `T` that was granted as `approved` to what is `asked` for comes to.
///
/// # Errors
/// The field that cannot be changed so, whoever agrees.
pub fn change<T: Stored>(approved: &Approved, asked: &Approved) -> Result<Change, Rejection> {
    if asked.mebibytes < approved.mebibytes {
        let (from, to) = (approved.mebibytes, asked.mebibytes);
        let (from, to) = (Quantity::from_mebibytes(from), Quantity::from_mebibytes(to));
        let about = parameters([("field", "spec.size"), ("from", from.as_str()), ("to", to.as_str())]);
        return Err(Rejection::misconfigured(T::CANNOT_SHRINK, about));
    }
    let after = Approved { mebibytes: asked.mebibytes, deletable: asked.deletable, ..approved.clone() };
    Ok(if after == *approved {
        Change::None
    } else if after.mebibytes > approved.mebibytes || (after.deletable && !approved.deletable) {
        Change::Decided(after)
    } else {
        Change::AtOnce(after)
    })
}

/// What of a wish applies at once though the rest of it has to be decided, or cannot be had: its protection.
pub fn at_once<T: Stored>(approved: &Approved, asked: &Approved) -> Option<Approved> {
    let is_protected = approved.deletable && !asked.deletable;
    let rest_is_decided = !matches!(change::<T>(approved, asked), Ok(Change::None | Change::AtOnce(_)));
    (is_protected && rest_is_decided).then(|| Approved { deletable: false, ..approved.clone() })
}

/// What a `T` becomes by an order; nothing where it cannot be done.
pub fn ordered<T: Stored>(approved: &Approved, asked: &Approved, mark: OrderMark) -> Option<Approved> {
    let after = change::<T>(approved, asked).ok()?.after().unwrap_or_else(|| approved.clone());
    Some(Approved { order: Some(mark), policies: Vec::new(), ..after })
}

/// The digest of a claim with this `wish`, whose disk was `restored` last: the ledger changes nothing of a claim whose
/// digest stays the same.
pub fn of_claim(wish: &str, restored: Option<&Restoration>) -> String {
    restored.map_or_else(|| wish.to_owned(), |restored| format!("{wish}{RESTORED}{}", restored.mark()))
}

/// The claim after what may change did, and what stands in the way of the rest.
///
/// # Errors
/// When the ledger cannot be asked, or an order cannot be filed.
pub async fn settle<T: Stored>(
    object: &T,
    claim: Arc<Claim>,
    wished: Wished<'_>,
    context: &Context,
) -> Result<(Arc<Claim>, Option<Objection>), ReconcileError> {
    let (claim, objection) = changed(object, claim, wished, context).await?;
    // While the book is being checked, or no pool takes it for now, the ledger keeps its place in line.
    if !context.quarantined() && !objection.as_ref().is_some_and(Objection::keeps_its_place) {
        leave_line(object, context).await?;
    }
    Ok((claim, objection))
}

async fn changed<T: Stored>(
    object: &T,
    claim: Arc<Claim>,
    wished: Wished<'_>,
    context: &Context,
) -> Result<(Arc<Claim>, Option<Objection>), ReconcileError> {
    let Wished { approved: wish, digest, asked } = wished;
    if of_wish(&claim.spec_digest) == digest || context.quarantined() {
        return Ok((claim, None));
    }
    let (mut claim, mut approved) = (Arc::clone(&claim), Approved::of(&claim)?);
    if let Some(part) = at_once::<T>(&approved, wish) {
        let digest = partly(&claim.spec_digest, part.deletable);
        claim = apply::<T>(&claim, &part, &digest, context).await?;
        approved = Approved::of(&claim)?;
    }
    let after = match change::<T>(&approved, wish) {
        Err(rejection) => return Ok((claim, Some(Objection::Invalid(rejection)))),
        Ok(Change::None) => return Ok((claim, None)),
        Ok(Change::AtOnce(after)) => {
            let claim = apply::<T>(&claim, &after, digest, context).await?;
            change::changed(object, &claim);
            return Ok((claim, None));
        }
        Ok(Change::Decided(after)) => after,
    };
    let request = |claim: &Claim, passed: &Passed| {
        let after = Approved { policies: passed.policies.clone(), order: None, ..after };
        request::<T>(claim, &after, digest, protection_level(claim, context))
    };
    change::decide(object, claim, digest, asked, request, context).await
}

/// Records what is decided about the claim of a `T`: it takes nothing more by it that was not held for it.
///
/// # Errors
/// When the ledger cannot be asked.
pub async fn apply<T: Stored>(
    claim: &Arc<Claim>,
    after: &Approved,
    digest: &str,
    context: &Context,
) -> Result<Arc<Claim>, ReconcileError> {
    let asked = request::<T>(claim, after, digest, protection_level(claim, context))?;
    change::apply(claim, asked, context).await
}

#[cfg(test)]
mod tests {
    use jiyun_crds::v1alpha1::{CloudBucket, CloudVolume};

    use super::*;

    fn approved(mebibytes: u64, deletable: bool) -> Approved {
        Approved {
            tier: "standard".into(),
            mebibytes,
            deletable,
            source: None,
            content: None,
            restored: None,
            order: None,
            policies: vec!["small".into()],
        }
    }

    #[test]
    fn growth_and_the_end_of_protection_are_decided_and_protection_is_not() {
        let change = change::<CloudVolume>;
        let has = approved(1024, false);
        assert_eq!(change(&has, &approved(1024, false)), Ok(Change::None));
        assert_eq!(change(&has, &approved(2048, false)), Ok(Change::Decided(approved(2048, false))));
        assert_eq!(change(&has, &approved(1024, true)), Ok(Change::Decided(approved(1024, true))));
        assert_eq!(change(&approved(1024, true), &has), Ok(Change::AtOnce(has.clone())));
        assert_eq!(change(&has, &approved(512, false)).unwrap_err().code, "VolumeCannotShrink");
        let bucket = super::change::<CloudBucket>(&has, &approved(512, false));
        assert_eq!(bucket.unwrap_err().code, "BucketCannotShrink");
    }

    #[test]
    fn protection_applies_whatever_becomes_of_a_growth() {
        let at_once = at_once::<CloudVolume>;
        let has = approved(1024, true);
        assert_eq!(at_once(&has, &approved(2048, false)), Some(approved(1024, false)));
        assert_eq!(at_once(&has, &approved(1024, false)), None, "the whole wish applies at once");
        assert_eq!(at_once(&approved(1024, false), &approved(2048, true)), None);
    }

    #[test]
    fn a_part_of_a_wish_is_marked_once() {
        let once = partly("sha256:1", true);
        assert_eq!(once, "sha256:1~Disabled");
        assert_eq!(partly(&once, false), "sha256:1~Enabled");
        assert_eq!(partly("sha256:1~Disabled+restored:100=done", false), "sha256:1~Enabled");
    }

    #[test]
    fn what_becomes_of_a_disk_is_told_behind_the_wish_and_goes_along_with_every_change() {
        let moment = |second| jiff::Timestamp::from_second(second).unwrap();
        let restored = |second, done| crate::content::tests::restoration(moment(second), done);
        let digest = |restored: Option<&Restoration>| of_claim("sha256:1~Disabled", restored);
        assert_eq!(digest(None), "sha256:1~Disabled");
        let (begun, done, later) = (restored(100, false), restored(100, true), restored(200, false));
        let all = [None, Some(&begun), Some(&done), Some(&later)].map(digest);
        let distinct: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), all.len(), "{all:?}");
        assert!(all.iter().all(|digest| of_wish(digest) == "sha256:1~Disabled"), "{all:?}");
        let has = Approved { restored: Some(begun), ..approved(1024, false) };
        let larger = Approved { restored: has.restored.clone(), ..approved(2048, false) };
        assert_eq!(change::<CloudVolume>(&has, &approved(2048, false)), Ok(Change::Decided(larger)));
        assert_eq!(change::<CloudVolume>(&has, &approved(1024, false)), Ok(Change::None));
    }
}
