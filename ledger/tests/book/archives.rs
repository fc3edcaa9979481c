//! Archives: what was exported is imported to the same book, and nothing can be cut off or changed unnoticed.

use jiyun_ledger::{
    ArchiveError, Ledger, Lineage, Meter, OpenError, OpenOptions, Receipt,
    archive::sealed,
    export, import,
    store::memory::{Fault, MemoryStore},
    verify,
};
use tokio_util::sync::CancellationToken;

use crate::city::{account, compute, host};

async fn open(store: &MemoryStore, epoch: i64) -> Result<Ledger, OpenError> {
    let options = OpenOptions::new(Lineage::new("book"), Lineage::new("hub"));
    let fence = store.elect(epoch);
    Ok(Ledger::open(store.clone(), fence, CancellationToken::new(), options).await?.0)
}

async fn city(store: &MemoryStore) -> Ledger {
    let ledger = open(store, 1).await.unwrap();
    ledger.set_pool(compute("c1", "east", 1000, 1_000_000)).await.unwrap();
    ledger.set_account(account("tax", None, &[(Meter::Vcpu, 50)])).await.unwrap();
    for n in 0..300 {
        ledger.set_account(account(&format!("a{n}"), Some("tax"), &[])).await.unwrap();
    }
    ledger.decide(host("tax", "a", 4, 1024)).await.unwrap();
    ledger
}

async fn archive(store: &MemoryStore, first: Option<u64>, last: Option<u64>) -> (Vec<u8>, Receipt) {
    let mut out = Vec::new();
    let receipt = export(store, first, last, &mut out).await.unwrap();
    (out, receipt)
}

async fn into(store: &MemoryStore, archive: &[u8]) -> Result<jiyun_ledger::Imported, ArchiveError> {
    let fence = store.elect(7);
    import(store, fence, &CancellationToken::new(), || Ok(archive)).await
}

