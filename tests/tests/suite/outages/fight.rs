//! Three controllers fight for the lead while each leader is killed or frozen in turn.

use jiyun_lab::{ControllerOptions, Exit, Guest};
use jiyun_tests::{
    WorldError,
    faults::lead::{leader, take_lead},
    world::{PATIENCE, Quota},
};

use super::{
    super::interrupted::dice::Dice, DEPARTMENT, all_gone, all_granted_once, close, end, named, order_all, world,
};

/// Leaders that fall, and orders for each.
const ROUNDS: usize = 6;
const ORDERS: usize = 3;
/// Of those of each round, so many are ended again in the next.
const ENDED: usize = 1;

/// How a leader falls.
#[derive(Clone, Copy, Debug)]
enum Fall {
    /// SIGKILL, and the next begins at once.
    Killed,
    /// SIGKILL, and its lease runs out.
    KilledAndWaitedFor,
    /// SIGSTOP until another leads.
    Frozen,
}

#[tokio::test]
async fn of_three_controllers_whose_leaders_fall_in_turn_none_grants_anything_twice() -> Result<(), WorldError> {
    let mut dice = Dice::thrown();
    println!("{dice}");
    let world = world().await?;
    // What is ended is free again only when it is gone, which may be after the next orders.
    let bureau = world.named_department(DEPARTMENT, Quota::cores(2 * (ROUNDS * ORDERS) as u64)).await?;
    let mut others = Vec::new();
    for name in ["second", "third"] {
        let options = ControllerOptions { name: name.into(), ..ControllerOptions::default() };
        let guest = world.lab.spawn_controller(options).await?;
        guest.wait_until_healthy("/readyz", PATIENCE).await?;
        others.push(guest);
    }
    let all: Vec<&Guest> = others.iter().chain([&world.controller]).collect();

    let mut hosts: Vec<String> = Vec::new();
    let first = usize::try_from(dice.below(3)).unwrap();
    for round in 0..ROUNDS {
        let fallen = leader(&world, &all).await?;
        // Each kind at least twice, in any order.
        let fall = [Fall::Killed, Fall::Frozen, Fall::KilledAndWaitedFor][(round + first) % 3];
        let ended: Vec<String> = hosts.iter().rev().take(if round == 0 { 0 } else { ENDED }).cloned().collect();
        let ordering = order_all(&world.lab, named(&format!("round-{round}"), ORDERS));
        let ending = futures::future::join_all(ended.iter().map(|host| end(&world.lab, host)));
        let moment = std::time::Duration::from_millis(dice.below(600));
        let falling = async {
            tokio::time::sleep(moment).await;
            match fall {
                Fall::Killed | Fall::KilledAndWaitedFor => drop(fallen.kill().await),
                Fall::Frozen => fallen.pause(),
            }
        };
        let (ordered, _, ()) = tokio::join!(ordering, ending, falling);
        hosts.retain(|host| !ended.contains(host));
        hosts.extend(ordered);
        if matches!(fall, Fall::Killed) {
            take_lead(&world.lab).await?;
        }
        let living: Vec<&Guest> =
            all.iter().copied().filter(|guest| guest.process().pid() != fallen.process().pid()).collect();
        leader(&world, &living).await?;
        if matches!(fall, Fall::Frozen) {
            fallen.resume();
            let exit = tokio::time::timeout(PATIENCE, fallen.process().wait()).await;
            assert_eq!(exit.ok(), Some(Exit::Code(1)), "{dice}, round {round}: {}", fallen.tail(20));
        }
        fallen.restart().await?;
        fallen.wait_until_healthy("/readyz", PATIENCE).await?;
    }
    all_granted_once(&bureau, &hosts).await;
    all_gone(&bureau, &hosts).await;
    drop(others);
    close(world).await
}
