//! Who holds a pool, and whose hosts were made from an image, out of the ledger, for those who run them.

use jiyun_crds::v1alpha1::HostImage;
use jiyun_ledger::{PoolId, PoolKind};

use super::{App, department::unavailable};
use crate::{
    extract::{DepartmentName, PoolPath},
    model::{ImageHolders, PoolHolders},
    problem::{Code, Problem},
    store::Caller,
};

impl App {
    /// The holders of a pool, for a caller who may see them; 404 if not, as if there were no such pool.
    pub async fn holders(
        &self,
        caller: &Caller,
        path: &PoolPath,
        only: Option<&DepartmentName>,
    ) -> Result<PoolHolders, Problem> {
        let (name, named) = (&path.pool, path.to_string());
        let allowed = caller.may_read_holders(name).await;
        if !allowed.map_err(|error| Problem::from_kubernetes(error, named.clone()))? {
            return Err(Problem::not_found(named));
        }
        let reading = self.book.read().map_err(unavailable)?;
        let kind = if path.is_compute { PoolKind::Compute } else { PoolKind::Storage };
        let pool = reading.state.pool(&PoolId::of(kind, name)).ok_or_else(|| Problem::not_found(named))?;
        Ok(PoolHolders::new(&reading.state, pool, only.map(DepartmentName::as_str), reading.as_of))
    }

    /// The hosts made from an image, for a caller who may see them; 404 if not, as if there were no such image. One that is not in
    /// the catalogue any more is found all the same: hosts outlive their image.
    pub async fn image_holders(
        &self,
        caller: &Caller,
        image: &str,
        only: Option<DepartmentName>,
    ) -> Result<ImageHolders, Problem> {
        let named = format!("HostImage {image}");
        let allowed = caller.may_read_image_holders(image).await;
        if !allowed.map_err(|error| Problem::from_kubernetes(error, named.clone()))? {
            return Err(Problem::not_found(named));
        }
        let reading = self.book.read().map_err(unavailable)?;
        let (name, everybody) = (image.to_owned(), only.is_none());
        // A book has hundreds of thousands of claims: not on the threads that serve everybody.
        let found = tokio::task::spawn_blocking(move || {
            ImageHolders::new(&reading.state, &name, only.as_ref().map(DepartmentName::as_str), reading.as_of)
        });
        let found = found.await.map_err(|error| Problem::bare(Code::Internal).because(error))?;
        // Nobody's, and nowhere: a name that was misspelt is not told to be unused.
        if everybody && found.host_count == 0 {
            let there = caller.get::<HostImage>(None, image).await;
            there.map_err(|error| Problem::from_kubernetes(error, named))?;
        }
        Ok(found)
    }
}
