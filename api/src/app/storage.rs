//! What volumes and buckets have in common: storage of one size and one tier, for one information system.

use jiyun_crds::v1alpha1::{CloudBucket, CloudVolume, DeletionProtection, InformationSystem, Quantity};

use super::{
    host::{Wish, system_there},
    noun::Decidable,
};
use crate::{extract::DepartmentName, problem::Problem, store::Caller};

/// A kind that is storage of one size.
pub trait Storage: Decidable {
    /// Name of the information system it is for.
    fn system(&self) -> &str;

    /// Name of the network zone it lies in.
    fn zone(&self) -> &str;

    /// The tier it is of.
    fn tier(&self) -> &str;

    /// The size it asks for.
    fn size(&self) -> &Quantity;

    /// Whether it asks to be kept from being deleted.
    fn protection(&self) -> DeletionProtection;

    /// What it was granted; none of one that never was.
    fn grant(&self) -> Option<Grant<'_>>;

    /// What it asks of the ledger; none if its size cannot be read.
    fn wish(&self, system: &InformationSystem) -> Option<Wish>;
}

/// What one of that kind was granted.
#[derive(Clone, Copy, Debug)]
pub struct Grant<'a> {
    /// Its size.
    pub size: Option<&'a Quantity>,
    /// `Disabled` once it was decided that it may be deleted.
    pub protection: Option<DeletionProtection>,
}

macro_rules! storage {
    ($($kind:ty => $wish:path),+) => {$(
        impl Storage for $kind {
            fn system(&self) -> &str {
                &self.spec.system_ref.name
            }

            fn zone(&self) -> &str {
                &self.spec.zone_ref.name
            }

            fn tier(&self) -> &str {
                &self.spec.tier
            }

            fn size(&self) -> &Quantity {
                &self.spec.size
            }

            fn protection(&self) -> DeletionProtection {
                self.spec.deletion_protection
            }

            fn grant(&self) -> Option<Grant<'_>> {
                let status = self.status.as_ref().filter(|status| status.claim_id.is_some())?;
                Some(Grant { size: status.granted_size.as_ref(), protection: status.deletion_protection })
            }

            fn wish(&self, system: &InformationSystem) -> Option<Wish> {
                $wish(self, system)
            }
        }
    )+};
}

storage!(CloudVolume => Wish::of_volume, CloudBucket => Wish::of_bucket);

/// What `storage` asks of the ledger.
///
/// # Errors
/// A fault of the system where it is not to be seen.
pub(super) async fn wished(
    caller: &Caller,
    department: &DepartmentName,
    storage: &impl Storage,
) -> Result<Option<Wish>, Problem> {
    let named = storage.system();
    let found = caller.find::<InformationSystem>(Some(&department.namespace()), named).await;
    let mut faults = Vec::new();
    let system = system_there(caller, department, "system", named, found, &mut faults).await?;
    let wish = system.and_then(|system| storage.wish(&system));
    Problem::of_body(faults).map_or(Ok(wish), Err)
}
