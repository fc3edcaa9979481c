//! The demo's own story, told while programs are killed at every step of it: it ends as if nobody had been killed.

pub(super) mod book;
pub(super) mod dice;
mod ending;
mod gaps;
pub(super) mod hold;
mod meddler;
pub(super) mod program;

use std::{sync::Arc, time::Duration};

use jiyun_lab::{Lab, Profile, simulate::Pace, wait_for};
use jiyun_ledger::ClaimStage;
use jiyun_tests::{
    World, WorldError, city,
    demo::{self, Audience, Beat, DemoError, DemoOptions, Prompter, Stage},
    world::PATIENCE,
};
use tokio::sync::watch;

use self::{
    book::Book,
    dice::Dice,
    ending::Ending,
    meddler::{Cut, Deaths, Meddler, Prompting},
    program::{Lead, Program},
};

/// How long callers put up with an API that does not answer: as a person's script would, not as a test.
const CALLERS_PATIENCE: Duration = Duration::from_secs(30);

/// Steps of the story.
const STEPS: usize = 6;

/// Deaths of each program in each step, at least.
const SEVERAL: usize = 3;

/// The longest that a death comes after its cue, in milliseconds. The slowest stage, a machine's start, takes two seconds.
const LATEST: u64 = 2000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_story_ends_in_the_same_state_whenever_controller_or_api_are_killed() -> Result<(), WorldError> {
    let mut dice = Dice::thrown();
    // One lab nobody is killed on, for the whole story from an empty county on; one for everything else.
    let (calm, rough) = tokio::try_join!(theatre(), theatre())?;
    let (expected, beats) = undisturbed(calm).await?;
    let world = Arc::new(world(rough).await?);
    let mut deaths = Deaths::new();
    let tellings = [
        (
            "controller at each beginning, API in each middle and while orders wait",
            [at_set_moments(&beats, Program::ALL), while_orders_wait()].concat(),
        ),
        (
            "API at each beginning, controller in each middle",
            at_set_moments(&beats, [Program::Api, Program::Controller]),
        ),
        ("both at moments by chance", by_chance(&beats, &mut dice)),
    ];
    for (name, cuts) in tellings {
        let since = Book::open(&world).await.claims();
        let meddler = Meddler::new(&world, cuts.clone());
        let stage = stage(Prompting(Arc::clone(&meddler)));
        let told = tell(&stage, &world).await;
        let fell = meddler.done().await;
        let context = format!("{name}; {dice}; deaths by step {fell:?}; planned {cuts:#?}");
        same_end(&world, &stage, told, since, &expected, &context).await;
        for (place, count) in fell {
            *deaths.entry(place).or_default() += count;
        }
    }
    at_every_turn_of_a_claim(&world, &expected, &dice).await;
    in_every_gap(&world, &expected, &dice).await;
    println!("{dice}; deaths by step and program: {deaths:?}");
    for step in 1..=STEPS {
        for program in Program::ALL {
            let count = deaths.get(&(step, program)).copied().unwrap_or_default();
            assert!(count >= SEVERAL, "{program:?} died {count} times in step {step}; {dice}; {deaths:?}");
        }
    }
    if let Some(World { lab, controller, api, .. }) = Arc::into_inner(world) {
        drop((controller, api));
        lab.stop().await?;
    }
    Ok(())
}

/// The demo's lab, whose nodes take no time. Of its own: two tellings begin with an empty county.
async fn theatre() -> Result<Lab, WorldError> {
    Ok(Lab::start(demo::lab_options(Profile::Real).pace(Pace::INSTANT).own_cluster()).await?)
}

async fn world(lab: Lab) -> Result<World, WorldError> {
    Ok(World::on(lab, &city::PLATFORM_FILES, Vec::new()).await?.patient(CALLERS_PATIENCE))
}

fn stage(prompter: impl Prompter + 'static) -> Stage {
    Stage::before(Audience::minutes()).prompted_by(Arc::new(prompter))
}

async fn tell(stage: &Stage, world: &World) -> Result<(), DemoError> {
    let options = DemoOptions { profile: Profile::Real, once: true, out: world.lab.folder().join("reports") };
    Box::pin(demo::tell(stage, world, &options)).await
}

/// How the story ends where nobody dies, and its beats.
async fn undisturbed(lab: Lab) -> Result<(Ending, Vec<Beat>), WorldError> {
    let world = Arc::new(world(lab).await?);
    let nobody = Meddler::new(&world, Vec::new());
    let stage = stage(Prompting(Arc::clone(&nobody)));
    let told = tell(&stage, &world).await;
    assert!(told.is_ok(), "{told:?}\n{}", stage.collected());
    // The story needs six of 57; the rest of the county may come to stand later.
    world.lab.kubectl(&["wait", "departments", "--all", "--for=condition=Ready", "--timeout=60s"]).await?;
    let ending = wait_for("the end of the undisturbed story", PATIENCE, || Ending::of(&world, 0)).await?;
    let beats = nobody.beats();
    drop((stage, nobody));
    if let Some(World { lab, controller, api, .. }) = Arc::into_inner(world) {
        drop((controller, api));
        lab.stop().await?;
    }
    Ok((ending, beats))
}

