//! A sound book, changed in one place: each change is found, and by the rule that it breaks.

use jiyun_audit::{Expected, Rule, audit};
use jiyun_ledger::{Command, Meter};
use serde_json::{Value, json};

use crate::city::{Book, account, assert_clean, audited, compute, cores, host, prices, storage};

/// A town: tax and court below the city with floors, the school beside it; one that waits, eight that pass.
fn town() -> Book {
    let mut book = Book::open("2026-11-01T00:00:00Z");
    let mut pool = compute("c1", "east", 100);
    pool.reserve.insert(Meter::Vcpu, 10);
    book.set(&Command::SetPool(pool));
    book.set(&Command::SetPool(storage("s1", "east", 1000)));
    book.set(&Command::SetAccount(cores("city", None, Some(70), 20)));
    book.set(&Command::SetAccount(cores("tax", Some("city"), Some(40), 10)));
    book.set(&Command::SetAccount(account("court", Some("city"), Vec::new())));
    book.set(&Command::SetAccount(account("school", None, Vec::new())));
    book.set(&Command::SetPrices(prices("first", "2026-11-01T00:00:00Z", 45)));
    let lineage = book.state.peer().unwrap().lineage.clone();
    book.set(&Command::MarkPeer(lineage, 500));

    let tax = book.grant(&host("tax", "a", 10, 0));
    book.until("2026-11-01T00:01:00Z").set(&Command::Billable(tax));
    let court = book.grant(&host("court", "b", 20, 100));
    book.until("2026-11-01T00:02:00Z").set(&Command::Billable(court));
    let mut held = host("school", "c", 5, 0);
    held.hold_until = Some(crate::city::at("2026-11-02T00:00:00Z"));
    book.grant(&held);
    book.until("2026-11-01T12:00:00Z").set(&Command::End(court));
    book.set(&Command::Release(court));
    // The hold of `c` ends by its deadline, with the next decision.
    let school = book.until("2026-11-02T00:00:00Z").grant(&host("school", "d", 40, 0));
    let mut waits = host("school", "large", 50, 0);
    waits.wait = true;
    assert_eq!(book.ask(&waits), None);
    for number in 0..8 {
        book.grant(&host("school", &format!("small-{number}"), 1, 0));
    }
    book.until("2026-12-03T00:00:00Z").set(&Command::End(school));
    book.set(&Command::Release(school));
    book.grant(&waits);
    book
}

/// The book as it was exported, one value a line.
struct Export {
    entries: Vec<Value>,
}

impl Export {
    /// The first event of this type that `is` fits, by entry and place in it.
    fn find(&self, kind: &str, is: impl Fn(&Value) -> bool) -> (usize, usize) {
        let places = self.entries.iter().enumerate().flat_map(|(entry, value)| {
            value["events"].as_array().unwrap().iter().enumerate().map(move |(place, event)| (entry, place, event))
        });
        let found = places.into_iter().find(|(_, _, event)| event["type"] == kind && is(event));
        let (entry, place, _) = found.unwrap_or_else(|| panic!("no {kind}"));
        (entry, place)
    }

    fn event(&mut self, kind: &str, is: impl Fn(&Value) -> bool) -> &mut Value {
        let (entry, place) = self.find(kind, is);
        &mut self.entries[entry]["events"][place]
    }

    fn granted(&mut self, uid: &str) -> &mut Value {
        &mut self.event("ClaimGranted", |event| event["claim"]["subject"]["uid"] == uid)["claim"]
    }

    /// Gives the claim of `uid` another quantity of cores.
    fn set_cores(&mut self, uid: &str, quantity: u64) {
        let lines = self.granted(uid)["lines"].as_array_mut().unwrap();
        let line = lines.iter_mut().find(|line| line["meter"] == "Vcpu").unwrap();
        line["quantity"] = quantity.into();
    }

    /// Puts something in its place that changes nothing.
    fn hide(&mut self, kind: &str, is: impl Fn(&Value) -> bool) {
        *self.event(kind, is) = json!({ "type": "PeerMarked", "lineage": "hub", "highWater": 500 });
    }

    fn append(&mut self, event: Value) {
        self.append_all(&[event]);
    }

    fn append_all(&mut self, events: &[Value]) {
        let last = self.entries.last().unwrap();
        let (seq, at, epoch) = (last["seq"].as_u64().unwrap() + 1, last["at"].clone(), last["epoch"].clone());
        self.entries.push(json!({ "seq": seq, "at": at, "epoch": epoch, "events": events }));
    }

