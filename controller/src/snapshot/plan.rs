//! What is left to do on the engine: a function from what should be and what is there to a step, or to what is in the way.

use jiff::Timestamp;

use crate::{
    engines::snapshot::{self, SnapshotState, SnapshotView},
    host::plan::{Obstacle, ours},
};

/// The kind of what is made.
const KIND: &str = "VolumeSnapshot";

/// What should be there.
#[derive(Clone, Debug)]
pub struct Desired {
    /// The claim in the account book it is for, as engine objects are labelled with it.
    pub claim: String,
    /// Name of the snapshot.
    pub name: String,
    /// Name of the disk it is of.
    pub disk: String,
    /// Whether it was handed over once: what it holds cannot be taken again.
    pub established: bool,
    /// Whether none is taken while the book is being checked.
    pub paused: bool,
}

/// How the disk stands that a snapshot is to be taken of. It matters until it was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// It can be taken.
    Ready,
    /// Its content is being made, or it cannot be seen at the moment.
    Busy,
    /// What it belongs to is on its way out: nothing more is taken of it. No other disk has its name before that is over.
    Ending,
    /// What it belonged to has ended, at this moment where the book still has it. Another disk may have its name since.
    Gone(Option<Timestamp>),
    /// It is larger than what was set aside for its snapshot.
    Grew,
}

/// The thing to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing: it was taken.
    Nothing,
    /// Have it taken.
    Take,
    /// Wait.
    Await(Awaited),
}

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Awaited {
    /// That there is something on the disk that it is to be taken of.
    Source,
    /// That it is taken.
    Snapshot,
}

impl Awaited {
    /// The kind that is looked at, for people.
    pub fn word(self) -> &'static str {
        match self {
            Self::Source => "DataVolume",
            Self::Snapshot => "VolumeSnapshot",
        }
    }
}

/// Why nothing may be done, or nothing comes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hindrance {
    /// Something else has its name, or what it held is lost.
    Obstacle(Obstacle),
    /// What it is to be taken of has ended, and nobody can say that it was taken before.
    SourceGone,
    /// See [`Source::Grew`].
    SourceGrew,
    /// Its engine could not take it, and tries again.
    Failed,
}

impl From<Obstacle> for Hindrance {
    fn from(obstacle: Obstacle) -> Self {
        Self::Obstacle(obstacle)
    }
}

/// The step from what is `there` to `desired`, where the disk stands like `source`. A snapshot that exists is not touched again,
/// and one that was handed over is never taken anew: it would hold something else.
///
/// # Errors
/// [`Hindrance`], where there is none.
pub fn plan(desired: &Desired, source: Source, there: Option<&SnapshotView>) -> Result<Step, Hindrance> {
    let Some(snapshot) = there else {
        return match source {
            _ if desired.established => Err(Obstacle::Lost { kind: KIND, name: desired.name.clone() }.into()),
            Source::Ending | Source::Gone(_) => Err(Hindrance::SourceGone),
            Source::Grew => Err(Hindrance::SourceGrew),
            Source::Ready if !desired.paused => Ok(Step::Take),
            Source::Ready | Source::Busy => Ok(Step::Await(Awaited::Source)),
        };
    };
    ours(&snapshot.metadata, &desired.claim, KIND)?;
    if !snapshot::is_of(snapshot, &desired.disk) {
        return Err(Obstacle::Foreign { kind: KIND, name: desired.name.clone() }.into());
    }
    if !desired.established && is_in_doubt(source, snapshot) {
        return Err(Hindrance::SourceGone);
    }
    match snapshot::state(snapshot) {
        SnapshotState::Taken => Ok(Step::Nothing),
        SnapshotState::Taking => Ok(Step::Await(Awaited::Snapshot)),
        SnapshotState::Failed => Err(Hindrance::Failed),
    }
}

