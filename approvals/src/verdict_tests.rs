//! The transition table of an order's approval.

use jiff::ToSpan;
use proptest::prelude::*;

use super::*;

const DIGEST: &str = "sha256:1";
const UID: &str = "uid";

/// A Thursday; deadlines below are midnights in Beijing after working days.
fn start() -> Timestamp {
    "2026-11-26T02:00:00Z".parse().unwrap()
}

fn hours(hours: i64) -> Timestamp {
    start().checked_add(hours.hours()).unwrap()
}

fn level(name: &str, groups: &[&str], mode: ApprovalMode) -> RequiredLevel {
    RequiredLevel {
        name: name.into(),
        groups: groups.iter().map(ToString::to_string).collect(),
        mode,
        working_days: 2,
        remind_after: Some(1),
        escalate_to: Vec::new(),
    }
}

fn vote(user: &str, groups: &[&str], level: &str, at: Timestamp) -> Vote {
    Vote {
        approval: format!("{user}-{level}"),
        user: user.into(),
        groups: groups.iter().map(ToString::to_string).collect(),
        delegated: BTreeSet::new(),
        order_uid: UID.into(),
        digest: DIGEST.into(),
        level: level.into(),
        decision: ApprovalDecision::Approve,
        reason: String::new(),
        at,
    }
}

fn refusal(user: &str, groups: &[&str], level: &str, at: Timestamp) -> Vote {
    Vote { decision: ApprovalDecision::Refuse, reason: "太贵".into(), ..vote(user, groups, level, at) }
}

fn weighed(levels: &[RequiredLevel], votes: &[Vote], now: Timestamp) -> Weighed {
    let applicants = BTreeSet::from(["asker".to_owned(), "declared".to_owned()]);
    let case = Case { order_uid: UID, digest: DIGEST, levels, applicants: &applicants, since: start() };
    weigh(&case, votes, &Calendar::built_in().unwrap(), now).unwrap()
}

fn why(weighed: &Weighed) -> Vec<Ignored> {
    weighed.ignored.iter().map(|(_, why)| *why).collect()
}

fn turn(weighed: &Weighed) -> &Turn {
    match &weighed.outcome {
        Outcome::Open(turn) => turn,
        other => panic!("{other:?}"),
    }
}

#[test]
fn nobody_has_to_agree_to_what_asks_for_nobody() {
    assert_eq!(weighed(&[], &[], start()).outcome, Outcome::Approved { at: start() });
}

#[test]
fn levels_are_asked_one_after_the_other_and_each_has_its_own_time() {
    let levels = [level("leader", &["l"], ApprovalMode::Any), level("city", &["c"], ApprovalMode::Any)];
    let open = weighed(&levels, &[], hours(1));
    assert_eq!(turn(&open).level, "leader");
    // Thursday: Friday and Monday are its two days.
    assert_eq!(turn(&open).window.deadline, "2026-11-30T16:00:00Z".parse().unwrap());
    assert_eq!(turn(&open).window.remind_at, Some("2026-11-27T16:00:00Z".parse().unwrap()));
    let half = weighed(&levels, &[vote("li", &["l"], "leader", hours(24))], hours(25));
    assert_eq!((turn(&half).level.as_str(), turn(&half).since), ("city", hours(24)));
    let whole = [vote("li", &["l"], "leader", hours(24)), vote("wu", &["c"], "city", hours(26))];
    assert_eq!(weighed(&levels, &whole, hours(30)).outcome, Outcome::Approved { at: hours(26) });
}

#[test]
fn a_vote_before_its_turn_waits_for_it() {
    let levels = [level("leader", &["l"], ApprovalMode::Any), level("city", &["c"], ApprovalMode::Any)];
    let early = vote("wu", &["c"], "city", hours(1));
    assert_eq!(turn(&weighed(&levels, std::slice::from_ref(&early), hours(2))).level, "leader");
    let both = [early, vote("li", &["l"], "leader", hours(3))];
    assert_eq!(weighed(&levels, &both, hours(4)).outcome, Outcome::Approved { at: hours(3) });
    let refused_early = [refusal("wu", &["c"], "city", hours(1))];
    assert_eq!(turn(&weighed(&levels, &refused_early, hours(2))).level, "leader");
}

#[test]
fn one_refusal_ends_it_and_what_comes_after_does_not_count() {
    let levels = [level("leader", &["l"], ApprovalMode::All), level("city", &["c"], ApprovalMode::Any)];
    let votes = [
        refusal("li", &["l"], "leader", hours(1)),
        vote("he", &["l"], "leader", hours(2)),
        vote("wu", &["c"], "city", hours(3)),
    ];
    let weighed = weighed(&levels, &votes, hours(4));
    let refused = Outcome::Refused { user: "li".into(), level: "leader".into(), reason: "太贵".into() };
    assert_eq!(weighed.outcome, refused);
    assert_eq!(why(&weighed), [Ignored::AlreadyDecided, Ignored::AlreadyDecided]);
}