fn lines(archive: &[u8]) -> Vec<String> {
    String::from_utf8(archive.to_vec()).unwrap().lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn an_archive_is_imported_to_the_same_book() {
    let store = MemoryStore::default();
    let ledger = city(&store).await;
    let (archive, receipt) = archive(&store, None, None).await;
    let summary = verify(archive.as_slice()).unwrap();
    assert!(summary.sealed);
    assert_eq!((summary.last, summary.chain, &summary.lineage), (304, receipt.chain, &receipt.lineage));
    assert_eq!(summary.digest, ledger.snapshot().digest().unwrap());

    let other = MemoryStore::default();
    let imported = into(&other, &archive).await.unwrap();
    assert_eq!((imported.last, imported.resumed, imported.sealed), (304, 0, true));
    assert_eq!(other.entries(), store.entries());
    let again = open(&other, 8).await.unwrap();
    assert_eq!(again.snapshot().digest().unwrap(), ledger.snapshot().digest().unwrap());
}

#[tokio::test]
async fn archives_put_one_after_the_other_are_one() {
    let store = MemoryStore::default();
    city(&store).await;
    let (mut first, one) = archive(&store, None, Some(100)).await;
    let (second, two) = archive(&store, Some(101), None).await;
    assert_eq!((one.chain, one.last + 1), (two.previous, two.first));
    assert!(matches!(verify(second.as_slice()).unwrap_err(), ArchiveError::NotFromTheStart { first: 101 }));
    assert_eq!(sealed(second.as_slice()).unwrap(), two);
    first.extend(&second);
    assert_eq!(sealed(first.as_slice()).unwrap(), archive(&store, None, None).await.1);
    assert_eq!(verify(first.as_slice()).unwrap().chain, archive(&store, None, None).await.1.chain);
}

#[tokio::test]
async fn plain_entries_are_read_too_but_are_not_sealed() {
    let store = MemoryStore::default();
    city(&store).await;
    let plain: Vec<String> = store.entries().iter().map(|entry| serde_json::to_string(entry).unwrap()).collect();
    let other = MemoryStore::default();
    let imported = into(&other, plain.join("\n").as_bytes()).await.unwrap();
    assert!(!imported.sealed);
    assert!(matches!(sealed(plain[0].as_bytes()).unwrap_err(), ArchiveError::Unsealed { seq: 1 }));
    assert_eq!(other.entries(), store.entries());
}

#[tokio::test]
async fn whatever_is_cut_off_or_changed_is_noticed() {
    let store = MemoryStore::default();
    city(&store).await;
    let (archive, _) = archive(&store, None, None).await;
    let whole = lines(&archive);
    let error = |lines: &[String]| verify(lines.join("\n").as_bytes()).unwrap_err();
    let without = |index: usize| {
        let mut lines = whole.clone();
        lines.remove(index);
        lines
    };
    assert!(matches!(error(&without(305)), ArchiveError::Truncated { last: 304 }));
    assert!(matches!(error(&without(304)), ArchiveError::Broken { line: 305 }));
    assert!(matches!(error(&without(50)), ArchiveError::Gap { line: 51, expected: 50, found: 51 }));
    assert!(matches!(error(&without(1)), ArchiveError::Gap { line: 2, expected: 1, found: 2 }));
    assert!(matches!(error(&without(0)), ArchiveError::Broken { line: 305 }), "a trailer without its header");
    let mut edited = whole.clone();
    edited[100] = edited[100].replace("Department a96", "Department b96");
    assert_ne!(edited[100], whole[100]);
    assert!(matches!(error(&edited), ArchiveError::Broken { line: 306 }));
    let mut nonsense = whole.clone();
    nonsense[7].truncate(20);
    assert!(matches!(error(&nonsense), ArchiveError::Line { line: 8, .. }));
    assert!(matches!(error(&[]), ArchiveError::Empty));

    let other = MemoryStore::default();
    into(&other, edited.join("\n").as_bytes()).await.unwrap_err();
    assert_eq!((other.entries().len(), other.all_notes().len()), (0, 0), "nothing is written of what does not hold");
}

#[tokio::test]
async fn nothing_is_imported_beside_a_book() {
    let store = MemoryStore::default();
    city(&store).await.shutdown().await;
    let (archive, _) = archive(&store, None, None).await;
    assert!(matches!(into(&store, &archive).await.unwrap_err(), ArchiveError::NotEmpty));
    let other = MemoryStore::default();
    open(&other, 1).await.unwrap().shutdown().await;
    assert!(matches!(into(&other, &archive).await.unwrap_err(), ArchiveError::NotEmpty));
}

#[tokio::test]
async fn an_import_that_stopped_goes_on_and_nobody_opens_the_half_of_it() {
    let store = MemoryStore::default();
    let ledger = city(&store).await;
    let (archive, _) = archive(&store, None, None).await;
    let other = MemoryStore::default();
    for fault in [Fault::Rejected, Fault::Rejected] {
        for _ in 0..100 {
            other.succeed_next();
        }
        other.fail_next(fault);
        assert!(matches!(into(&other, &archive).await.unwrap_err(), ArchiveError::Store(_)));
        assert!(matches!(open(&other, 8).await.unwrap_err(), OpenError::Importing));
    }
    assert_eq!(other.entries().len(), 200);
    let (shorter, _) = self::archive(&store, None, Some(250)).await;
    assert!(matches!(into(&other, &shorter).await.unwrap_err(), ArchiveError::OtherImport));
    let imported = into(&other, &archive).await.unwrap();
    assert_eq!((imported.resumed, imported.last), (200, 304));
    let again = open(&other, 8).await.unwrap();
    assert_eq!(again.snapshot().digest().unwrap(), ledger.snapshot().digest().unwrap());
}

#[tokio::test]
async fn what_is_not_there_cannot_be_exported() {
    let store = MemoryStore::default();
    city(&store).await;
    let error = export(&store, Some(400), None, Vec::new()).await.unwrap_err();
    assert!(matches!(error, ArchiveError::Nothing { first: 400 }), "{error}");
    let error = export(&MemoryStore::default(), None, None, Vec::new()).await.unwrap_err();
    assert!(matches!(error, ArchiveError::Nothing { first: 1 }), "{error}");
}
