//! `memory_per_host`: memory of the controller for each host it looks after.

use std::time::Duration;

use futures::{StreamExt, TryStreamExt, stream};
use jiyun_crds::{names::department_namespace, v1alpha1::CloudHost};
use jiyun_lab::wait_for;
use kube::{
    Api, Client,
    api::{DynamicObject, PostParams},
};

use super::{
    BenchError, Figure, Name, Options,
    callers::host_name,
    figure::{Better, Comparison, Goal, Judged},
    machine::{self, Memory},
    observer::Observer,
    progress::{Counted, say},
    statistics::number,
    town::Town,
};
use crate::{Order, world::PATIENCE};

/// The chart lets the controller have 1 GiB. It is to look after 50,000 hosts in it, so each may take this many bytes.
const GOAL: Goal = Goal { value: 21_474.0, better: Better::Lower, judged: Judged::Ours };

/// Hosts created at the same time.
const CONCURRENCY: usize = 32;

/// After this nothing of the bring-up is under way any more.
const SETTLING: Duration = Duration::from_secs(20);

/// Without any host becoming ready for this long the run is given up.
const STALLED: Duration = Duration::from_mins(2);

/// Hosts a page when the stored ones are listed.
const PAGE: usize = 500;

/// Measures it.
///
/// # Errors
/// See [`BenchError`].
pub async fn measure(options: &Options) -> Result<Figure, BenchError> {
    let hosts = usize::try_from(options.hosts_memory).unwrap_or(usize::MAX);
    let town = Town::start("memory", false).await?;
    let client = town.world.lab.client().await?;
    let observer = Observer::start(client.clone()).await;
    tokio::time::sleep(SETTLING).await;
    let empty = of_controller(&town)?;

    create(&town, &client, hosts).await?;
    all_ready(&observer, hosts).await?;
    say("memory: settling");
    tokio::time::sleep(SETTLING).await;
    let full = of_controller(&town)?;
    let stored = bytes_stored(&client, hosts).await?;

    say("memory: the controller starts anew");
    town.world.controller.restart().await?;
    town.world.controller.wait_until_healthy("/readyz", PATIENCE).await?;
    leads(&town).await?;
    tokio::time::sleep(SETTLING).await;
    let anew = of_controller(&town)?;
    town.close().await?;

    let each = |bytes: u64| bytes_as_number(bytes) / number(hosts);
    let kibibytes = |bytes: f64| format!("{:.1} KiB", bytes / 1024.0);
    let mebibytes = |bytes: u64| format!("{} MiB", bytes >> 20);
    let comparison = Comparison {
        ours: each(full.resident),
        reference: stored,
        what_reference_is:
            "JSON of one stored host as the API server lists it; the controller keeps a disk, a machine \
                            and a claim besides"
                .into(),
        unit: "bytes/host".into(),
        runs: 1,
        notes: vec![
            format!(
                "{hosts} hosts: {} resident, {} at most; without hosts {}",
                mebibytes(full.resident),
                mebibytes(full.peak),
                mebibytes(empty.resident)
            ),
            format!("of that a host adds {}", kibibytes(each(full.resident.saturating_sub(empty.resident)))),
            format!(
                "started anew with all hosts there: {} resident ({} a host), {} at most",
                mebibytes(anew.resident),
                kibibytes(each(anew.resident)),
                mebibytes(anew.peak)
            ),
            "the goal is ours: 50,000 hosts within the 1 GiB that the chart allows the controller".into(),
        ],
    };
    Ok(Figure::new(Name::MemoryPerHost, comparison, GOAL))
}

fn of_controller(town: &Town) -> Result<Memory, BenchError> {
    machine::memory(town.world.controller.process().pid())
}

/// Creates the hosts past our API, as fast as the API server takes them.
async fn create(town: &Town, client: &Client, hosts: usize) -> Result<(), BenchError> {
    let mut progress = Counted::new("memory: hosts created", hosts);
    stream::iter(0..hosts)
        .map(|number| create_one(town, client, number))
        .buffer_unordered(CONCURRENCY)
        .enumerate()
        .map(|(done, outcome)| {
            progress.at(done);
            outcome
        })
        .try_collect::<()>()
        .await
}

async fn create_one(town: &Town, client: &Client, number: usize) -> Result<(), BenchError> {
    let (department, _) = town.department(number)?;
    let object = Order::new(host_name("many", number), "portal").object(department);
    let host: CloudHost = serde_json::from_value(object)?;
    let api = Api::<CloudHost>::namespaced(client.clone(), &department_namespace(department));
    api.create(&PostParams::default(), &host).await?;
    Ok(())
}

/// Waits until all hosts are ready, for as long as there are more of them from time to time.
async fn all_ready(observer: &Observer, hosts: usize) -> Result<(), BenchError> {
    let mut progress = Counted::new("memory: hosts ready", hosts);
    let mut ready = observer.ready();
    while ready < hosts {
        let before = ready;
        ready = wait_for(format!("more than {before} of {hosts} hosts to be ready"), STALLED, || async {
            let now = observer.ready();
            if now > before { Ok(now) } else { Err(format!("{now} are ready")) }
        })
        .await?;
        progress.at(ready);
    }
    Ok(())
}

/// Waits until the controller leads: only then it reads everything.
async fn leads(town: &Town) -> Result<(), BenchError> {
    wait_for("the controller to lead", PATIENCE, || async {
        let text = town.world.controller_metrics().await.map_err(|error| error.to_string())?;
        if text.lines().any(|line| line == "jiyun_leader 1") { Ok(()) } else { Err("it stands by".to_owned()) }
    })
    .await?;
    Ok(())
}

/// Bytes of JSON of one host, over all of them.
async fn bytes_stored(client: &Client, hosts: usize) -> Result<f64, BenchError> {
    let (mut bytes, mut listed, mut next) = (0, 0, String::new());
    loop {
        let page = format!("/apis/jiyun.io/v1alpha1/cloudhosts?limit={PAGE}&continue={next}");
        let request = http::Request::get(page).body(Vec::new());
        let request = request.map_err(kube::Error::HttpError)?;
        let text = client.request_text(request).await?;
        let list: kube::core::ObjectList<DynamicObject> = serde_json::from_str(&text)?;
        bytes += text.len();
        listed += list.items.len();
        match list.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => next = token,
            None => break,
        }
    }
    if listed < hosts {
        return Err(BenchError::Nothing("the API server lists fewer hosts than were created"));
    }
    Ok(number(bytes) / number(listed))
}

#[allow(clippy::cast_precision_loss, reason = "no process has 2^52 bytes")]
fn bytes_as_number(bytes: u64) -> f64 {
    bytes as f64
}
