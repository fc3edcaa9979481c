//! Changing a host. Where its size changes, the host as it would be is looked at first, so that a size that is not offered
//! or does not fit leaves nothing behind.

use jiyun_crds::v1alpha1::{CloudHost, misfit::misfits};
use serde_json::{Map, Value};

use super::{Wish, create::contradiction, references::References};
use crate::{
    app::{App, snapshot::host_misfits},
    extract::{DepartmentName, ObjectPath, Version},
    problem::Problem,
    store::{Caller, Run},
};

/// Fields of the object's `spec` that say how large it is.
const SIZES: [&str; 2] = ["classRef", "systemDisk"];

impl App {
    /// Merges `spec` into what a host asks for, as [`App::change`]. Gives what its size then asks of the ledger, where that
    /// is among what changes.
    ///
    /// # Errors
    /// What the API server refuses, and a fault of each field that does not fit.
    pub async fn change_host(
        &self,
        caller: &Caller,
        path: &ObjectPath,
        spec: Map<String, Value>,
        version: Option<&Version>,
        run: Run,
    ) -> Result<(CloudHost, Option<Wish>), Problem> {
        if !SIZES.iter().any(|field| spec.contains_key(*field)) {
            return Ok((self.change(caller, path, spec, version, run).await?, None));
        }
        let tried = self.change::<CloudHost>(caller, path, spec.clone(), version, Run::Dry).await?;
        let wish = fitting(caller, &path.department, &tried).await?;
        let changed = if run.is_dry() { tried } else { self.change(caller, path, spec, version, run).await? };
        Ok((changed, wish))
    }
}

/// What `host` asks of the ledger.
///
/// # Errors
/// A fault of each field that names nothing, or does not fit.
async fn fitting(caller: &Caller, department: &DepartmentName, host: &CloudHost) -> Result<Option<Wish>, Problem> {
    let references = References::of_host(caller, department, host).await?;
    let named = references.named_by_host(host)?;
    let apart = named.snapshot.map(|snapshot| host_misfits(&host.spec, snapshot)).unwrap_or_default();
    let faults = misfits(&host.spec, named.system, named.class, named.image).chain(apart).map(contradiction).collect();
    let wish = Wish::new(host, named.system, named.class);
    Problem::of_body(faults).map_or(Ok(wish), Err)
}
