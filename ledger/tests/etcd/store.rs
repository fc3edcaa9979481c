//! Appends: fences, numbers taken once, and outcomes nobody heard of.

use jiyun_ledger::{
    Fence, LedgerError, State, Store,
    store::{
        AppendError,
        etcd::{EtcdConfig, EtcdStore, EtcdTls},
    },
};

use super::{
    process::Etcd,
    proxy::Proxy,
    support::{account, connect, endpoint, entry, lead, open, prefix, sealed, until},
};

async fn stored(store: &EtcdStore) -> State {
    let mut state = State::default();
    loop {
        let page = store.page(state.seq() + 1).await.unwrap();
        page.entries.iter().for_each(|entry| state.apply(entry).unwrap());
        if !page.more {
            return state;
        }
    }
}

#[tokio::test]
async fn entries_are_read_back_page_by_page_as_they_were_written() {
    let endpoint = endpoint();
    let (client, prefix) = (connect(&endpoint).await, prefix());
    let leadership = lead(&client, &prefix, "one").await;
    let store = EtcdStore::new(client, &prefix);
    let entries: Vec<_> = (1..=600).map(|seq| entry(seq, leadership.fence().epoch, &format!("a{seq}"))).collect();
    for entry in &entries {
        store.append(&sealed(entry), leadership.fence()).await.unwrap();
    }
    let mut read = Vec::new();
    let mut pages = 0;
    loop {
        let page = store.page(read.len() as u64 + 1).await.unwrap();
        read.extend(page.entries);
        pages += 1;
        if !page.more {
            break;
        }
    }
    assert_eq!(read, entries);
    assert!(pages > 1, "600 entries do not come in one answer");
    assert_eq!(store.read(600).await.unwrap().as_ref(), entries.last());
    assert_eq!(store.read(601).await.unwrap(), None);

    // Byte for byte, with the number each key has.
    let raw = store.raw_page(598).await.unwrap();
    assert!(!raw.more);
    let expected = entries[597..].iter().map(|entry| (entry.seq, serde_json::to_vec(entry).unwrap()));
    assert!(raw.entries.into_iter().map(|raw| (raw.key, raw.bytes)).eq(expected));
}

#[tokio::test]
async fn a_deposed_leaders_append_is_fenced() {
    let endpoint = endpoint();
    let (client, prefix) = (connect(&endpoint).await, prefix());
    let first = lead(&client, &prefix, "first").await;
    let old = open(&client, &prefix, &first).await;
    old.set_account(account("before")).await.unwrap();

    // The first leader still believes in itself: only its key is gone.
    client.kv_client().delete(format!("{prefix}leader"), None).await.unwrap();
    let second = lead(&client, &prefix, "second").await;
    let new = open(&client, &prefix, &second).await;
    assert!(second.fence().epoch > first.fence().epoch);
    assert!(!first.lost().is_cancelled());

    let store = EtcdStore::new(client.clone(), &prefix);
    let head = new.revision();
    let error = store.append(&sealed(&entry(head + 1, first.fence().epoch, "late")), first.fence()).await.unwrap_err();
    assert!(matches!(error, AppendError::Fenced), "{error}");
    let error = old.set_account(account("late")).await.unwrap_err();
    assert!(matches!(error, LedgerError::Fenced), "{error}");
    new.set_account(account("after")).await.unwrap();
    let state = stored(&store).await;
    assert!(state.account(&"after".into()).is_some() && state.account(&"late".into()).is_none());
}

#[tokio::test]
async fn without_any_leader_nothing_is_written() {
    let endpoint = endpoint();
    let store = EtcdStore::new(connect(&endpoint).await, &prefix());
    let error = store.append(&sealed(&entry(1, 7, "a")), Fence { epoch: 7 }).await.unwrap_err();
    assert!(matches!(error, AppendError::Fenced), "{error}");
    assert_eq!(store.read(1).await.unwrap(), None);
}

