//! One name, again and again: each object of it is another host with a claim of its own.

use std::collections::BTreeSet;

use jiyun_tests::{
    WorldError,
    faults::lead::take_lead,
    world::{Bureau, Quota},
};

use super::{super::interrupted::dice::Dice, DEPARTMENT, all_gone, all_granted_once, close, end, order, world};

const ROUNDS: usize = 5;

async fn uid(bureau: &Bureau<'_>) -> Result<String, WorldError> {
    Ok(bureau.wait_ready("web").await?.metadata.uid.unwrap_or_default())
}

#[tokio::test]
async fn a_host_made_again_under_its_old_name_while_the_leader_dies_has_a_claim_of_its_own() -> Result<(), WorldError> {
    let mut dice = Dice::thrown();
    println!("{dice}");
    let world = world().await?;
    // Room for one: the old one's claim must be gone before the new one is granted.
    let bureau = world.named_department(DEPARTMENT, Quota::cores(2)).await?;
    let mut uids = BTreeSet::new();
    order(&world.lab, "web").await;
    uids.insert(uid(&bureau).await?);
    for _ in 0..ROUNDS {
        let again = async {
            end(&world.lab, "web").await;
            bureau.wait_gone("web").await.unwrap();
            order(&world.lab, "web").await;
        };
        let moment = std::time::Duration::from_millis(dice.below(800));
        let death = async {
            tokio::time::sleep(moment).await;
            world.controller.kill().await;
            take_lead(&world.lab).await.unwrap();
            world.controller.restart().await.unwrap();
        };
        tokio::join!(again, death);
        uids.insert(uid(&bureau).await?);
    }
    assert_eq!(uids.len(), ROUNDS + 1, "{dice}");
    all_granted_once(&bureau, &["web".to_owned()]).await;
    let book = jiyun_tests::faults::book(&world).await.unwrap();
    let claimed: Vec<_> = book.claims().map(|claim| claim.subject.uid.clone()).collect();
    assert_eq!(claimed.len(), uids.len(), "each object had one claim: {claimed:?}; {dice}");
    assert_eq!(claimed.into_iter().collect::<BTreeSet<_>>(), uids, "{dice}");
    all_gone(&bureau, &["web".to_owned()]).await;
    close(world).await
}
