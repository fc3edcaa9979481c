//! What is replayed: the requests of a recorded run, host by host in their order.

use std::collections::BTreeMap;

use http::Method;
use serde_json::Value;

use super::audit::{Actor, HostKey, Write};

/// One request to send again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// User to send it as.
    pub user: String,
    /// Method.
    pub method: Method,
    /// Path and query.
    pub uri: String,
    /// Content type; the audit log does not keep it.
    pub content_type: &'static str,
    /// Body; empty where there was none.
    pub body: String,
}

/// The requests about one host, one after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// Name of the host.
    pub host: String,
    /// Its requests.
    pub requests: Vec<Request>,
}

/// A recorded run, ready to be replayed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// By host, in the order the hosts came.
    pub chains: Vec<Chain>,
    /// Requests about no host in particular, such as the mark of the ledger.
    pub others: Vec<Request>,
}

impl Plan {
    /// Our own requests that succeeded, about hosts that `wanted` names, and between the first and the last of them
    /// those about no host. Requests that failed changed nothing: they are part of our cost, not of the work.
    pub fn of(writes: &[Write], wanted: impl Fn(&HostKey) -> bool) -> Self {
        let ours: Vec<&Write> = writes.iter().filter(|write| write.actor == Actor::Ours && write.succeeded()).collect();
        let is_wanted = |write: &&&Write| write.host.as_ref().is_some_and(&wanted);
        let mut hosts: BTreeMap<&HostKey, Chain> = BTreeMap::new();
        let mut order = Vec::new();
        for write in ours.iter().filter(is_wanted) {
            let Some(host) = &write.host else { continue };
            let chain = hosts.entry(host).or_insert_with(|| {
                order.push(host);
                Chain { host: host.name.clone(), requests: Vec::new() }
            });
            chain.requests.extend(Request::of(write));
        }
        let mut times = ours.iter().filter(is_wanted).map(|write| write.at);
        let first = times.next();
        let last = times.next_back().or(first);
        let during =
            |write: &&&Write| first.is_some_and(|first| write.at >= first) && last.is_some_and(|last| write.at <= last);
        let others =
            ours.iter().filter(|write| write.host.is_none()).filter(during).filter_map(|write| Request::of(write));
        Self { others: others.collect(), chains: order.into_iter().filter_map(|host| hosts.remove(host)).collect() }
    }

    /// All requests of the plan.
    pub fn requests(&self) -> usize {
        self.chains.iter().map(|chain| chain.requests.len()).sum::<usize>() + self.others.len()
    }

    /// The first `count` hosts under other names, so that the same requests can be sent twice to one server.
    #[must_use]
    pub fn renamed(&self, count: usize, name: impl Fn(usize) -> String) -> Self {
        let chains = self.chains.iter().take(count).enumerate().map(|(index, chain)| chain.renamed(&name(index)));
        Self { chains: chains.collect(), others: Vec::new() }
    }
}

impl Chain {
    /// The same requests about a host of another name. Hosts of a run have names that occur nowhere else.
    fn renamed(&self, name: &str) -> Self {
        let changed = |request: &Request| Request {
            uri: request.uri.replace(&self.host, name),
            body: request.body.replace(&self.host, name),
            ..request.clone()
        };
        Self { host: name.to_owned(), requests: self.requests.iter().map(changed).collect() }
    }
}

impl Request {
    /// The request that `write` tells of; nothing for verbs that have no method.
    fn of(write: &Write) -> Option<Self> {
        let method = match write.verb.as_str() {
            "create" => Method::POST,
            "update" => Method::PUT,
            "patch" => Method::PATCH,
            "delete" | "deletecollection" => Method::DELETE,
            _ => return None,
        };
        Some(Self {
            user: write.user.clone(),
            content_type: content_type(&method, &write.uri, write.body.as_ref()),
            method,
            uri: write.uri.clone(),
            body: write.body.as_ref().map(Value::to_string).unwrap_or_default(),
        })
    }
}