#[tokio::test]
async fn two_writers_cannot_both_take_a_number() {
    let endpoint = endpoint();
    let (client, prefix) = (connect(&endpoint).await, prefix());
    let leadership = lead(&client, &prefix, "one").await;
    let fence = leadership.fence();
    let (one, two) = (EtcdStore::new(client, &prefix), EtcdStore::new(connect(&endpoint).await, &prefix));
    for seq in 1..=50 {
        let (ours, theirs) = (entry(seq, fence.epoch, "ours"), entry(seq, fence.epoch, "theirs"));
        let (our_bytes, their_bytes) = (sealed(&ours), sealed(&theirs));
        let (a, b) = tokio::join!(one.append(&our_bytes, fence), two.append(&their_bytes, fence));
        let written = one.read(seq).await.unwrap().unwrap();
        match (a, b) {
            (Ok(()), Err(AppendError::Taken { .. })) => assert_eq!(written, ours),
            (Err(AppendError::Taken { .. }), Ok(())) => assert_eq!(written, theirs),
            other => panic!("entry {seq}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn the_same_entry_offered_twice_is_written_once() {
    let endpoint = endpoint();
    let (client, prefix) = (connect(&endpoint).await, prefix());
    let leadership = lead(&client, &prefix, "one").await;
    let store = EtcdStore::new(client.clone(), &prefix);
    let entry = sealed(&entry(1, leadership.fence().epoch, "a"));
    store.append(&entry, leadership.fence()).await.unwrap();
    store.append(&entry, leadership.fence()).await.unwrap();
    let answer = client.kv_client().get(format!("{prefix}events/{:020}", 1), None).await.unwrap();
    assert_eq!(answer.kvs()[0].version(), 1);
}

#[tokio::test]
async fn an_outcome_nobody_heard_of_is_found_in_the_store() {
    let endpoint = endpoint();
    let (client, prefix) = (connect(&endpoint).await, prefix());
    let leadership = lead(&client, &prefix, "one").await;
    let proxy = Proxy::to(&endpoint).await;
    let ledger = open(&connect(&proxy.endpoint()).await, &prefix, &leadership).await;
    let direct = EtcdStore::new(client, &prefix);

    proxy.silence();
    let setting = tokio::spawn({
        let ledger = ledger.clone();
        async move { ledger.set_account(account("a")).await }
    });
    until("the entry arrives", async || direct.read(2).await.unwrap().is_some()).await;
    assert_eq!(ledger.revision(), 1, "readers see it only once it is known");
    proxy.cut();
    proxy.mend();
    let commit = setting.await.unwrap().unwrap();
    assert_eq!((commit.revision, commit.changed), (2, true));
    // The book goes on, and nothing was written twice.
    assert_eq!(ledger.set_account(account("b")).await.unwrap().revision, 3);
    assert_eq!(stored(&direct).await.digest().unwrap(), ledger.snapshot().digest().unwrap());
}

#[tokio::test]
async fn an_append_over_a_cut_line_is_made_once_the_line_is_mended() {
    let endpoint = endpoint();
    let (client, prefix) = (connect(&endpoint).await, prefix());
    let leadership = lead(&client, &prefix, "one").await;
    let proxy = Proxy::to(&endpoint).await;
    let ledger = open(&connect(&proxy.endpoint()).await, &prefix, &leadership).await;
    proxy.cut();
    let setting = tokio::spawn({
        let ledger = ledger.clone();
        async move { ledger.set_account(account("a")).await }
    });
    tokio::task::yield_now().await;
    assert!(!setting.is_finished());
    proxy.mend();
    assert_eq!(setting.await.unwrap().unwrap().revision, 2);
}

#[tokio::test]
async fn a_key_that_holds_no_entry_is_named() {
    let endpoint = endpoint();
    let (client, prefix) = (connect(&endpoint).await, prefix());
    client.kv_client().put(format!("{prefix}events/{:020}", 1), "nonsense", None).await.unwrap();
    let error = EtcdStore::new(client, &prefix).page(1).await.unwrap_err();
    assert!(error.to_string().contains(&format!("{prefix}events/00000000000000000001")), "{error}");
}

#[tokio::test]
async fn etcd_is_reached_with_certificates_and_not_without() {
    let dir = tempfile::tempdir().unwrap();
    let mut ca = rcgen::CertificateParams::new(Vec::new()).unwrap();
    ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let ca_key = rcgen::KeyPair::generate().unwrap();
    let ca_cert = ca.self_signed(&ca_key).unwrap();
    let issuer = rcgen::Issuer::new(ca, ca_key);
    let signed = |usage| {
        let mut params = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned(), "localhost".to_owned()]).unwrap();
        params.extended_key_usages = vec![usage];
        let key = rcgen::KeyPair::generate().unwrap();
        (params.signed_by(&key, &issuer).unwrap().pem(), key.serialize_pem())
    };
    let (server_cert, server_key) = signed(rcgen::ExtendedKeyUsagePurpose::ServerAuth);
    let (cert, key) = signed(rcgen::ExtendedKeyUsagePurpose::ClientAuth);
    let file = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let mut flags = vec!["--client-cert-auth".to_owned()];
    for (flag, path) in [
        ("--trusted-ca-file", file("ca.pem", &ca_cert.pem())),
        ("--cert-file", file("server.pem", &server_cert)),
        ("--key-file", file("server.key", &server_key)),
    ] {
        flags.extend([flag.to_owned(), path]);
    }
    let mut etcd = Etcd::new(&flags);
    etcd.spawn("https");
    let tls = EtcdTls { ca: ca_cert.pem().into(), cert: cert.into(), key: key.into(), server_name: None };
    let config = EtcdConfig { endpoints: vec![etcd.endpoint("https")], tls: Some(tls.clone()) };
    until("etcd answers with TLS", async || config.connect().await.unwrap().kv_client().get("x", None).await.is_ok())
        .await;

    // A certificate of its own making is not let in.
    let own = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let stranger = EtcdTls { cert: own.cert.pem().into(), key: own.signing_key.serialize_pem().into(), ..tls };
    let config = EtcdConfig { tls: Some(stranger), ..config };
    let store = EtcdStore::new(config.connect().await.unwrap(), "/x");
    assert!(store.read(1).await.is_err());
}