    /// A grant that would be in order at the end: one core for the school.
    fn another(&mut self, uid: &str) -> Value {
        let mut claim = self.granted("small-0").clone();
        claim["id"] = 100.into();
        claim["subject"]["uid"] = uid.into();
        claim["subject"]["name"] = format!("host-{uid}").into();
        claim["reservedAt"] = self.entries.last().unwrap()["at"].clone();
        json!({ "type": "ClaimGranted", "claim": claim })
    }

    fn account(&mut self, name: &str) -> Value {
        self.event("AccountSet", |event| event["account"]["id"] == name).clone()
    }

    fn pool(&mut self, name: &str) -> Value {
        self.event("PoolSet", |event| event["pool"]["id"] == name).clone()
    }

    fn prices(&mut self) -> Value {
        self.event("PricesSet", |_| true).clone()
    }

    fn lines(&self) -> Vec<String> {
        self.entries.iter().map(ToString::to_string).collect()
    }
}

fn export() -> Export {
    let lines = town().lines();
    Export { entries: lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect() }
}

#[test]
fn the_book_before_it_is_changed_is_clean() {
    assert_clean(&export().lines());
    // And stays so with a grant appended, which several changes build on.
    let mut export = export();
    let another = export.another("z");
    export.append(another);
    assert_clean(&export.lines());
}

/// Changes the book and checks that the rule that is broken is told, and told first.
fn check(rule: Rule, change: impl FnOnce(&mut Export)) {
    let mut export = export();
    change(&mut export);
    let findings = audited(&export.lines()).findings;
    let told: Vec<_> = findings.iter().map(ToString::to_string).collect();
    let named = findings.first().is_some_and(|finding| finding.rule == rule)
        // Usage is measured at the end, after whatever else an entry breaks.
        || rule == Rule::Usage && findings.last().is_some_and(|finding| finding.rule == rule);
    assert!(named, "{rule} was to be found:\n{}", told.join("\n"));
}

macro_rules! corruptions {
    ($($name:ident => $rule:ident, $change:expr;)*) => {
        $(#[test]
        fn $name() {
            check(Rule::$rule, $change);
        })*

        #[test]
        fn every_rule_has_a_corruption_that_breaks_it() {
            let covered = [$(Rule::$rule),*];
            let all = [
                Rule::Capacity, Rule::Limit, Rule::Floor, Rule::End, Rule::Usage, Rule::Prices, Rule::Format,
                Rule::Sequence, Rule::Time, Rule::Epoch, Rule::Opening, Rule::ClaimNumber, Rule::LifeCycle, Rule::Line,
                Rule::Subject, Rule::Quarantine, Rule::Account, Rule::ClosedAccount, Rule::Pool, Rule::ClosedPool,
                Rule::Queue, Rule::Transfer, Rule::Peer,
            ];
            assert!(covered.len() >= 20);
            for rule in all {
                assert!(covered.contains(&rule), "{rule}");
            }
        }
    };
}

