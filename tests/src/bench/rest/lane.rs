//! One order, made in two ways: over the REST API, and by a client that knows Kubernetes.

use std::fmt;

use http::{StatusCode, header};
use jiyun_crds::names::{ANNOTATION_ORDER, department_namespace};
use serde_json::{Value, json};

use super::{BenchError, Paced, Town, paced};
use crate::Order;

/// Who makes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// The REST API.
    Ours,
    /// A client of the API server.
    Raw,
}

impl Way {
    /// Both, ours first.
    pub const BOTH: [Self; 2] = [Self::Ours, Self::Raw];

    /// Both, in the order of a run: ours, raw, raw, ours, so that what grows meanwhile is shared fairly.
    pub const fn alternating(run: u32) -> [Self; 2] {
        if run.is_multiple_of(2) { Self::BOTH } else { [Self::Raw, Self::Ours] }
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ours => "over REST",
            Self::Raw => "created",
        })
    }
}

/// A town's orders, each of one host (0 further objects) or of so many hosts together.
#[derive(Debug)]
pub struct Lane<'a> {
    town: &'a Town,
    /// Hosts of an order; 0 is a host by itself, without an order.
    hosts: usize,
    server: reqwest::Client,
    base: String,
}

impl<'a> Lane<'a> {
    /// Orders of `hosts` hosts together; 0: a host by itself.
    ///
    /// # Errors
    /// When there is no TLS.
    pub async fn new(town: &'a Town, hosts: usize) -> Result<Self, BenchError> {
        let lab = &town.world.lab;
        let authority = tokio::fs::read(lab.kubernetes_authority()).await;
        let authority = authority.map_err(BenchError::file(lab.kubernetes_authority()))?;
        let server = reqwest::Client::builder()
            .tls_certs_only([reqwest::Certificate::from_pem(&authority)?])
            .no_proxy()
            .tcp_nodelay(true)
            .build()?;
        Ok(Self { town, hosts, server, base: lab.url() })
    }

    /// Makes `count` orders of `series`, `concurrency` at a time.
    ///
    /// # Errors
    /// When one is not taken.
    pub async fn run(&self, way: Way, series: &str, count: usize, concurrency: usize) -> Result<Paced, BenchError> {
        let letter = if way == Way::Ours { "o" } else { "r" };
        paced(count, concurrency, |index| self.one(way, format!("{letter}{series}-{index:05}"), index)).await
    }

    async fn one(&self, way: Way, name: String, number: usize) -> Result<(), BenchError> {
        match way {
            Way::Ours => self.over_rest(name, number).await,
            Way::Raw => self.created(&name, number).await,
        }
    }

    async fn over_rest(&self, name: String, number: usize) -> Result<(), BenchError> {
        let (department, caller) = self.town.department(number)?;
        let (path, body) = if self.hosts == 0 {
            (format!("/v1/departments/{department}/hosts"), Order::new(&name, "portal").body())
        } else {
            let items: Vec<Value> =
                self.names(&name).map(|host| json!({"host": Order::new(host, "portal").body()})).collect();
            let body = json!({"name": name, "system": "portal", "items": items});
            (format!("/v1/departments/{department}/orders"), body)
        };
        let answer = caller.post(&path, &body, 0).await?;
        taken(&name, answer.status, || answer.text.clone())
    }

    async fn created(&self, name: &str, number: usize) -> Result<(), BenchError> {
        let (department, _) = self.town.department(number)?;
        if self.hosts == 0 {
            return self.create(department, "cloudhosts", name, &Order::new(name, "portal").object(department)).await;
        }
        for host in self.names(name) {
            let mut object = Order::new(&host, "portal").object(department);
            object["metadata"]["annotations"] = json!({(ANNOTATION_ORDER): name});
            self.create(department, "cloudhosts", &host, &object).await?;
        }
        let item = |host| json!({"kind": "CloudHost", "name": host, "action": "Create"});
        let order = json!({
            "apiVersion": "jiyun.io/v1alpha1", "kind": "Order",
            "metadata": {"name": name, "namespace": department_namespace(department)},
            "spec": {"systemRef": {"name": "portal"}, "items": self.names(name).map(item).collect::<Vec<_>>()},
        });
        self.create(department, "orders", name, &order).await
    }

    async fn create(&self, department: &str, plural: &str, name: &str, object: &Value) -> Result<(), BenchError> {
        let namespace = department_namespace(department);
        let url = format!(
            "{}/apis/jiyun.io/v1alpha1/namespaces/{namespace}/{plural}?fieldManager=bench&fieldValidation=Strict",
            self.base
        );
        let token = &self.town.world.lab.person(&format!("{department}-operator"))?.token;
        let request = self.server.post(url).bearer_auth(token).header(header::ACCEPT, "application/json").json(object);
        let answer = request.send().await?;
        let (status, text) = (answer.status(), answer.text().await?);
        taken(name, status, || text)
    }

    fn names(&self, order: &str) -> impl Iterator<Item = String> {
        (0..self.hosts).map(move |index| format!("{order}-{index}"))
    }
}

fn taken(name: &str, status: StatusCode, text: impl FnOnce() -> String) -> Result<(), BenchError> {
    if status.is_success() {
        return Ok(());
    }
    Err(BenchError::Refused { host: name.to_owned(), status: status.as_u16(), text: text() })
}
