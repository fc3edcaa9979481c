//! Heads move forward, from where their writer left them, and a trail lives on them.

use std::time::Duration;

use jiff::Timestamp;
use jiyun_trail::{
    Options, Trail, Unwritable,
    core::{
        action::Action,
        actor::Actor,
        hash::{Hash, Sha256},
        head::{Head, Pruned},
        object::Object,
        outcome::Outcome,
        record::Record,
        writer::Writer,
    },
    figures::Figures,
    heads::{HeadError, Heads, Marks, etcd::EtcdHeads},
    store::disk::RealDisk,
};
use prometheus::Registry;

use super::process::{Etcd, connect, shared};

fn head(sequence: u64) -> Head {
    let hash = Sha256.of(sequence.to_string().as_bytes());
    Head { sequence, hash, at: Timestamp::from_second(1_793_491_200).unwrap() }
}

fn writer(name: &str) -> Writer {
    name.parse().unwrap()
}

fn record() -> Record {
    Record::new(
        Timestamp::now(),
        Actor::new("wang"),
        Action::Create,
        Object::new("CloudHost", "web"),
        Outcome::Succeeded,
    )
}

#[tokio::test]
async fn a_head_moves_on_from_where_it_is_and_is_read_back() {
    let (client, prefix) = shared().await;
    let heads = EtcdHeads::new(client, &prefix);
    let api = writer("api-0");
    let none = heads.read(&api).await.unwrap();
    assert_eq!(none, Marks::default());
    let first = heads.advance(&api, &none, &head(3)).await.unwrap();
    let second = heads.advance(&api, &first, &head(8)).await.unwrap();
    assert_eq!(heads.read(&api).await.unwrap(), second);
    // The answer to a move may be lost: trying it again is safe.
    assert_eq!(heads.advance(&api, &first, &head(8)).await.unwrap(), second);

    let error = heads.advance(&api, &first, &head(5)).await.unwrap_err();
    assert!(matches!(error, HeadError::Moved { .. }), "{error}");
    let error = heads.advance(&api, &second, &head(8)).await.unwrap_err();
    assert!(matches!(error, HeadError::Backwards { .. }), "{error}");
    assert_eq!(heads.read(&api).await.unwrap(), second);
}

#[tokio::test]
async fn the_mark_of_pruning_is_kept_beside_the_head_and_written_by_its_owner_alone() {
    let (client, prefix) = shared().await;
    let heads = EtcdHeads::new(client, &prefix);
    let api = writer("api-0");
    let first = heads.advance(&api, &Marks::default(), &head(9)).await.unwrap();
    let mark = Pruned { sequence: 4, hash: head(4).hash, until: head(4).at };
    let pruned = heads.prune(&api, &first, &mark).await.unwrap();
    assert_eq!(heads.read(&api).await.unwrap(), pruned);
    let moved = heads.advance(&api, &pruned, &head(10)).await.unwrap();
    assert_eq!(heads.read(&api).await.unwrap(), moved);
    let later = Pruned { sequence: 6, ..mark };
    let error = heads.prune(&api, &first, &later).await.unwrap_err();
    assert!(matches!(error, HeadError::Moved { .. }), "{error}");
}

#[tokio::test]
async fn all_writers_with_a_head_are_known() {
    let (client, prefix) = shared().await;
    let heads = EtcdHeads::new(client, &prefix);
    assert!(heads.writers().await.unwrap().is_empty());
    for name in ["controller-0", "api-1", "api-0"] {
        heads.advance(&writer(name), &Marks::default(), &head(1)).await.unwrap();
    }
    let names: Vec<_> = heads.writers().await.unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(names, ["api-0", "api-1", "controller-0"]);
}

#[tokio::test]
async fn a_trail_lives_on_etcd_and_stops_changes_when_that_is_gone() {
    let mut etcd = Etcd::start().await;
    let heads = EtcdHeads::new(connect(&etcd.endpoint).await, "/jiyun/");
    let folder = tempfile::tempdir().unwrap();
    let options = Options { probe_every: Duration::from_millis(5), ..Options::new(folder.path(), writer("api-0")) };
    let figures = Figures::new(&Registry::new()).unwrap();
    let (trail, _task) = Trail::start(options, heads.clone(), RealDisk, figures);
    trail.writable().await.unwrap();
    for n in 1..=20 {
        assert_eq!(trail.append(record()).await.unwrap(), n);
        assert_eq!(heads.read(&writer("api-0")).await.unwrap().head.unwrap().sequence, n);
    }
    etcd.kill();
    let error = trail.append(record()).await.unwrap_err();
    assert!(matches!(error, Unwritable::Head(_)), "{error}");
    assert!(!trail.is_writable());
}
