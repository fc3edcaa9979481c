//! Cloud databases (云数据库): ordering one. What was decided is read as that of hosts is.

use jiyun_crds::v1alpha1::{CloudDatabase, DatabaseClass, InformationSystem, NetworkZone, misfit::database_misfits};

use super::{
    App,
    create::create,
    host::{Wish, contradiction, system_there, there},
    once::{self, Asked, Created},
};
use crate::{
    extract::DepartmentName,
    model::DatabaseOrder,
    problem::{Code, Problem},
    store::Caller,
};

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
