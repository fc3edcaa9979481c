//! What is left to do on the engine: a function from what should be and what is there to a step with its reason.

use serde_json::Value;

use crate::{
    engines::cdi::{self, DiskState, DiskView},
    host::plan::{Obstacle, ours},
};

/// What should be there.
#[derive(Clone, Debug)]
pub struct Desired {
    /// The claim it is for, as engine objects are labelled with it.
    pub claim: String,
    /// The disk.
    pub disk: Value,
    /// Its size in MiB.
    pub mebibytes: u64,
    /// Whether it was handed over once: what is on it cannot be made again.
    pub established: bool,
}

/// The thing to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Make the disk.
    ApplyDisk,
    /// Have the volume behind the disk grow, or see whether it has.
    GrowDisk,
}

/// The kind that is applied, for people.
impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::ApplyDisk => "DataVolume",
            Self::GrowDisk => "PersistentVolumeClaim",
        })
    }
}

/// The step from what is `there` to `desired`; none when they agree. A disk that exists is not touched again but to grow.
///
/// # Errors
/// [`Obstacle`] when a disk of the name belongs to something else, or that of a volume in use is gone.
pub fn plan(desired: &Desired, there: Option<&DiskView>) -> Result<Option<Step>, Obstacle> {
    let Some(disk) = there else {
        if desired.established {
            let name = desired.disk.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default().to_owned();
            return Err(Obstacle::Lost { kind: "DataVolume", name });
        }
        return Ok(Some(Step::ApplyDisk));
    };
    ours(&disk.metadata, &desired.claim, "DataVolume")?;
    let grows = cdi::mebibytes(disk) < desired.mebibytes && cdi::state(disk) == DiskState::Filled;
    Ok(grows.then_some(Step::GrowDisk))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn desired(mebibytes: u64) -> Desired {
        let disk = json!({
            "metadata": {"name": "data-volume", "labels": {"jiyun.io/claim": "claim-1.book"}},
            "spec": {"storage": {"resources": {"requests": {"storage": format!("{mebibytes}Mi")}}}},
            "status": {"phase": "Succeeded"},
        });
        Desired { claim: "claim-1.book".into(), disk, mebibytes, established: false }
    }

    fn there(of: &Desired) -> DiskView {
        serde_json::from_value(of.disk.clone()).unwrap()
    }

    #[test]
    fn a_disk_is_made_once_and_grown_until_it_was_seen_to_have_what_was_granted() {
        let before = desired(1024);
        assert_eq!(plan(&before, None), Ok(Some(Step::ApplyDisk)));
        assert_eq!(plan(&before, Some(&there(&before))), Ok(None));
        assert_eq!(plan(&desired(2048), Some(&there(&before))), Ok(Some(Step::GrowDisk)));
        assert_eq!(plan(&before, Some(&there(&desired(2048)))), Ok(None), "it never shrinks");
        let mut filling = there(&before);
        filling.status.phase = Some("ImportInProgress".into());
        assert_eq!(plan(&desired(2048), Some(&filling)), Ok(None));
    }

    #[test]
    fn a_lost_disk_is_told_and_not_replaced_by_an_empty_one() {
        let desired = Desired { established: true, ..desired(1024) };
        assert!(matches!(plan(&desired, None), Err(Obstacle::Lost { .. })));
    }

    #[test]
    fn the_disk_of_a_namesake_is_not_taken_over() {
        let desired = desired(1024);
        let mut there = there(&desired);
        there.metadata.labels.as_mut().unwrap().insert("jiyun.io/claim".into(), "claim-2.book".into());
        let obstacle = Obstacle::Foreign { kind: "DataVolume", name: "data-volume".into() };
        assert_eq!(plan(&desired, Some(&there)), Err(obstacle));
    }
}
