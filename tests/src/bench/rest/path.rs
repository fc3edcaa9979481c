//! `writes_per_order`: changing requests to the API server for an order that one person has to agree to, from the wish to
//! the running host.

use std::{collections::BTreeSet, time::Duration};

use futures::future::try_join_all;
use jiff::Timestamp;
use jiyun_crds::names::department_namespace;
use jiyun_lab::wait_for;
use serde_json::{Value, json};

use super::{BenchError, Comparison, Figure, Goal, Name, Options, Town, number, say};
use crate::{
    Caller, Order,
    bench::{
        audit::{Actor, Write, by_resource},
        figure::{Better, Judged},
        observer::Observer,
        writes::Counted,
    },
};

/// The host; its order, filed; that it is held and whose turn it is, told by the order and by the host; the approval; that
/// it is approved; disk and machine; that the host runs; that the order is fulfilled.
const GOAL: Goal = Goal { value: 10.0, better: Better::Lower, judged: Judged::Ours };

/// Totals and the ledger's mark are written at most every ten seconds: after this the last ones are.
const LAST_MARK: Duration = Duration::from_secs(15);

/// How long orders may take altogether.
const PATIENCE: Duration = Duration::from_mins(3);

/// Measures it.
///
/// # Errors
/// See [`BenchError`].
pub async fn measure(options: &Options) -> Result<Figure, BenchError> {
    let orders = usize::try_from(options.hosts).unwrap_or(usize::MAX);
    let town = Town::start("writes of an order", true).await?;
    let level = json!([{"name": "leader", "rank": 10, "roles": ["DepartmentApprovers"], "workingDays": 3}]);
    let policy = json!({
        "apiVersion": "jiyun.io/v1alpha1", "kind": "ApprovalPolicy", "metadata": {"name": "bench"},
        "spec": {"displayName": "测试策略", "levels": level},
    });
    town.world.take("an approval policy", &policy.to_string()).await?;
    town.world.lab.kubectl(&["wait", "approvalpolicy/bench", "--for=condition=Ready", "--timeout=60s"]).await?;
    let observer = Observer::start(town.world.lab.client().await?).await;
    through(&town, &observer, "warm", 10).await?;
    say("writes of an order: waiting for the mark of what was prepared");
    tokio::time::sleep(LAST_MARK).await;
    let (before, started) = (town.requests().await?, Timestamp::now());
    through(&town, &observer, "run", orders).await?;
    say("writes of an order: waiting for the last mark");
    tokio::time::sleep(LAST_MARK).await;
    let after = town.requests().await?;
    let writes = town.writes(started)?;
    town.close().await?;

    let counted = Counted::new(&writes, &before, &after);
    let each = |count: usize| number(count) / number(orders);
    let ours = || writes.iter().filter(|write| write.actor == Actor::Ours);
    let listed: Vec<String> =
        by_resource(ours()).iter().map(|(what, count)| format!("{what} {:.2}", each(*count))).collect();
    let failed = ours().filter(|write: &&Write| !write.succeeded()).count();
    let mut notes = vec![
        format!("{orders} orders in ten departments, all asked for, then all agreed to; an order: {}", listed.join(", ")),
        format!("of these failed: {failed}"),
        "in the ledger's etcd an order is two entries more: what is held, and that it is granted; many orders share one"
            .into(),
    ];
    notes.extend(counted.contradiction());
    let comparison = Comparison {
        ours: each(counted.ours()),
        reference: GOAL.value,
        what_reference_is:
            "the fewest possible with these kinds: host, order, the word of both that it waits, approval, the \
                            word that it is approved, disk, machine, the word of both that it runs"
                .into(),
        unit: "writes/order".into(),
        runs: 1,
        notes,
    };
    Ok(Figure::new(Name::WritesPerOrder, comparison, GOAL))
}

/// Orders `count` hosts, has them agreed to, and waits until they run.
async fn through(town: &Town, observer: &Observer, series: &str, count: usize) -> Result<(), BenchError> {
    let mut ready = Vec::with_capacity(count);
    for index in 0..count {
        let (department, caller) = town.department(index)?;
        let host = format!("{series}-{index:04}");
        ready.push(observer.expect(&department_namespace(department), &host));
        let path = format!("/v1/departments/{department}/hosts");
        let answer = caller.post(&path, &Order::new(&host, "portal").body(), 0).await?;
        if !answer.status.is_success() {
            return Err(BenchError::Refused { host, status: answer.status.as_u16(), text: answer.text });
        }
    }
    let departments: BTreeSet<&str> =
        (0..count).map(|index| town.department(index).map(|(name, _)| name)).collect::<Result<_, _>>()?;
    let per_department = |department: &str| {
        (0..count).filter(|index| town.department(*index).is_ok_and(|(name, _)| name == department)).count()
    };
    for department in &departments {
        let approver = town.world.caller(&format!("{department}-approver"))?;
        for order in waiting(&approver, department, per_department(department)).await? {
            agree(&approver, department, &order).await?;
        }
    }
    tokio::time::timeout(PATIENCE, try_join_all(ready))
        .await
        .ok()
        .and_then(Result::ok)
        .ok_or(BenchError::Nothing("approved hosts did not all become ready in time"))?;
    for department in departments {
        fulfilled(town, department).await?;
    }
    Ok(())
}

/// The orders that wait for `approver`, once there are so many.
async fn waiting(approver: &Caller, department: &str, count: usize) -> Result<Vec<Value>, BenchError> {
    let path = format!("/v1/departments/{department}/inbox");
    Ok(wait_for(format!("{count} orders to wait in {department}"), PATIENCE, || async {
        let answer = approver.get(&path).await.map_err(|error| error.to_string())?;
        let items = answer.json()["items"].as_array().cloned().unwrap_or_default();
        if items.len() >= count { Ok(items) } else { Err(format!("{} of {count}", items.len())) }
    })
    .await?)
}

async fn agree(approver: &Caller, department: &str, order: &Value) -> Result<(), BenchError> {
    let name = order["name"].as_str().unwrap_or_default();
    let path = format!("/v1/departments/{department}/orders/{name}/approvals");
    let body = json!({"decision": "Approve", "digest": order["digest"]});
    let answer = approver.post(&path, &body, 0).await?;
    if answer.status.is_success() {
        return Ok(());
    }
    Err(BenchError::Refused { host: name.to_owned(), status: answer.status.as_u16(), text: answer.text })
}

/// Waits until no order of `department` is open.
async fn fulfilled(town: &Town, department: &str) -> Result<(), BenchError> {
    let caller = town.world.caller(&format!("{department}-operator"))?;
    let path = format!("/v1/departments/{department}/orders?state=Approved&limit=1");
    wait_for(format!("the orders of {department} to be fulfilled"), PATIENCE, || async {
        let answer = caller.get(&path).await.map_err(|error| error.to_string())?;
        if answer.json()["items"] == json!([]) { Ok(()) } else { Err(answer.text) }
    })
    .await?;
    Ok(())
}
