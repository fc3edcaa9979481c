//! Cloud buckets (对象存储桶): ordering and changing them, and replacing their key pair. What was decided is read as that of
//! hosts is.

use jiff::{SignedDuration, Timestamp};
use jiyun_crds::v1alpha1::{CloudBucket, DateTime, InformationSystem, NetworkZone, misfit::bucket_misfits};
use serde_json::{Map, Value, json};

use super::{
    App,
    create::create,
    host::{Wish, contradiction, system_there, there},
    once::{self, Asked, Created},
    storage::wished,
};
use crate::{
    extract::{DepartmentName, ObjectPath, Version},
    model::BucketOrder,
    problem::{Code, Problem},
    store::{Caller, Run},
};

impl App {
    /// Creates the bucket called `name` that `order` asks for, or finds the one an earlier request with the same key has
    /// created. Gives what a new one asks of the ledger, too.
    pub async fn order_bucket(
        &self,
        caller: &Caller,
        department: &DepartmentName,
        name: &str,
        order: BucketOrder,
        asked: &Asked,
    ) -> Result<(Created<CloudBucket>, Option<Wish>), Problem> {
        order.validate(name)?;
        match place(caller, department, name, order, asked).await {
            Ok((object, wish)) => Ok((Created { object, replayed: false }, wish)),
            Err(problem) => Ok((once::again(caller, department, name, asked, problem).await?, None)),
        }
    }

    /// Merges `spec` into what a bucket asks for, as [`App::change`]. Gives what another size asks of the ledger, where
    /// nothing is meant.
    pub async fn change_bucket(
        &self,
        caller: &Caller,
        path: &ObjectPath,
        spec: Map<String, Value>,
        version: Option<&Version>,
        run: Run,
    ) -> Result<(CloudBucket, Option<Wish>), Problem> {
        let is_resized = spec.contains_key("size");
        let changed = self.change::<CloudBucket>(caller, path, spec, version, run).await?;
        let wish = if is_resized && run.is_dry() { wished(caller, &path.department, &changed).await? } else { None };
        Ok((changed, wish))
    }

    /// Asks for another key pair of a bucket, as [`App::change`] does; with `version`, only while it is of that version.
    pub async fn rotate_credentials(
        &self,
        caller: &Caller,
        path: &ObjectPath,
        version: Option<&Version>,
        run: Run,
    ) -> Result<CloudBucket, Problem> {
        let found = self.look::<CloudBucket>(caller, path).await?;
        // Not bound to what was read: a pair that is issued in between is replaced all the same, unless it was for this moment.
        let issued_for = found.status.and_then(|status| status.credentials_issued_for?.timestamp().ok());
        let spec = [("credentialsRequestedAt".to_owned(), json!(moment(issued_for, Timestamp::now())))];
        self.change(caller, path, spec.into_iter().collect(), version, run).await
    }
}

/// The moment that a new pair is asked for: `now`, and a second after the one that the pair in use was `issued_for`, where
/// another clock than ours was ahead or that is not over yet. A pair is replaced only for a later moment.
fn moment(issued_for: Option<Timestamp>, now: Timestamp) -> DateTime {
    let later = issued_for.and_then(|moment| moment.checked_add(SignedDuration::from_secs(1)).ok());
    DateTime::from(later.map_or(now, |later| later.max(now)))
}

/// Everything it names first, with the caller's rights, so that a wrong order leaves nothing behind.
async fn place(
    caller: &Caller,
    department: &DepartmentName,
    name: &str,
    order: BucketOrder,
    asked: &Asked,
) -> Result<(CloudBucket, Option<Wish>), Problem> {
    let namespace = department.namespace();
    let (system, zone) = tokio::join!(
        caller.find::<InformationSystem>(Some(&namespace), &order.system),
        caller.find::<NetworkZone>(None, &order.zone),
    );
    let mut faults = Vec::new();
    let system = system_there(caller, department, "system", &order.system, system, &mut faults).await?;
    there("zone", "NetworkZone", &order.zone, zone, &mut faults)?;
    let system = match (Problem::of_body(faults), system) {
        (None, Some(system)) => system,
        (Some(problem), _) => return Err(problem),
        (None, None) => return Err(Problem::bare(Code::Internal)),
    };
    let mut object = order.into_object(department, name);
    if let Some(problem) = Problem::of_body(bucket_misfits(&object.spec, &system).map(contradiction).collect()) {
        return Err(problem);
    }
    let wish = Wish::of_bucket(&object, &system);
    once::mark(&mut object, asked);
    Ok((create(caller, department, name, &object, asked.run).await?, wish))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_moment_is_now_and_always_after_that_of_the_pair_in_use() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        for (issued_for, now, expected) in [
            (None, "2026-11-20T02:00:00.9Z", "2026-11-20T02:00:00Z"),
            (Some("2026-11-20T01:59:59Z"), "2026-11-20T02:00:00.9Z", "2026-11-20T02:00:00Z"),
            (Some("2026-11-20T02:00:00Z"), "2026-11-20T02:00:00.9Z", "2026-11-20T02:00:01Z"),
            (Some("2026-11-20T02:00:07Z"), "2026-11-20T02:00:00.9Z", "2026-11-20T02:00:08Z"),
        ] {
            assert_eq!(moment(issued_for.map(at), at(now)).as_str(), expected, "{issued_for:?}");
        }
        assert_eq!(moment(Some(Timestamp::MAX), at("2026-11-20T02:00:00Z")).as_str(), "2026-11-20T02:00:00Z");
    }
}