/// The first program at the beginning of every step, the second in its middle.
fn at_set_moments(beats: &[Beat], [first, second]: [Program; 2]) -> Vec<Cut> {
    let mut cuts = Vec::new();
    for step in 1..=STEPS {
        let commands = beats.iter().filter(|beat| beat.step == step).count() - 1;
        let middle = commands.div_ceil(2);
        for (program, command) in [(first, 0), (second, middle.max(1))] {
            // Somebody has to wait for a lease now and then, as everybody does outside a test.
            let lead = if (step, command) == (1, 0) { Lead::RunsOut } else { Lead::IsTaken };
            cuts.push(Cut { program, beat: Beat { step, command }, after: Duration::ZERO, lead });
        }
    }
    cuts
}

/// The API while it waits for a decision on the order and on the first of those refused: the answer is lost. The
/// controller died at the beginning of that step, so nothing is decided for half a second at least.
fn while_orders_wait() -> Vec<Cut> {
    let of_step = |step| Cut {
        program: Program::Api,
        beat: Beat { step, command: 1 },
        after: Duration::from_millis(250),
        lead: Lead::IsTaken,
    };
    vec![of_step(2), of_step(3)]
}

/// Each program twice in every step: just before some command, and some time after one.
fn by_chance(beats: &[Beat], dice: &mut Dice) -> Vec<Cut> {
    let mut cuts = Vec::new();
    for step in 1..=STEPS {
        let of_step: Vec<_> = beats.iter().filter(|beat| beat.step == step).collect();
        for program in Program::ALL {
            for after in [0, 1 + dice.below(LATEST)] {
                let beat = of_step[usize::try_from(dice.below(of_step.len() as u64)).unwrap()];
                let after = Duration::from_millis(after);
                cuts.push(Cut { program, beat: *beat, after, lead: Lead::IsTaken });
            }
        }
    }
    cuts
}

/// Checks that a telling went well and ended like the undisturbed one, then clears the stage for the next.
async fn same_end(
    world: &World,
    stage: &Stage,
    told: Result<(), DemoError>,
    since: usize,
    expected: &Ending,
    context: &str,
) {
    let logs = || format!("controller:\n{}\napi:\n{}", world.controller.tail(30), world.api.tail(10));
    assert!(told.is_ok(), "{told:?}\n{context}\n{}\n{}", stage.collected(), logs());
    let same = wait_for("the same end", PATIENCE, || async {
        let differences = Ending::of(world, since).await?.differences(expected);
        if differences.is_empty() { Ok(()) } else { Err(differences) }
    });
    if let Err(error) = same.await {
        panic!("{error}\n{context}\n{}\n{}", stage.collected(), logs());
    }
    world.lab.kubectl(&["delete", "cloudhosts", "--all", "-n", "dept-kaiyun"]).await.unwrap();
}

/// The controller dies as soon as the book says anything new about the host's claim.
async fn at_every_turn_of_a_claim(world: &Arc<World>, expected: &Ending, dice: &Dice) {
    let book = Book::open(world).await;
    let since = book.claims();
    let stage = Stage::before(Audience::minutes());
    let mut turns = Vec::new();
    let (over, mut is_over) = watch::channel(false);
    // Never stopped between a death and the new life.
    let killing = async {
        while turns.last() != Some(&ClaimStage::Released) {
            let seen = book.state();
            let turn = seen.claims().nth(since).map(|claim| claim.stage());
            if let Some(turn) = turn.filter(|turn| turns.last() != Some(turn)) {
                turns.push(turn);
                Program::Controller.interrupt(world, Lead::IsTaken).await;
            }
            tokio::select! {
                biased;
                () = book.turned(seen.seq()) => {}
                _ = is_over.wait_for(|over| *over) => break,
            }
        }
    };
    let telling = async {
        let told = tell(&stage, world).await;
        over.send_replace(true);
        told
    };
    let (told, ()) = tokio::join!(telling, killing);
    same_end(world, &stage, told, since, expected, &format!("at every turn of a claim; {dice}; turns {turns:?}")).await;
    let all = [ClaimStage::Reserved, ClaimStage::Billable, ClaimStage::Ending, ClaimStage::Released];
    assert_eq!(turns, all, "the controller died at each of them");
}

/// The controller dies in each gap between the two stores.
async fn in_every_gap(world: &Arc<World>, expected: &Ending, dice: &Dice) {
    let since = Book::open(world).await.claims();
    let gaps = gaps::Gaps::new(world, since);
    let stage = stage(gaps::Prompting(Arc::clone(&gaps)));
    let told = tell(&stage, world).await;
    if told.is_ok() {
        gaps.done().await;
    }
    same_end(world, &stage, told, since, expected, &format!("in every gap; {dice}")).await;
}
