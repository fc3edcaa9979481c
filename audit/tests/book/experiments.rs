//! Scratch.
use jiyun_ledger::*;
use crate::city::*;

#[test]
fn b1_specific_limit_bypassed() {
    let mut book = Book::open("2026-11-01T00:00:00Z");
    book.set(&Command::SetPool(compute("c1", "east", 100)));
    let amd = Dimensions { architecture: Some("amd64".into()), ..Default::default() };
    book.set(&Command::SetAccount(account("county", None, vec![limit(Meter::Vcpu, Dimensions::default(), None, 20), limit(Meter::Vcpu, amd, Some(10), 0)])));
    book.set(&Command::SetAccount(cores("tax", Some("county"), None, 20)));
    println!("{:?}", book.ask(&host("tax", "a", 15, 0)));
    for f in audited(&book.lines()).findings { println!("{f}"); }
}
#[test]
fn b2_keep_leaves_line() {
    let mut book = Book::open("2026-11-01T00:00:00Z");
    book.set(&Command::SetPool(compute("c1", "east", 20)));
    book.set(&Command::SetAccount(cores("tax", None, None, 0)));
    book.set(&Command::SetAccount(cores("court", None, None, 0)));
    book.grant(&host("tax", "a", 2, 0));
    let mut more = host("tax", "a", 20, 0); more.wait = true;
    book.grant(&host("court", "b", 8, 0));
    println!("{:?}", book.ask(&more));
    println!("back: {:?}", book.ask(&host("tax", "a", 2, 0)));
    println!("waiting {:?}", book.state.waiting().count());
    for n in 0..10 { println!("{n} {:?}", book.ask(&host("court", &format!("s{n}"), 1, 0))); }
    let id = book.state.claim_of_subject("a").unwrap().id;
    book.set(&Command::End(id)); book.set(&Command::Release(id));
    println!("after release waiting {:?} {:?}", book.state.waiting().count(), book.ask(&host("court", "after", 1, 0)));
}
#[test]
fn b3_rebind_leaves_ticket() {
    let mut book = Book::open("2026-11-01T00:00:00Z");
    book.set(&Command::SetPool(compute("c1", "east", 20)));
    book.set(&Command::SetAccount(cores("tax", None, None, 0)));
    let a = book.grant(&host("tax", "a", 2, 0));
    book.grant(&host("tax", "b", 18, 0));
    let mut more = host("tax", "a", 10, 0); more.wait = true;
    println!("{:?}", book.ask(&more));
    book.set(&Command::Rebind(a, "a2".into()));
    let mut more = host("tax", "a2", 10, 0); more.wait = true;
    println!("{:?} waiting {}", book.ask(&more), book.state.waiting().count());
}
#[test]
fn b9_past_statement_changes() {
    let mut book = Book::open("2026-11-01T00:00:00Z");
    book.set(&Command::SetPool(compute("c1", "east", 20)));
    book.set(&Command::SetPrices(prices("p", "2026-10-01T00:00:00Z", 45)));
    book.set(&Command::SetAccount(cores("tax", None, None, 0)));
    book.set(&Command::SetAccount(cores("court", None, None, 0)));
    let a = book.grant(&host("tax", "a", 2, 0));
    book.set(&Command::Billable(a));
    book.until("2026-12-05T00:00:00Z");
    let november = |book: &Book| statement(&book.state, &"tax".into(), "2026-11".parse().unwrap(), book.now).unwrap().lines;
    let before = november(&book);
    let subject = Subject { kind: "CloudHost".into(), namespace: "dept-court".into(), name: "renamed".into(), uid: "a9".into() };
    book.set(&Command::Transfer(Box::new(Transfer { claim: a, account: "court".into(), system: "s".into(), subject, engine_namespace: "e".into() })));
    let after = november(&book);
    println!("{}", before == after);
    for l in before.iter().chain(&after) { println!("{} {} {} {}", l.resource, l.system, l.meter, l.amount); }
}