corruptions! {
    an_entry_is_dropped => Sequence, |book| drop(book.entries.remove(9));
    two_entries_are_swapped => Sequence, |book| book.entries.swap(9, 10);
    an_entry_comes_twice => Sequence, |book| book.entries.insert(10, book.entries[9].clone());
    the_beginning_is_cut_off => Sequence, |book| drop(book.entries.drain(..4));
    time_goes_back => Time, |book| book.entries[12]["at"] = "2026-10-31T00:00:00Z".into();
    a_leadership_comes_back => Epoch, |book| book.entries[12]["epoch"] = 6.into();
    the_book_is_opened_twice => Opening, |book| {
        book.append(json!({ "type": "Opened", "lineage": "book", "peerLineage": "hub" }));
    };
    the_book_is_never_opened => Opening, |book| book.hide("Opened", |_| true);
    an_event_is_of_an_unknown_type => Format, |book| book.append(json!({ "type": "ClaimForgiven", "claim": 1 }));
    an_entry_cannot_be_read => Format, |book| book.entries[12] = json!({ "seq": 13, "at": "yesterday" });
    a_claim_has_the_number_of_another => ClaimNumber, |book| book.granted("d")["id"] = 1.into();
    an_object_has_two_claims => Subject, |book| book.granted("d")["subject"]["uid"] = "a".into();
    more_is_granted_than_the_pool_has => Capacity, |book| book.set_cores("d", 91);
    the_reserve_is_given_out => Capacity, |book| book.set_cores("d", 85);
    more_is_granted_than_the_limit => Limit, |book| book.set_cores("a", 45);
    more_is_granted_than_a_limit_above => Limit, |book| book.set_cores("b", 65);
    a_limit_of_one_kind_is_passed_within_a_floor_of_any_kind_below => Limit, |book| {
        let city = book.event("AccountSet", |event| event["account"]["id"] == "city");
        city["account"]["limits"].as_array_mut().unwrap().push(json!({
            "meter": "Vcpu", "dimensions": { "architecture": "amd64" }, "limit": 9,
        }));
    };
    a_floor_of_others_is_eaten => Floor, |book| book.set_cores("d", 75);
    a_held_quantity_is_changed => Line, |book| book.granted("c")["held"][1]["quantity"] = 1.into();
    a_line_lies_in_an_unknown_pool => Line, |book| book.granted("d")["lines"][0]["pool"] = "c9".into();
    a_disk_lies_in_a_compute_pool => Line, |book| book.granted("b")["lines"][3]["pool"] = "c1".into();
    a_claim_is_released_without_its_end => End, |book| book.hide("ClaimEnding", |_| true);
    a_hold_is_kept_past_its_deadline => End, |book| book.hide("HoldEnded", |_| true);
    a_hold_is_granted_after_its_deadline => End, |book| {
        *book.event("HoldEnded", |_| true) = json!({ "type": "HoldConfirmed", "claim": 3 });
    };
    a_hold_is_ended_before_its_deadline => End, |book| {
        let (entry, _) = book.find("ClaimEnding", |_| true);
        book.entries[entry]["events"] = json!([{ "type": "HoldEnded", "claim": 3, "why": "Expired" }]);
    };
    a_claim_is_billed_twice => LifeCycle, |book| {
        book.append(json!({ "type": "ClaimBillable", "claim": 1 }));
    };
    a_claim_is_changed_after_its_release => LifeCycle, |book| {
        let lines = book.granted("b")["lines"].clone();
        book.append(json!({
            "type": "ClaimAmended", "claim": 2, "item": "x", "lines": lines, "specDigest": "x", "approvedSpec": {},
        }));
    };
    a_claim_is_dated_back => Usage, |book| book.granted("d")["reservedAt"] = "2026-11-01T18:00:00Z".into();
    a_claim_is_dated_forward => Usage, |book| book.granted("d")["reservedAt"] = "2026-11-02T00:00:01Z".into();
    a_price_book_is_changed => Prices, |book| {
        let mut prices = book.prices();
        prices["book"]["rates"][0]["price"] = "46".into();
        book.append(prices);
    };
    a_price_book_reprices_what_was_used => Prices, |book| {
        let mut prices = book.prices();
        prices["book"]["id"] = "second".into();
        prices["book"]["validFrom"] = "2026-11-01T06:00:00Z".into();
        book.append(prices);
    };
    an_account_lies_below_itself => Account, |book| {
        let mut city = book.account("city");
        city["account"]["parent"] = "tax".into();
        book.append(city);
    };
    a_floor_is_above_that_of_the_account_above => Account, |book| {
        let mut tax = book.account("tax");
        tax["account"]["limits"][0]["guaranteed"] = 30.into();
        book.append(tax);
    };
    a_floor_is_above_its_ceiling => Account, |book| {
        let mut city = book.account("city");
        city["account"]["limits"][0]["guaranteed"] = 71.into();
        book.append(city);
    };
    a_closed_account_grows => ClosedAccount, |book| {
        let mut school = book.account("school");
        school["account"]["state"] = "Closed".into();
        book.append(school);
        let another = book.another("z");
        book.append(another);
    };
    a_closed_account_is_handed_a_claim => ClosedAccount, |book| {
        let mut school = book.account("school");
        school["account"]["state"] = "Closed".into();
        let mut handed = book.granted("a")["subject"].clone();
        handed["namespace"] = "dept-school".into();
        handed["uid"] = "a-school".into();
        let id = book.granted("a")["id"].clone();
        book.append_all(&[school, json!({
            "type": "ClaimTransferred", "claim": id, "account": "school", "system": "filing", "subject": handed,
            "engineNamespace": "engine-tax",
        })]);
    };
    a_pool_moves_to_another_site => Pool, |book| {
        let mut pool = book.pool("c1");
        pool["pool"]["site"] = "west".into();
        book.append(pool);
    };
    a_drained_pool_takes_a_claim => ClosedPool, |book| {
        let mut pool = book.pool("c1");
        pool["pool"]["state"] = "Draining".into();
        book.append(pool);
        let another = book.another("z");
        book.append(another);
    };
    two_objects_of_one_name_hold_claims => Subject, |book| {
        let name = book.granted("a")["subject"]["name"].clone();
        book.granted("d")["subject"]["namespace"] = "dept-tax".into();
        book.granted("d")["subject"]["name"] = name;
    };
    a_claim_is_granted_in_quarantine => Quarantine, |book| {
        let another = book.another("z");
        book.append_all(&[json!({ "type": "Quarantined", "reason": "a store went back" }), another]);
    };
    a_claim_is_adopted_outside_a_quarantine => Quarantine, |book| {
        let mut another = book.another("z");
        another["type"] = "ClaimAdopted".into();
        book.append(another);
    };
    a_claim_is_held_in_quarantine => Quarantine, |book| {
        let mut another = book.another("z");
        another["claim"]["held"] = another["claim"]["lines"].take();
        another["claim"]["lines"] = json!([]);
        another["claim"]["hold"] = json!({
            "until": "2027-01-01T00:00:00Z", "item": "x", "lines": another["claim"]["held"], "specDigest": "x",
            "approvedSpec": {},
        });
        book.append_all(&[json!({ "type": "Quarantined", "reason": "a store went back" }), another]);
    };
    a_request_is_passed_nine_times => Queue, |book| {
        let (entry, _) = book.find("ClaimEnding", |event| event["claim"] == 4);
        let mut nine = book.another("ninth");
        nine["claim"]["reservedAt"] = book.entries[entry]["at"].clone();
        let passed = json!({ "type": "RequestsOvertaken", "tickets": [1] });
        let rest = book.entries[entry]["events"].as_array_mut().unwrap();
        rest.splice(0..0, [nine, passed]);
    };
    an_overtaking_is_not_recorded => Queue, |book| {
        let (entry, place) = book.find("RequestsOvertaken", |_| true);
        book.entries[entry]["events"].as_array_mut().unwrap().remove(place);
    };
    a_granted_request_stays_in_line => Queue, |book| {
        let (entry, place) = book.find("RequestUnqueued", |_| true);
        book.entries[entry]["events"].as_array_mut().unwrap().remove(place);
    };
    a_ticket_is_given_twice => Queue, |book| {
        let mut again = book.event("RequestQueued", |_| true).clone();
        again["request"]["subject"]["uid"] = "other".into();
        book.append(again);
    };
    a_claim_that_has_ended_is_handed_over => Transfer, |book| {
        let (entry, _) = book.find("ClaimReleased", |event| event["claim"] == 2);
        let subject = book.granted("b")["subject"].clone();
        book.entries[entry]["events"].as_array_mut().unwrap().insert(0, json!({
            "type": "ClaimTransferred", "claim": 2, "account": "tax", "system": "x", "subject": subject,
            "engineNamespace": "x",
        }));
    };
    the_mark_of_the_other_store_goes_back => Peer, |book| {
        book.append(json!({ "type": "PeerMarked", "lineage": "hub", "highWater": 499 }));
    };
}

/// What an operator adopts is no finding, but it is listed.
#[test]
fn a_claim_that_is_adopted_in_quarantine_is_listed() {
    let mut export = export();
    let mut another = export.another("z");
    another["type"] = "ClaimAdopted".into();
    export.append_all(&[json!({ "type": "Quarantined", "reason": "a store went back" }), another]);
    assert_clean(&export.lines());
    assert_eq!(audited(&export.lines()).looked.adopted, [100]);
}

/// Less billed than was used leaves no trace within the book; a fingerprint kept elsewhere does.
#[test]
fn a_quantity_that_is_quietly_lowered_is_found_by_a_fingerprint_kept_earlier() {
    let mut export = export();
    let kept = audited(&export.lines());
    export.set_cores("a", 9);
    let lines = export.lines();
    assert_clean(&lines);
    let expected = Some(Expected { seq: kept.looked.seq, fingerprint: kept.fingerprint });
    let findings = audit(lines.iter().map(String::as_str), expected).findings;
    assert_eq!(findings.iter().map(|finding| finding.rule).collect::<Vec<_>>(), [Rule::Replay]);
}
