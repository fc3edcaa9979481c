//! Deaths before and after each change, as counted in a run without any: all in memory, a sample on real servers.
//!
//! `JIYUN_TEST_SEED` chooses the sample again that a failure has shown; `make bench ONLY=fault_points` explores all.

use std::io::Write as _;

use jiyun_lab::LedgerUser;
use jiyun_tests::{
    World,
    faults::{
        explore::{All, Choice, Explored, book_in_etcd, book_in_memory, controller},
        play::Play,
    },
};

use super::interrupted::dice::Dice;

/// SIGKILLs of the controller while hosts come and go, and while departments do: those take their time to go. Each run of the
/// suite throws its own dice, so what one leaves out comes in others.
const HOSTS: usize = 12;
const DEPARTMENTS: usize = 3;
/// And while people decide.
const ORDERS: usize = 7;
/// And while hosts are resized.
const RESIZED: usize = 5;
/// Deaths of the book's writer on a real etcd.
const IN_ETCD: usize = 24;

/// So many of them by chance.
struct Some {
    count: usize,
    dice: Dice,
}

impl Choice for Some {
    fn choose(&mut self, possible: usize) -> Vec<usize> {
        let mut left: Vec<usize> = (0..possible).collect();
        let mut draw = |_| left.swap_remove(usize::try_from(self.dice.below(left.len() as u64)).unwrap());
        (0..self.count.min(possible)).map(&mut draw).collect()
    }
}

/// Says how many of how many, also where the test passes and what it prints is not shown.
fn say(text: &str) {
    // Nobody may be listening.
    let _ = writeln!(std::io::stderr(), "fault points: {text}");
}

#[tokio::test]
async fn a_writer_that_dies_at_any_call_of_its_store_leaves_the_same_book() {
    let explored = book_in_memory(&mut All).await.unwrap();
    say(&format!("the book in memory: {explored}"));
    assert_eq!(explored.violations, [""; 0]);
    assert_eq!(explored.explored, explored.possible);
    assert!(explored.possible > 100, "{explored}");
}

#[tokio::test]
async fn a_writer_that_dies_on_a_real_etcd_leaves_the_same_book() {
    let dice = Dice::thrown();
    println!("{dice}");
    let client = World::shared().await.unwrap().lab.ledger_client(LedgerUser::Root).await.unwrap();
    let explored = book_in_etcd(&client, &mut Some { count: IN_ETCD, dice: dice.clone() }).await.unwrap();
    say(&format!("the book in etcd: {explored}; {dice}"));
    assert_eq!(explored.violations, [""; 0], "{dice}");
    assert_eq!(explored.explored, IN_ETCD, "{dice}");
}

/// Kills the controller at some points of some plays.
async fn killed(plays: &[Play], count: usize) -> (Explored, Dice) {
    let dice = Dice::thrown();
    println!("{plays:?}: {dice}");
    let mut some = Some { count, dice: dice.clone() };
    let started = std::time::Instant::now();
    let told = |number: usize, explored: &Explored| {
        let violation = explored.violations.last().map_or("", String::as_str);
        println!("death {} after {:.0?}: {explored} {violation}", number + 1, started.elapsed());
    };
    let explored = controller(plays, &mut some, told).await.unwrap();
    assert_eq!(explored.violations, [""; 0], "{dice}");
    (explored, dice)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_controller_killed_before_or_after_a_change_leaves_hosts_as_if_it_had_lived() {
    let (explored, dice) = killed(&[Play::Host, Play::Line], HOSTS).await;
    say(&format!("the controller while hosts come and go: {explored}; {dice}"));
    // What is written now and then may come at another moment than in the run it was counted in.
    assert!(explored.explored >= 9, "{dice}: {explored}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_controller_killed_before_or_after_a_change_leaves_orders_as_if_it_had_lived() {
    let (explored, dice) = killed(&[Play::Order], ORDERS).await;
    say(&format!("the controller while people decide: {explored}; {dice}"));
    assert!(explored.explored >= 5, "{dice}: {explored}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_controller_killed_before_or_after_a_change_leaves_resized_hosts_as_if_it_had_lived() {
    let (explored, dice) = killed(&[Play::Resize], RESIZED).await;
    say(&format!("the controller while hosts are resized: {explored}; {dice}"));
    assert!(explored.explored >= 4, "{dice}: {explored}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_controller_killed_before_or_after_a_change_leaves_a_department_as_if_it_had_lived() {
    let (explored, dice) = killed(&[Play::Department], DEPARTMENTS).await;
    say(&format!("the controller while a department comes and goes: {explored}; {dice}"));
    assert!(explored.explored >= 2, "{dice}: {explored}");
}
