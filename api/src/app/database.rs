//! Cloud databases (云数据库): ordering and changing them. What was decided is read as that of hosts is.

mod extent;

use jiyun_crds::v1alpha1::{CloudDatabase, DatabaseClass, InformationSystem, NetworkZone, misfit::database_misfits};
use serde_json::{Map, Value};

use super::{
    App,
    create::create,
    host::{Wish, contradiction, system_there, there},
    once::{self, Asked, Created},
};
use crate::{
    extract::{DepartmentName, ObjectPath, Version},
    model::DatabaseOrder,
    problem::{Code, Problem},
    store::{Caller, Run},
};

pub use extent::Extent;

/// Fields of the object's `spec` that say how large it is.
const SIZES: [&str; 3] = ["classRef", "topology", "storage"];

impl App {
    /// Creates the database called `name` that `order` asks for, or finds the one an earlier request with the same key has
    /// created. Gives what a new one asks of the ledger, too.
    pub async fn order_database(
        &self,
        caller: &Caller,
        department: &DepartmentName,
        name: &str,
        order: DatabaseOrder,
        asked: &Asked,
    ) -> Result<(Created<CloudDatabase>, Option<Wish>), Problem> {
        order.validate(name)?;
        match place(caller, department, name, order, asked).await {
            Ok((object, wish)) => Ok((Created { object, replayed: false }, wish)),
            Err(problem) => Ok((once::again(caller, department, name, asked, problem).await?, None)),
        }
    }

    /// Merges `spec` into what a database asks for, as [`App::change`]. Where its size changes, the database as it
    /// would be is looked at first, so that a class that is not offered or does not fit leaves nothing behind. Gives
    /// what its size then asks of the ledger, where that is among what changes.
    ///
    /// # Errors
    /// What the API server refuses, and a fault of each field that does not fit.
    pub async fn change_database(
        &self,
        caller: &Caller,
        path: &ObjectPath,
        spec: Map<String, Value>,
        version: Option<&Version>,
        run: Run,
    ) -> Result<(CloudDatabase, Option<Wish>), Problem> {
        if !SIZES.iter().any(|field| spec.contains_key(*field)) {
            return Ok((self.change(caller, path, spec, version, run).await?, None));
        }
        let tried = self.change::<CloudDatabase>(caller, path, spec.clone(), version, Run::Dry).await?;
        let wish = fitting(caller, &path.department, &tried).await?;
        let changed = if run.is_dry() { tried } else { self.change(caller, path, spec, version, run).await? };
        Ok((changed, wish))
    }
}

/// What `database`, which is there, asks of the ledger.
///
/// # Errors
/// A fault of each field that names nothing, or does not fit.
async fn fitting(
    caller: &Caller,
    department: &DepartmentName,
    database: &CloudDatabase,
) -> Result<Option<Wish>, Problem> {
    let namespace = department.namespace();
    let (named, sized) = (&database.spec.system_ref.name, &database.spec.class_ref.name);
    let (system, class) = tokio::join!(
        caller.find::<InformationSystem>(Some(&namespace), named),
        caller.find::<DatabaseClass>(None, sized),
    );
    let mut faults = Vec::new();
    let system = system_there(caller, department, "system", named, system, &mut faults).await?;
    let class = there("class", "DatabaseClass", sized, class, &mut faults)?;
    let (system, class) = match (Problem::of_body(faults), system, class) {
        (None, Some(system), Some(class)) => (system, class),
        (Some(problem), ..) => return Err(problem),
        (None, ..) => return Err(Problem::bare(Code::Internal)),
    };
    let faults = database_misfits(&database.spec, &system, &class).map(contradiction).collect();
    let wish = Wish::of_database(database, &system, &class);
    Problem::of_body(faults).map_or(Ok(wish), Err)
}

/// Everything it names first, with the caller's rights, so that a wrong order leaves nothing behind.
async fn place(
    caller: &Caller,
    department: &DepartmentName,
    name: &str,
    order: DatabaseOrder,
    asked: &Asked,
) -> Result<(CloudDatabase, Option<Wish>), Problem> {
    let namespace = department.namespace();
    let (system, class, zone) = tokio::join!(
        caller.find::<InformationSystem>(Some(&namespace), &order.system),
        caller.find::<DatabaseClass>(None, &order.class),
        caller.find::<NetworkZone>(None, &order.zone),
    );
    let mut faults = Vec::new();
    let system = system_there(caller, department, "system", &order.system, system, &mut faults).await?;
    let class = there("class", "DatabaseClass", &order.class, class, &mut faults)?;
    there("zone", "NetworkZone", &order.zone, zone, &mut faults)?;
    let (system, class) = match (Problem::of_body(faults), system, class) {
        (None, Some(system), Some(class)) => (system, class),
        (Some(problem), ..) => return Err(problem),
        (None, ..) => return Err(Problem::bare(Code::Internal)),
    };
    let mut object = order.into_object(department, name);
    let faults = database_misfits(&object.spec, &system, &class).map(contradiction).collect();
    if let Some(problem) = Problem::of_body(faults) {
        return Err(problem);
    }
    let wish = Wish::of_database(&object, &system, &class);
    once::mark(&mut object, asked);
    Ok((create(caller, department, name, &object, asked.run).await?, wish))
}
