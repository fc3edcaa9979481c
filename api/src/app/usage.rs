//! A department's month, out of the ledger.

use jiyun_ledger::{AccountId, FiscalMonth, StatementError, statement};

use super::{App, department::unknown_account};
use crate::{
    extract::DepartmentName,
    model::Usage,
    problem::{Code, Problem},
    store::{Caller, Report},
};

impl App {
    /// Use and cost of `department` in `month` (like `2026-11`; none: the current one in Beijing), for a caller who may
    /// read its statements.
    pub async fn usage(
        &self,
        caller: &Caller,
        department: &DepartmentName,
        month: Option<&str>,
    ) -> Result<Usage, Problem> {
        let invalid = |value: &str| Problem::new(Code::InvalidMonth, [("value", value)]).about("month");
        let asked: Option<FiscalMonth> = month.map(|text| text.parse().map_err(|_| invalid(text))).transpose()?;
        let reading = self.open_book(caller, department, Report::Statement).await?;
        let current = FiscalMonth::of(reading.as_of).map_err(|error| Problem::bare(Code::Internal).because(error))?;
        let month = asked.unwrap_or(current);
        if month.period().from > current.period().from {
            return Err(invalid(&month.to_string()));
        }
        let account = AccountId::new(department.as_str());
        // A large account has tens of thousands of lines: not on the threads that serve everybody.
        let made = tokio::task::spawn_blocking(move || {
            statement(&reading.state, &account, month, reading.as_of).map(Usage::from)
        });
        let made = made.await.map_err(|error| Problem::bare(Code::Internal).because(error))?;
        made.map_err(|error| match error {
            StatementError::UnknownAccount { .. } => unknown_account(department),
            StatementError::Price { .. } | StatementError::Money { .. } => Problem::bare(Code::Internal).because(error),
        })
    }
}
