//! A system whose controller is killed at a chosen change, with real SIGKILL, while a play goes on; how it stands after
//! each scene must be the same as without.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use jiyun_lab::{ControllerOptions, Lab, LabOptions, wait_for};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::{
    FaultError, Line, chain,
    lead::take_lead,
    picture::Picture,
    play::{DEPARTMENT, NARROW, Play, policy, user_data},
    settle,
    trace::{Cut, Point, Trace},
};
use crate::{
    World, city,
    world::{Bureau, PATIENCE, Quota},
};

/// What is written at most every ten seconds has been written by then.
const NOW_AND_THEN: Duration = Duration::from_secs(13);

/// A change of a play.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Turn {
    /// In which play.
    pub play: Play,
    /// The change.
    pub point: Point,
    /// Whether it is written now and then, so that one has to wait for it.
    pub late: bool,
}

/// What became of a death.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It died there, and everything was the same in the end.
    Same,
    /// This run did not come past there.
    NotReached,
}

/// See the module.
#[derive(Debug)]
pub struct Stage {
    /// The system.
    pub world: World,
    trace: Arc<Trace>,
    /// Both end with the stage.
    _lines: [Line; 2],
    expected: BTreeMap<Play, Vec<Picture>>,
    unit: String,
    runs: usize,
}

impl Stage {
    /// Builds a system whose controller reaches both its servers through a line.
    ///
    /// # Errors
    /// See [`FaultError`].
    pub async fn build() -> Result<Self, FaultError> {
        let lab = Lab::start(LabOptions::default().own_cluster().departments([DEPARTMENT])).await?;
        let trace = Arc::new(Trace::default());
        let kubernetes = Line::to_kubernetes(&lab, Arc::clone(&trace)).await?;
        let ledger = Line::to_ledger(&lab, Arc::clone(&trace)).await?;
        let through = ControllerOptions {
            kubernetes: Some(kubernetes.url()),
            ledger: Some(ledger.url()),
            ..ControllerOptions::default()
        };
        let world = World::with(lab, &city::CATALOGUE_FILES, through).await?;
        world.named_department(DEPARTMENT, Quota::cores(4)).await?;
        let pool = json!({
            "apiVersion": "jiyun.io/v1alpha1", "kind": "StoragePool", "metadata": {"name": NARROW},
            "spec": {"siteRef": {"name": "hengshan-main"}, "zones": ["extranet-public"], "tier": NARROW,
                     "storageClassName": "standard", "provider": "test", "maxProtectionLevel": 3, "capacity": "40Gi"},
        });
        world.take("the narrow pool", &pool.to_string()).await?;
        world.take("the policy", &policy().to_string()).await?;
        world.take("user data", &user_data().to_string()).await?;
        world.lab.kubectl(&["wait", "approvalpolicy", DEPARTMENT, "--for=condition=Ready", "--timeout=60s"]).await?;
        world.lab.kubectl(&["wait", "storagepool", NARROW, "--for=condition=Ready", "--timeout=60s"]).await?;
        written_once(&world).await?;
        world.controller.stop().await;
        let (expected, unit) = (BTreeMap::new(), "unit-0000".to_owned());
        Ok(Self { world, trace, _lines: [kubernetes, ledger], expected, unit, runs: 0 })
    }

