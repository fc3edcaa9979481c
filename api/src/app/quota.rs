//! A department's quota, out of the ledger.

use jiyun_ledger::{AccountId, balance};

use super::{App, department::unknown_account};
use crate::{
    extract::DepartmentName,
    model::Quota,
    problem::Problem,
    store::{Caller, Report},
};

impl App {
    /// Limits and use of `department`, for a caller who may read its quota report.
    pub async fn quota(&self, caller: &Caller, department: &DepartmentName) -> Result<Quota, Problem> {
        let reading = self.open_book(caller, department, Report::Quota).await?;
        let id = AccountId::new(department.as_str());
        let found = reading.state.account(&id).zip(balance(&reading.state, &id));
        let (account, balance) = found.ok_or_else(|| unknown_account(department))?;
        Ok(Quota::new(account, balance, reading.as_of))
    }
}