/// Server-side apply names its field manager and sends a whole object; the only other patches we and kube send are
/// merge patches.
fn content_type(method: &Method, uri: &str, body: Option<&Value>) -> &'static str {
    if method != Method::PATCH {
        return "application/json";
    }
    let query = uri.split_once('?').map(|(_, query)| query).unwrap_or_default();
    let managed = query.split('&').any(|part| part.starts_with("fieldManager="));
    let whole = body.is_some_and(|body| body.get("apiVersion").is_some() && body.get("kind").is_some());
    if managed && whole { "application/apply-patch+yaml" } else { "application/merge-patch+json" }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::bench::audit::{
        CONTROLLER, parse,
        tests::{OURS, life_of, line},
    };

    fn mark(second: u32) -> String {
        let body = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "jiyun-ledger-mark"}});
        let object = json!({"resource": "configmaps", "namespace": "jiyun-system", "name": "jiyun-ledger-mark"});
        line(second, OURS, "patch", "/api/v1/namespaces/jiyun-system/configmaps/m?fieldManager=c", object, body)
    }

    fn plan(log: &str) -> Plan {
        Plan::of(&parse(log).unwrap(), |_| true)
    }

    #[test]
    fn each_hosts_requests_are_kept_in_their_order_and_simulators_are_left_out() {
        let plan = plan(&(life_of("web-2", 1) + &life_of("web-1", 0)));
        let hosts: Vec<&str> = plan.chains.iter().map(|chain| chain.host.as_str()).collect();
        assert_eq!(hosts, ["web-1", "web-2"]);
        for chain in &plan.chains {
            let methods: Vec<_> = chain.requests.iter().map(|request| request.method.clone()).collect();
            assert_eq!(methods, [Method::POST, Method::PATCH, Method::PATCH]);
            let users: Vec<_> = chain.requests.iter().map(|request| request.user.as_str()).collect();
            assert_eq!(users, ["culture-operator", CONTROLLER, CONTROLLER]);
            assert!(chain.requests[2].uri.contains("/status?"));
        }
        assert_eq!(plan.requests(), 6);
    }

    #[test]
    fn the_content_type_is_what_the_request_must_have_had() {
        let plan = plan(&life_of("web-1", 0));
        let types: Vec<_> = plan.chains[0].requests.iter().map(|request| request.content_type).collect();
        assert_eq!(types, ["application/json", "application/apply-patch+yaml", "application/apply-patch+yaml"]);
        let finalizer = json!({"metadata": {"finalizers": []}});
        let uri = "/x?fieldManager=jiyun-controller";
        assert_eq!(content_type(&Method::PATCH, uri, Some(&finalizer)), "application/merge-patch+json");
        assert_eq!(content_type(&Method::DELETE, "/x", None), "application/json");
    }

    #[test]
    fn a_request_about_no_host_is_replayed_when_it_came_between_those_about_hosts() {
        let log = life_of("web-1", 5) + &mark(6);
        assert_eq!(plan(&log).others.len(), 1);
        assert_eq!(plan(&(life_of("web-1", 5) + &mark(4))).others, []);
        assert_eq!(plan(&(life_of("web-1", 5) + &mark(9))).others, []);
    }

    #[test]
    fn requests_that_failed_and_hosts_not_wanted_are_not_replayed() {
        let refused = life_of("web-1", 0).replace("\"code\":201", "\"code\":409");
        assert_eq!(plan(&refused).chains[0].requests.len(), 2);
        let writes = parse(&(life_of("warm-1", 0) + &life_of("run-1", 1))).unwrap();
        let chosen = Plan::of(&writes, |host| host.name.starts_with("run-"));
        assert_eq!(chosen.chains.iter().map(|chain| chain.host.as_str()).collect::<Vec<_>>(), ["run-1"]);
    }

    #[test]
    fn a_renamed_host_has_its_new_name_everywhere() {
        let plan = plan(&life_of("web-1", 0));
        let renamed = plan.renamed(9, |index| format!("again-{index}"));
        assert_eq!(renamed.chains[0].host, "again-0");
        for request in &renamed.chains[0].requests {
            let text = format!("{} {}", request.uri, request.body);
            assert!(!text.contains("web-1") && text.contains("again-0"), "{text}");
        }
    }
}