    /// The department in which hosts live.
    ///
    /// # Errors
    /// When the lab does not know its operator.
    pub fn bureau(&self) -> Result<Bureau<'_>, FaultError> {
        let caller = self.world.caller(&format!("{DEPARTMENT}-operator"))?;
        Ok(Bureau { world: &self.world, name: DEPARTMENT.to_owned(), caller })
    }

    /// The department that this run makes.
    pub fn unit(&self) -> &str {
        &self.unit
    }

    /// Plays it with nobody killed: every change on the way, and how it stands after each scene.
    ///
    /// # Errors
    /// See [`FaultError`].
    pub async fn undisturbed(&mut self, play: Play) -> Result<Vec<Turn>, FaultError> {
        let (pictures, turns) = Box::pin(self.run(play, None)).await?;
        self.expected.insert(play, pictures);
        Ok(turns)
    }

    /// Plays it with a death.
    ///
    /// # Errors
    /// When it did not come to the same.
    pub async fn cut_at(&mut self, turn: &Turn, cut: &Cut) -> Result<Outcome, FaultError> {
        match Box::pin(self.run(turn.play, Some((turn, cut)))).await {
            Ok(_) if self.trace.is_reached() => Ok(Outcome::Same),
            Ok(_) => Ok(Outcome::NotReached),
            Err(error) => Err(FaultError::Otherwise {
                cut: format!("{:?}, {cut}", turn.play),
                what: format!("{}\n{}", chain(&error), self.world.controller.tail(30)),
            }),
        }
    }

    /// Ends the system.
    ///
    /// # Errors
    /// When it cannot be stopped.
    pub async fn close(self) -> Result<(), FaultError> {
        // The guests' handles go before the lab does.
        let World { lab, controller, api, .. } = self.world;
        drop((controller, api));
        Ok(lab.stop().await?)
    }

    async fn run(&mut self, play: Play, death: Option<(&Turn, &Cut)>) -> Result<(Vec<Picture>, Vec<Turn>), FaultError> {
        self.runs += 1;
        self.unit = format!("unit-{:04}", self.runs);
        let claims = super::book(&self.world).await?.claims().count();
        take_lead(&self.world.lab).await?;
        self.trace.begin(death.map(|(_, cut)| cut.clone()));
        self.trace.ignore(&self.unit);
        let (over, closing) = (CancellationToken::new(), AtomicBool::new(false));
        let playing = async {
            let played = self.play(play, death.map(|(turn, _)| turn), claims, &closing).await;
            over.cancel();
            played
        };
        let killing = async {
            tokio::select! {
                () = self.trace.reached() => self.kill(&closing).await,
                () = over.cancelled() => Ok(()),
            }
        };
        let (played, killed) = tokio::join!(playing, killing);
        killed?;
        // Whatever came of it, the next run begins without a leader.
        self.world.controller.kill().await;
        let (pictures, turns) = played?;
        Ok((pictures, turns))
    }

    /// The controller dies; the next life begins at once, unless it was on its way out.
    async fn kill(&self, closing: &AtomicBool) -> Result<(), FaultError> {
        self.world.controller.kill().await;
        take_lead(&self.world.lab).await?;
        if !closing.load(Ordering::SeqCst) {
            self.world.controller.restart().await?;
        }
        Ok(())
    }

    async fn play(
        &self,
        play: Play,
        turn: Option<&Turn>,
        claims: usize,
        closing: &AtomicBool,
    ) -> Result<(Vec<Picture>, Vec<Turn>), FaultError> {
        let (mut pictures, mut turns) = (Vec::new(), Vec::new());
        self.world.controller.restart().await?;
        for scene in 0..play.scenes() {
            play.scene(self, scene).await?;
            let mut picture = self.as_expected(play, scene, claims).await?;
            self.note(play, false, &mut turns);
            if play.is_quiet_after(scene) && self.wait_quietly(turn).await {
                picture = self.as_expected(play, scene, claims).await?;
                self.note(play, true, &mut turns);
            }
            pictures.push(picture);
        }
        settle(&self.world).await?;
        closing.store(true, Ordering::SeqCst);
        self.world.controller.stop().await;
        self.note(play, false, &mut turns);
        Ok((pictures, turns))
    }

    /// Lets what is written now and then be written: without a death, and where the death is to be in it.
    async fn wait_quietly(&self, turn: Option<&Turn>) -> bool {
        match turn {
            None => {
                tokio::time::sleep(NOW_AND_THEN).await;
                true
            }
            Some(turn) if turn.late && !self.trace.is_reached() => {
                tokio::time::timeout(NOW_AND_THEN, self.trace.reached()).await.is_ok()
            }
            Some(_) => false,
        }
    }

    fn note(&self, play: Play, late: bool, turns: &mut Vec<Turn>) {
        let points = self.trace.points();
        turns.retain(|turn| points.contains(&turn.point));
        for point in points {
            if turns.iter().all(|turn| turn.point != point) {
                turns.push(Turn { play, point, late });
            }
        }
    }

    /// Waits until it stands as it did undisturbed; the first time, as it stands.
    async fn as_expected(&self, play: Play, scene: usize, claims: usize) -> Result<Picture, FaultError> {
        let Some(expected) = self.expected.get(&play).and_then(|pictures| pictures.get(scene)) else {
            return Picture::of(self, claims).await;
        };
        let same = wait_for(format!("scene {scene} of {play:?} as undisturbed"), PATIENCE, || async {
            let picture = Picture::of(self, claims).await.map_err(|error| chain(&error))?;
            let differences = picture.differences(expected);
            if differences.is_empty() { Ok(picture) } else { Err(differences) }
        });
        Ok(same.await?)
    }
}

/// Waits for what is written once in the life of a pool or a department: no later run comes past there.
async fn written_once(world: &World) -> Result<(), FaultError> {
    let report = ["get", "quotareport", DEPARTMENT, "-n", &format!("dept-{DEPARTMENT}"), "-o", "name"];
    let mark = ["get", "configmap", "jiyun-ledger-mark", "-n", "jiyun-system", "-o", "name"];
    let summed = ["get", "computepools,storagepools,departments", "-o", "json"];
    wait_for("the first totals, report and mark", PATIENCE, || async {
        for found in [&report, &mark] {
            world.lab.kubectl(found.as_slice()).await.map_err(|error| error.to_string())?;
        }
        let text = world.lab.kubectl(&summed).await.map_err(|error| error.to_string())?;
        let list: serde_json::Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
        let bare = |object: &&serde_json::Value| object["status"]["summary"].is_null();
        match list["items"].as_array().into_iter().flatten().find(bare) {
            None => Ok(()),
            Some(object) => Err(format!("{} has no totals yet", object["metadata"]["name"])),
        }
    })
    .await?;
    Ok(())
}
