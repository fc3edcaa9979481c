//! What a request changes, in words that are the same in every run; nothing for requests that change nothing.

use http::{Method, Uri};

/// The field manager that is not worth a word.
const USUAL: &str = "jiyun-controller";

/// Of a request to the API server.
pub fn of_kubernetes(method: &Method, uri: &Uri) -> Option<String> {
    if [Method::GET, Method::HEAD, Method::OPTIONS].contains(method) {
        return None;
    }
    let mut query = uri.query().unwrap_or_default().split('&');
    let manager = query.find_map(|part| part.strip_prefix("fieldManager=")).filter(|manager| *manager != USUAL);
    let by = manager.map(|manager| format!(" by {manager}")).unwrap_or_default();
    Some(format!("{method} {}{by}", steady(uri.path())))
}

/// A path without what differs from run to run: an order that was filed ends in a digest of its host's UID.
fn steady(path: &str) -> String {
    let Some((before, rest)) = path.split_once("/orders/") else { return path.to_owned() };
    let (name, after) = rest.split_once('/').unwrap_or((rest, ""));
    let host = name.rsplit_once('-').map_or(name, |(host, _)| host);
    format!("{before}/orders/{host}/{after}")
}

/// Whether it is a watch, and of what: the plural in its path.
pub fn watched(uri: &Uri) -> Option<&str> {
    let watches = uri.query().unwrap_or_default().split('&').any(|part| part == "watch=true");
    uri.path().rsplit('/').next().filter(|_| watches)
}

/// Of a request to etcd: a lease, or a transaction by what it writes.
pub fn of_etcd(path: &str, body: &[u8]) -> Option<String> {
    match path {
        "/etcdserverpb.Lease/LeaseGrant" => Some("lease granted".to_owned()),
        "/etcdserverpb.Lease/LeaseRevoke" => Some("lease revoked".to_owned()),
        "/etcdserverpb.KV/Txn" => Some(format!("txn {}", recorded(&String::from_utf8_lossy(body)))),
        _ => None,
    }
}

/// The kinds of events in an entry; or else what kind of key.
fn recorded(body: &str) -> String {
    let mut kinds: Vec<&str> = Vec::new();
    for part in body.split("{\"type\":\"").skip(1) {
        let kind = part.split('"').next().unwrap_or_default();
        if kind.chars().all(char::is_alphabetic) && !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    match kinds.as_slice() {
        [] if body.contains("snapshots/") => "snapshot".to_owned(),
        [] if body.contains("leader") => "leader".to_owned(),
        [] => "note".to_owned(),
        kinds => kinds.join("+"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_have_no_label_and_writes_are_told_apart_by_address_and_manager() {
        let uri = |text: &str| text.parse::<Uri>().unwrap();
        let apply = uri("/apis/jiyun.io/v1alpha1/departments/a/status?force=true&fieldManager=jiyun-totals");
        let told = of_kubernetes(&Method::PATCH, &apply).unwrap();
        assert_eq!(told, "PATCH /apis/jiyun.io/v1alpha1/departments/a/status by jiyun-totals");
        let usual = uri("/api/v1/namespaces/a?fieldManager=jiyun-controller");
        assert_eq!(of_kubernetes(&Method::PATCH, &usual).unwrap(), "PATCH /api/v1/namespaces/a");
        assert_eq!(of_kubernetes(&Method::GET, &apply), None);
        let order = uri("/apis/jiyun.io/v1alpha1/namespaces/n/orders/web-1-0a1b2c3d/status");
        let told = of_kubernetes(&Method::PATCH, &order).unwrap();
        assert_eq!(told, "PATCH /apis/jiyun.io/v1alpha1/namespaces/n/orders/web-1/status");
    }

    #[test]
    fn a_watch_is_known_by_its_plural() {
        let uri = "/apis/cdi.kubevirt.io/v1beta1/datavolumes?watch=true&timeoutSeconds=120".parse::<Uri>().unwrap();
        assert_eq!(watched(&uri), Some("datavolumes"));
        assert_eq!(watched(&"/api/v1/namespaces?limit=1".parse::<Uri>().unwrap()), None);
    }

    #[test]
    fn a_transaction_is_known_by_what_it_records() {
        let txn = "/etcdserverpb.KV/Txn";
        let entry = br#"\x0a/jiyun/ledger/leader{"seq":1,"events":[{"type":"ClaimGranted","claim":{}},{"type":"ClaimGranted"},{"type":"RequestUnqueued"}]}"#;
        assert_eq!(of_etcd(txn, entry).unwrap(), "txn ClaimGranted+RequestUnqueued");
        assert_eq!(of_etcd(txn, b"/jiyun/ledger/leader pod-1").unwrap(), "txn leader");
        assert_eq!(of_etcd("/etcdserverpb.KV/Range", b""), None);
    }
}
