//! Ordering a host: first everything it names is looked up, so that a wrong order leaves nothing behind; then the
//! object is created, which is the request.

use jiyun_crds::v1alpha1::{
    CloudHost,
    misfit::{Misfit, misfits, retired},
    user_data,
};

use super::{
    Wish,
    references::{Named, References},
};
use crate::{
    app::{
        App,
        create::create,
        once::{self, Asked, Created},
        snapshot::host_misfits,
    },
    extract::DepartmentName,
    model::HostOrder,
    problem::{Fault, Problem, our_field},
    store::Caller,
};

impl App {
    /// Creates the host called `name` that `order` asks for, or finds the one an earlier request with the same key has
    /// created. Gives what a new one asks of the ledger, too.
    pub async fn order_host(
        &self,
        caller: &Caller,
        department: &DepartmentName,
        name: &str,
        order: HostOrder,
        asked: &Asked,
    ) -> Result<(Created<CloudHost>, Option<Wish>), Problem> {
        match place(caller, department, name, order, asked).await {
            Ok((object, wish)) => Ok((Created { object, replayed: false }, wish)),
            Err(problem) => Ok((once::again(caller, department, name, asked, problem).await?, None)),
        }
    }
}

async fn place(
    caller: &Caller,
    department: &DepartmentName,
    name: &str,
    order: HostOrder,
    asked: &Asked,
) -> Result<(CloudHost, Option<Wish>), Problem> {
    order.validate(name)?;
    let references = References::of(caller, department, [&order], asked.run).await?;
    let Draft { mut host, wish } = drafted(department, name, order, &references)?;
    once::mark(&mut host, asked);
    Ok((create(caller, department, name, &host, asked.run).await?, wish))
}

/// A host that is to be created.
pub(in crate::app) struct Draft {
    /// As it is to be.
    pub host: CloudHost,
    /// What it asks of the ledger.
    pub wish: Option<Wish>,
}

/// The host called `name` that the valid `order` asks for, checked against all it names; `references` are those of it.
///
/// # Errors
/// What does not fit, or is not there.
pub(in crate::app) fn drafted(
    department: &DepartmentName,
    name: &str,
    order: HostOrder,
    references: &References,
) -> Result<Draft, Problem> {
    let Named { system, class, image, snapshot, user_data } = references.named_by(&order)?;
    let host = order.into_object(department, name);
    let apart = snapshot.map(|snapshot| host_misfits(&host.spec, snapshot)).unwrap_or_default();
    let unfit = user_data.and_then(|secret| user_data::text(secret).err());
    let unfit = retired(&host.spec, image).into_iter().chain(unfit);
    let faults = misfits(&host.spec, system, class, image).chain(apart).chain(unfit).map(contradiction).collect();
    let wish = Wish::new(&host, system, class);
    Problem::of_body(faults).map_or(Ok(Draft { host, wish }), Err)
}

/// Two things that do not fit, as a fault of the body.
pub(in crate::app) fn contradiction(misfit: Misfit) -> Fault {
    let field = our_field(misfit.field).unwrap_or_default();
    let about = misfit.parameters.into_iter().chain([("field", field.clone())]);
    Fault { field: Some(field), code: misfit.code.into(), parameters: jiyun_messages::parameters(about) }
}
