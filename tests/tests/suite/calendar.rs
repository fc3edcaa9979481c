//! A year whose working days (工作日) nobody has announced to the platform: orders that would reach into it wait and say so.

use std::path::Path;

use jiff::{
    Timestamp,
    tz::{TimeZone, offset},
};
use jiyun_crds::v1alpha1::{ConditionType, Reason, condition};
use jiyun_lab::{Lab, LabOptions};
use jiyun_tests::{
    Order, World, WorldError, city,
    desk::{Desk, named_order, reason_of},
    world::{PATIENCE, Quota},
};
use serde_json::{Value, json};

/// Writes the file of a year with these holidays.
fn write(folder: &Path, year: i16, holidays: &Value) -> Result<(), WorldError> {
    let text = json!({"year": year, "holidays": holidays, "workdays": []}).to_string();
    Ok(std::fs::write(folder.join(format!("{year}.yaml")), text)?)
}

#[tokio::test]
async fn an_order_that_reaches_into_a_year_without_a_calendar_names_it_holds_nothing_and_goes_on_with_the_file()
-> Result<(), WorldError> {
    let years = tempfile::tempdir()?;
    // No day of this year or the next is worked on: whenever this runs, a deadline is in the year after.
    let beijing = Timestamp::now().to_zoned(TimeZone::fixed(offset(8)));
    let missing = beijing.year() + 2;
    for year in beijing.year()..missing {
        write(years.path(), year, &json!([{"from": format!("{year}-01-01"), "to": format!("{year}-12-31")}]))?;
    }
    let lab = Lab::start(LabOptions::default().departments(["bureau-0"])).await?;
    let calendars = format!("--calendars={}", years.path().display());
    let world = World::on(lab, &city::CATALOGUE_FILES, vec![calendars]).await?;
    let desk = Desk::open(&world, Quota::cores(8)).await?;
    desk.bureau.caller.post(&desk.bureau.hosts_path(), &Order::new("web", "portal").body(), 0).await?;
    let waits = |host: &_| named_order(host, Reason::AwaitingApproval).is_some();
    let host = desk.bureau.wait_for_host("web", "to wait for its order", waits).await?;
    let name = named_order(&host, Reason::AwaitingApproval).unwrap_or_default();
    let is_told = |order: &_| reason_of(order, ConditionType::Accepted) == Some(Reason::CalendarMissing);
    let status = desk.wait_for_order(&name, is_told).await?.status.unwrap_or_default();
    let accepted = condition::find(&status.conditions, ConditionType::Accepted);
    let message = accepted.map(|condition| condition.message.as_str()).unwrap_or_default();
    assert!(message.contains(&format!("没有 {missing} 年的工作日历")), "{message}");
    assert!(message.contains(&format!("the working days of {missing} are not known")), "{message}");
    assert!(status.level.is_none() && status.deadline.is_none(), "{status:?}");
    assert_eq!(desk.bureau.used("Vcpu").await?, (0, 0), "nothing is held for what nobody can decide in time");

    write(years.path(), missing, &json!([]))?;
    world.controller.restart().await?;
    world.controller.wait_until_healthy("/readyz", PATIENCE).await?;
    let order = desk.awaited_order("web").await?;
    let deadline = json!(order.status.as_ref().and_then(|status| status.deadline.clone()));
    assert!(deadline.as_str().is_some_and(|at| at.starts_with(&missing.to_string())), "{deadline}");
    assert_eq!(desk.bureau.used("Vcpu").await?, (0, 2));
    desk.approve(&order).await?;
    desk.bureau.wait_ready("web").await?;
    world.close().await
}