#[test]
fn who_asks_does_not_decide_under_either_name() {
    let levels = [level("leader", &["l"], ApprovalMode::Any)];
    let votes = [vote("asker", &["l"], "leader", hours(1)), vote("declared", &["l"], "leader", hours(1))];
    let weighed = weighed(&levels, &votes, hours(2));
    assert_eq!(turn(&weighed).level, "leader");
    assert_eq!(why(&weighed), [Ignored::OwnRequest, Ignored::OwnRequest]);
}

#[test]
fn one_person_decides_once_though_two_levels_would_take_them() {
    let levels = [level("leader", &["l"], ApprovalMode::Any), level("city", &["c"], ApprovalMode::Any)];
    let votes = [vote("li", &["l", "c"], "leader", hours(1)), vote("li", &["l", "c"], "city", hours(2))];
    let weighed = weighed(&levels, &votes, hours(3));
    assert_eq!(turn(&weighed).level, "city");
    assert_eq!(why(&weighed), [Ignored::DecidedBefore]);
}

#[test]
fn a_vote_about_something_else_or_by_nobody_entitled_does_not_count() {
    let levels = [level("leader", &["l"], ApprovalMode::Any)];
    let at = hours(1);
    let votes = [
        Vote { order_uid: "another".into(), ..vote("a", &["l"], "leader", at) },
        Vote { digest: "sha256:2".into(), ..vote("b", &["l"], "leader", at) },
        vote("c", &["l"], "nowhere", at),
        vote("d", &["other"], "leader", at),
    ];
    let weighed = weighed(&levels, &votes, hours(2));
    assert_eq!(turn(&weighed).level, "leader");
    let mut reasons = why(&weighed);
    reasons.sort();
    let expected = [Ignored::OtherOrder, Ignored::OtherDigest, Ignored::NoSuchLevel, Ignored::NotEntitled];
    assert_eq!(reasons, expected);
}

#[test]
fn all_means_one_person_for_each_group_and_nobody_stands_for_two() {
    let levels = [level("joint", &["a", "b"], ApprovalMode::All)];
    let both = vote("li", &["a", "b"], "joint", hours(1));
    assert_eq!(turn(&weighed(&levels, std::slice::from_ref(&both), hours(2))).level, "joint");
    let second = vote("wu", &["a"], "joint", hours(3));
    // Li stands for b, though a came first.
    assert_eq!(weighed(&levels, &[both, second], hours(4)).outcome, Outcome::Approved { at: hours(3) });
    let same_side = [vote("x", &["a"], "joint", hours(1)), vote("y", &["a"], "joint", hours(2))];
    assert_eq!(turn(&weighed(&levels, &same_side, hours(4))).level, "joint");
}

#[test]
fn after_its_deadline_an_order_expires_and_later_votes_are_too_late() {
    let levels = [level("leader", &["l"], ApprovalMode::Any)];
    let end: Timestamp = "2026-11-30T16:00:00Z".parse().unwrap();
    let before = end.checked_sub(1.second()).unwrap();
    assert_eq!(turn(&weighed(&levels, &[], before)).level, "leader");
    let expired = Outcome::Expired { level: "leader".into(), at: end };
    assert_eq!(weighed(&levels, &[], end).outcome, expired);
    let late = weighed(&levels, &[vote("li", &["l"], "leader", end)], end);
    assert_eq!((late.outcome.clone(), why(&late)), (expired, vec![Ignored::TooLate]));
    let in_time = weighed(&levels, &[vote("li", &["l"], "leader", before)], end);
    assert_eq!(in_time.outcome, Outcome::Approved { at: before });
}

#[test]
fn who_may_step_in_may_do_so_after_the_deadline_only_and_has_as_long_again() {
    let mut levels = [level("leader", &["l"], ApprovalMode::Any)];
    levels[0].escalate_to = vec!["deputies".into()];
    let deadline: Timestamp = "2026-11-30T16:00:00Z".parse().unwrap();
    let early = weighed(&levels, &[vote("wu", &["deputies"], "leader", hours(1))], hours(2));
    assert_eq!(why(&early), [Ignored::NotEntitled]);
    let open = weighed(&levels, &[], deadline);
    assert_eq!(turn(&open).window.end, "2026-12-02T16:00:00Z".parse().unwrap());
    let stepped_in = weighed(&levels, &[vote("wu", &["deputies"], "leader", deadline)], deadline);
    assert_eq!(stepped_in.outcome, Outcome::Approved { at: deadline });
}

#[test]
fn the_next_look_is_at_the_next_moment_something_changes() {
    let open = weighed(&[level("leader", &["l"], ApprovalMode::Any)], &[], start());
    let turn = turn(&open);
    assert_eq!(turn.next(start()), turn.window.remind_at);
    assert_eq!(turn.next(turn.window.remind_at.unwrap()), Some(turn.window.end));
    assert_eq!(turn.next(turn.window.end), None);
}

