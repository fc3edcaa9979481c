//! Time that passes: reminders, and those who may step in; and receivers behind certificates.

use std::path::Path;

use jiff::{Timestamp, ToSpan};
use jiyun_lab::{Lab, LabOptions, wait_for};
use jiyun_tests::{
    World, WorldError, city,
    desk::Desk,
    receivers::Hook,
    world::{PATIENCE, Quota},
};
use kube::{
    ResourceExt,
    api::{Patch, PatchParams},
};
use serde_json::json;

use super::{ask, configured, counted, told, webhook};

/// Working days of the level: four weeks, since the years of this test have no holidays.
const WORKING_DAYS: u32 = 20;

/// Calendars without holidays, of this year and those beside it; gives the controller's argument.
fn calendars(folder: &Path) -> Result<String, WorldError> {
    let now = Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).year();
    for year in now - 1..=now + 1 {
        std::fs::write(
            folder.join(format!("{year}.yaml")),
            json!({"year": year, "holidays": [], "workdays": []}).to_string(),
        )?;
    }
    Ok(format!("--calendars={}", folder.display()))
}

#[tokio::test]
async fn a_level_is_reminded_and_others_are_told_when_its_time_is_over_and_certificates_are_checked()
-> Result<(), WorldError> {
    let (folder, years) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let hook = Hook::open().await?;
    let lab = Lab::start(LabOptions::default().departments(["bureau-0"])).await?;
    // The API server is no receiver; what it answers shows who was believed to be it.
    let server = |name: &str| json!({"name": name, "url": lab.url(), "secretFiles": [folder.path().join("new")]});
    let mut known = server("known");
    known["caFile"] = json!(lab.kubernetes_authority());
    let port: u16 = lab.url().rsplit(':').next().and_then(|port| port.trim_end_matches('/').parse().ok()).unwrap();
    let whole = json!({
        "webhooks": [webhook("oa", &hook, folder.path(), &["new"]), known, server("unknown")],
        "mail": {"host": "127.0.0.1", "port": port, "tls": "Implicit", "from": "jiyun@example.gov.cn"},
        "addresses": {"groups": {"bureau-0-approvers": ["wang@example.gov.cn"]}},
    });
    let world =
        World::on(lab, &city::CATALOGUE_FILES, vec![configured(folder.path(), &whole)?, calendars(years.path())?])
            .await?;
    let level = json!([{"name": "leader", "rank": 10, "roles": ["DepartmentApprovers"], "workingDays": WORKING_DAYS,
        "remindAfter": 1, "escalateTo": ["deputies"]}]);
    let desk = Desk::with(&world, Quota::cores(8), json!({"levels": level})).await?;
    let order = ask(&desk, "web-1").await?;
    let name = order.name_any();
    told(&hook, "order.waiting", &name).await?;

    // The administrator turns the clock of the order back: a reminder is due, and then the deadline has passed.
    let orders = desk.orders().await?;
    for (days, event, groups) in [
        (14, "order.reminder", json!(["bureau-0-approvers"])),
        (42, "order.escalated", json!(["bureau-0-approvers", "deputies"])),
    ] {
        let accepted = Timestamp::now().checked_sub((days * 24).hours()).unwrap();
        let accepted = Timestamp::from_second(accepted.as_second()).unwrap();
        let patch = Patch::Merge(json!({"status": {"acceptedAt": accepted.to_string()}}));
        orders.patch_status(&name, &PatchParams::default(), &patch).await?;
        let notice = told(&hook, event, &name).await?;
        assert_eq!(notice.json()["data"]["groups"], groups);
    }
    assert_eq!(counted(&hook).into_values().collect::<Vec<_>>(), [1, 1, 1]);

    // With its authority the server is talked to, and has no hook; without it nobody talks to it.
    wait_for("all three tries", PATIENCE, || async {
        let log = std::fs::read_to_string(world.controller.process().log()).map_err(|error| error.to_string())?;
        let of = |channel: &str, word: &str| {
            log.lines().any(|line| line.contains(channel) && line.contains("not told yet") && line.contains(word))
        };
        let seen = of("\"known\"", "the receiver answered 40")
            && of("\"unknown\"", "certificate")
            && of("\"mail\"", "certificate");
        if seen { Ok(()) } else { Err(world.controller.tail(20)) }
    })
    .await?;
    Ok(())
}
