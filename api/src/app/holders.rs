//! Who holds a pool, out of the ledger, for those who run it.

use jiyun_ledger::{PoolId, PoolKind};

use super::{App, department::unavailable};
use crate::{
    extract::{DepartmentName, PoolPath},
    model::PoolHolders,
    problem::Problem,
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
}
