//! Constants the audit has of its own are those of the writer and of the documents.

use jiyun_audit::MOST_OVERTAKINGS;

#[test]
fn nobody_is_passed_more_often_than_the_documents_say() {
    assert_eq!(MOST_OVERTAKINGS, jiyun_ledger::MAX_OVERTAKINGS);
    let guide = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/ledger.md")).unwrap();
    assert!(guide.contains(&format!("passed at most **{MOST_OVERTAKINGS}** times")), "docs/ledger.md names no number");
}
