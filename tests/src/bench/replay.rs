//! The roofline: recorded requests sent again, as fast as the API server takes them, with nobody of ours around.

use std::{
    collections::HashMap,
    fmt,
    time::{Duration, Instant},
};

use futures::{StreamExt, TryStreamExt, stream};
use http::{StatusCode, header};
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, ListParams};

use super::{
    BenchError,
    audit::CONTROLLER,
    plan::{Chain, Plan, Request},
    progress::Counted,
    statistics::number,
    town::Town,
};
use jiyun_lab::wait_for;

/// How long the simulators may take to catch up with a replay.
const PATIENCE: Duration = Duration::from_mins(1);

/// Connections of the HTTP/2 client. One is one task and one TLS stream, which a core can be too slow for.
const CONNECTIONS: usize = 4;

/// How the replay talks to the API server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// HTTP/1.1: a connection for each request under way.
    Http1,
    /// HTTP/2: a few connections shared by all.
    Http2,
}

impl fmt::Display for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Http1 => "HTTP/1.1",
            Self::Http2 => "HTTP/2",
        })
    }
}

/// Sends requests as whoever sent them first.
#[derive(Debug)]
pub struct Player {
    clients: Vec<reqwest::Client>,
    base: String,
    bearers: HashMap<String, String>,
}

impl Player {
    /// A player with the tokens of this town's people and of its controller's account.
    ///
    /// # Errors
    /// When there is no token or no TLS.
    pub async fn new(town: &Town, wire: Wire) -> Result<Self, BenchError> {
        let lab = &town.world.lab;
        let authority =
            std::fs::read(lab.kubernetes_authority()).map_err(BenchError::file(lab.kubernetes_authority()))?;
        let client = || {
            let builder = reqwest::Client::builder()
                .tls_certs_only([reqwest::Certificate::from_pem(&authority)?])
                .no_proxy()
                .tcp_nodelay(true);
            match wire {
                Wire::Http1 => builder.http1_only(),
                Wire::Http2 => builder,
            }
            .build()
        };
        let clients =
            (0..if wire == Wire::Http1 { 1 } else { CONNECTIONS }).map(|_| client()).collect::<Result<_, _>>()?;
        let mut bearers: HashMap<String, String> =
            lab.people().iter().map(|person| (person.name.clone(), person.token.clone())).collect();
        bearers.insert(CONTROLLER.to_owned(), lab.user_token("jiyun-system", "jiyun-controller").await?);
        Ok(Self { clients, base: lab.url(), bearers })
    }

    /// Replays a plan: each host's requests one after the other, `concurrency` hosts at the same time. Returns hosts a
    /// second, from the first request to the last answer.
    ///
    /// # Errors
    /// When a request is refused: then it is not the same work.
    pub async fn play(&self, what: &str, plan: &Plan, concurrency: usize) -> Result<f64, BenchError> {
        // Requests about no host are a chain of their own, beside the first hosts.
        let others = Chain { host: String::new(), requests: plan.others.clone() };
        let mut progress = Counted::new(format!("{what}: hosts replayed"), plan.chains.len());
        let started = Instant::now();
        stream::iter(std::iter::once(&others).chain(&plan.chains).enumerate())
            .map(|(index, chain)| self.play_chain(index, chain))
            .buffer_unordered(concurrency)
            .enumerate()
            .map(|(done, outcome)| {
                progress.at(done);
                outcome
            })
            .try_collect::<()>()
            .await?;
        Ok(number(plan.chains.len()) / started.elapsed().as_secs_f64())
    }

    async fn play_chain(&self, index: usize, chain: &Chain) -> Result<(), BenchError> {
        let client = self.clients.get(index % self.clients.len().max(1));
        let client = client.ok_or(BenchError::Nothing("there is no client"))?;
        for request in &chain.requests {
            let (status, text) = self.send(client, request).await?;
            if !status.is_success() {
                let request = format!("{} {} of {}", request.method, request.uri, request.user);
                return Err(BenchError::ReplayRefused { request, status: status.as_u16(), text });
            }
        }
        Ok(())
    }

    /// The answer is received to its end but not read: what we do with answers is our cost.
    async fn send(&self, client: &reqwest::Client, request: &Request) -> Result<(StatusCode, String), reqwest::Error> {
        let mut sent = client
            .request(request.method.clone(), format!("{}{}", self.base, request.uri))
            .header(header::ACCEPT, "application/json")
            .header(header::CONTENT_TYPE, request.content_type)
            .body(request.body.clone());
        if let Some(token) = self.bearers.get(&request.user) {
            sent = sent.bearer_auth(token);
        }
        let answer = sent.send().await?;
        let status = answer.status();
        let body = answer.bytes().await?;
        let text = if status.is_success() { String::new() } else { String::from_utf8_lossy(&body).into_owned() };
        Ok((status, text))
    }
}

/// Waits until the simulators have moved `machines` machines, and says how long that took.
///
/// # Errors
/// When they do not in time.
pub async fn engines_caught_up(town: &Town, machines: usize) -> Result<Duration, BenchError> {
    let kind = GroupVersionKind::gvk("kubevirt.io", "v1", "VirtualMachine");
    let kind = ApiResource::from_gvk_with_plural(&kind, "virtualmachines");
    let api = Api::<DynamicObject>::all_with(town.world.lab.client().await?, &kind);
    let started = Instant::now();
    wait_for(format!("{machines} machines to run"), PATIENCE, || async {
        let found = api.list(&ListParams::default()).await.map_err(|error| error.to_string())?;
        let running =
            found.iter().filter(|machine| machine.data.pointer("/status/ready") == Some(&true.into())).count();
        if running >= machines { Ok(()) } else { Err(format!("{running} run")) }
    })
    .await?;
    Ok(started.elapsed())
}