/// Whether `snapshot` may hold what is another disk's, or will never hold anything. Its engine looks for the disk by name,
/// and only once it has registered the content does that disk stay until it was taken: before, another one may come by the
/// name.
fn is_in_doubt(source: Source, snapshot: &SnapshotView) -> bool {
    let ended = match source {
        Source::Ready | Source::Busy | Source::Grew => return false,
        // It would be tried again for ever.
        Source::Ending => return snapshot::state(snapshot) == SnapshotState::Failed,
        Source::Gone(ended) => ended,
    };
    match snapshot::state(snapshot) {
        SnapshotState::Taken => snapshot::taken_at(snapshot).zip(ended).is_none_or(|(taken, ended)| taken > ended),
        SnapshotState::Taking => snapshot.status.bound_volume_snapshot_content_name.is_none(),
        SnapshotState::Failed => true,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const ENDED: &str = "2026-03-01T08:00:00Z";

    fn gone() -> Source {
        Source::Gone(Some(ENDED.parse().unwrap()))
    }

    /// However a disk can stand.
    fn any() -> [Source; 6] {
        [Source::Ready, Source::Busy, Source::Ending, gone(), Source::Gone(None), Source::Grew]
    }

    fn desired(established: bool) -> Desired {
        Desired {
            claim: "claim-2.book".into(),
            name: "files-1-snapshot".into(),
            disk: "files-volume".into(),
            established,
            paused: false,
        }
    }

    fn there(status: &Value) -> SnapshotView {
        serde_json::from_value(json!({
            "metadata": {"name": "files-1-snapshot", "labels": {"jiyun.io/claim": "claim-2.book"}},
            "spec": {"source": {"persistentVolumeClaimName": "files-volume"}},
            "status": status,
        }))
        .unwrap()
    }

    fn taken() -> Value {
        taken_at(ENDED)
    }

    fn taken_at(moment: &str) -> Value {
        json!({"readyToUse": true, "boundVolumeSnapshotContentName": "snapcontent-1", "creationTime": moment})
    }

    #[test]
    fn a_snapshot_is_taken_once_and_left_alone_from_then_on() {
        let desired = desired(false);
        assert_eq!(plan(&desired, Source::Ready, None), Ok(Step::Take));
        let registered = there(&json!({"readyToUse": false, "boundVolumeSnapshotContentName": "snapcontent-1"}));
        for source in any() {
            let step = plan(&desired, source, Some(&registered));
            assert_eq!(step, Ok(Step::Await(Awaited::Snapshot)), "{source:?}: it is under way");
        }
        for source in [Source::Ready, Source::Busy, Source::Ending, gone(), Source::Grew] {
            assert_eq!(plan(&desired, source, Some(&there(&taken()))), Ok(Step::Nothing), "{source:?}");
        }
    }

    #[test]
    fn nothing_is_taken_of_a_disk_that_is_not_filled_has_grown_or_is_gone() {
        let step = |source| plan(&desired(false), source, None);
        assert_eq!(step(Source::Busy), Ok(Step::Await(Awaited::Source)));
        assert_eq!(step(Source::Grew), Err(Hindrance::SourceGrew));
        for source in [Source::Ending, gone(), Source::Gone(None)] {
            assert_eq!(step(source), Err(Hindrance::SourceGone), "{source:?}");
        }
    }

    #[test]
    fn none_is_taken_while_the_book_is_being_checked_and_what_is_under_way_goes_on() {
        let paused = Desired { paused: true, ..desired(false) };
        assert_eq!(plan(&paused, Source::Ready, None), Ok(Step::Await(Awaited::Source)));
        let taking = there(&json!({"readyToUse": false}));
        assert_eq!(plan(&paused, Source::Ready, Some(&taking)), Ok(Step::Await(Awaited::Snapshot)));
        assert_eq!(plan(&paused, Source::Ready, Some(&there(&taken()))), Ok(Step::Nothing));
    }

    #[test]
    fn what_was_taken_after_its_source_had_ended_may_be_a_namesakes_and_is_not_handed_over() {
        let step = |source: Source, status: &Value| plan(&desired(false), source, Some(&there(status)));
        let untold = json!({"readyToUse": true, "boundVolumeSnapshotContentName": "snapcontent-1"});
        let (before, after) = (taken_at("2026-03-01T07:59:59Z"), taken_at("2026-03-01T08:00:01Z"));
        for (what, source, status, is_taken) in [
            ("before", gone(), &before, true),
            ("in that second", gone(), &taken(), true),
            ("after", gone(), &after, false),
            ("nobody knows when", gone(), &untold, false),
            ("nobody knows when it ended", Source::Gone(None), &before, false),
            ("its end is decided, and the name is its own still", Source::Ending, &after, true),
            ("it is there", Source::Busy, &untold, true),
        ] {
            let expected = if is_taken { Ok(Step::Nothing) } else { Err(Hindrance::SourceGone) };
            assert_eq!(step(source, status), expected, "{what}");
        }
        let known = plan(&desired(true), Source::Gone(None), Some(&there(&after)));
        assert_eq!(known, Ok(Step::Nothing), "it was handed over while that was known");
    }

    #[test]
    fn what_was_not_registered_before_its_source_had_ended_is_never_its_snapshot() {
        let unregistered = there(&json!({"readyToUse": false}));
        let step = |established, source| plan(&desired(established), source, Some(&unregistered));
        for source in [gone(), Source::Gone(None)] {
            assert_eq!(step(false, source), Err(Hindrance::SourceGone), "{source:?}");
            assert_eq!(step(true, source), Ok(Step::Await(Awaited::Snapshot)), "{source:?}: it was taken once");
        }
        for source in [Source::Ready, Source::Busy, Source::Ending, Source::Grew] {
            assert_eq!(step(false, source), Ok(Step::Await(Awaited::Snapshot)), "{source:?}: the disk is there");
        }
    }

    #[test]
    fn what_fails_is_told_and_of_a_source_that_is_gone_it_will_never_be_taken() {
        let failed = there(&json!({"readyToUse": false, "error": {"message": "no such volume"}}));
        assert_eq!(plan(&desired(false), Source::Ready, Some(&failed)), Err(Hindrance::Failed));
        for source in [Source::Ending, gone()] {
            assert_eq!(plan(&desired(false), source, Some(&failed)), Err(Hindrance::SourceGone), "{source:?}");
        }
        let lost_content = plan(&desired(true), gone(), Some(&failed));
        assert_eq!(lost_content, Err(Hindrance::Failed), "it was taken once");
    }

    #[test]
    fn a_lost_snapshot_is_told_and_not_taken_again_of_what_the_disk_holds_now() {
        let lost = Obstacle::Lost { kind: "VolumeSnapshot", name: "files-1-snapshot".into() };
        for source in any() {
            assert_eq!(plan(&desired(true), source, None), Err(Hindrance::Obstacle(lost.clone())), "{source:?}");
        }
    }

    #[test]
    fn the_snapshot_of_a_namesake_or_of_another_disk_is_not_taken_over() {
        let foreign = Obstacle::Foreign { kind: "VolumeSnapshot", name: "files-1-snapshot".into() };
        let expected = Err(Hindrance::Obstacle(foreign));
        let desired = desired(false);
        let mut namesake = there(&taken());
        namesake.metadata.labels.as_mut().unwrap().insert("jiyun.io/claim".into(), "claim-1.book".into());
        assert_eq!(plan(&desired, Source::Ready, Some(&namesake)), expected);
        let mut going = there(&taken());
        going.metadata.deletion_timestamp = serde_json::from_value(json!("2026-03-01T08:00:00Z")).unwrap();
        assert_eq!(plan(&desired, Source::Ready, Some(&going)), expected);
        let mut of_another = there(&taken());
        of_another.spec.source.persistent_volume_claim_name = Some("files-2-volume".into());
        assert_eq!(plan(&desired, Source::Ready, Some(&of_another)), expected);
    }
}