fn any_vote() -> impl Strategy<Value = Vote> {
    let groups = proptest::collection::btree_set(prop_oneof!["a", "b", "c"], 0..3);
    let names = prop_oneof!["asker", "u1", "u2", "u3", "u4"];
    let level = prop_oneof!["one", "two", "none"];
    (names, groups, level, any::<bool>(), 0_i64..200, any::<u16>()).prop_map(|(user, groups, level, yes, at, id)| {
        let decision = if yes { ApprovalDecision::Approve } else { ApprovalDecision::Refuse };
        let approval = format!("v{id}");
        let groups = groups.into_iter().collect();
        Vote { approval, groups, decision, ..vote(&user, &[], &level, hours(at)) }
    })
}

/// A vote of somebody who acts for these groups besides.
fn acting(delegated: &[&str], vote: Vote) -> Vote {
    Vote { delegated: delegated.iter().map(ToString::to_string).collect(), ..vote }
}

fn on_behalf_of(weighed: &Weighed) -> Vec<Vec<&str>> {
    weighed.decisions.iter().map(|decision| decision.on_behalf_of.iter().map(String::as_str).collect()).collect()
}

#[test]
fn a_decision_by_delegation_counts_and_names_the_groups_it_was_made_for() {
    let levels = [level("leader", &["l", "m"], ApprovalMode::Any)];
    let by_delegation = acting(&["m", "elsewhere"], vote("deputy", &["staff"], "leader", hours(1)));
    let weighed = self::weighed(&levels, &[by_delegation], hours(2));
    assert_eq!(weighed.outcome, Outcome::Approved { at: hours(1) });
    assert_eq!(on_behalf_of(&weighed), [["m"]]);
    let other = acting(&["elsewhere"], vote("deputy", &["staff"], "leader", hours(1)));
    assert_eq!(why(&self::weighed(&levels, &[other], hours(2))), [Ignored::NotEntitled]);
}

#[test]
fn whoever_may_decide_anyway_decides_in_their_own_right() {
    let any = [level("leader", &["l", "m"], ApprovalMode::Any)];
    let both = acting(&["l", "m"], vote("a", &["l"], "leader", hours(1)));
    assert_eq!(on_behalf_of(&weighed(&any, std::slice::from_ref(&both), hours(2))), [[""; 0]]);
    // Where each group has to agree, they may be the one who stands for the other.
    let all = [level("leader", &["l", "m"], ApprovalMode::All)];
    let weighed = weighed(&all, &[both, vote("b", &["l"], "leader", hours(2))], hours(3));
    assert_eq!(weighed.outcome, Outcome::Approved { at: hours(2) });
    assert_eq!(on_behalf_of(&weighed), [vec!["m"], vec![]]);
}

#[test]
fn whoever_steps_in_for_a_group_on_leave_names_that_group_once_its_turn_has_come() {
    let levels = [RequiredLevel { escalate_to: vec!["deputies".into()], ..level("leader", &["l"], ApprovalMode::Any) }];
    let early = acting(&["deputies"], vote("d", &[], "leader", hours(1)));
    assert_eq!(why(&weighed(&levels, std::slice::from_ref(&early), hours(2))), [Ignored::NotEntitled]);
    let late = Vote { at: hours(24 * 5), ..early };
    assert_eq!(on_behalf_of(&weighed(&levels, &[late], hours(24 * 5 + 1))), [["deputies"]]);
}

proptest! {
    /// Whatever comes in: no approval without enough different people, none of them an applicant; each vote counted once
    /// or told why not; and the order in which votes arrive makes no difference.
    #[test]
    fn no_set_of_votes_approves_without_the_people_it_takes(votes in proptest::collection::vec(any_vote(), 0..12), now in 0_i64..300) {
        let levels = [level("one", &["a"], ApprovalMode::Any), level("two", &["b", "c"], ApprovalMode::All)];
        let first = weighed(&levels, &votes, hours(now));
        let mut reversed = votes.clone();
        reversed.reverse();
        let again = weighed(&levels, &reversed, hours(now));
        let distinct: BTreeSet<_> = votes.iter().map(|vote| &vote.approval).collect();
        if distinct.len() == votes.len() {
            prop_assert_eq!(&first, &again);
        }
        let people: BTreeSet<_> = first.decisions.iter().map(|decision| decision.user.as_str()).collect();
        prop_assert_eq!(people.len(), first.decisions.len());
        prop_assert!(!people.contains("asker"));
        if matches!(first.outcome, Outcome::Approved { .. }) {
            prop_assert!(people.len() >= 3);
            prop_assert!(first.decisions.iter().all(|decision| decision.decision == ApprovalDecision::Approve));
        }
        prop_assert!(first.decisions.len() + first.ignored.len() <= votes.len());
    }
}
