//! Filing an order: for objects that are there, or with hosts that are created for it. The order comes last, since it is
//! what the platform acts upon: hosts that name it do nothing until it is there.

use jiyun_crds::v1alpha1::{
    CloudBucket, CloudDatabase, CloudHost, CloudSnapshot, CloudVolume, DatabaseClass, HostClass, InformationSystem,
    NetworkFlow, Order,
};
use tracing::Instrument;

use super::hosts;
use crate::{
    app::{
        App,
        create::create,
        host::{Wish, system_there, there},
        noun::called,
        once::{self, Asked, Created},
        snapshot::Source,
    },
    extract::DepartmentName,
    model::{ItemFiling, OrderAction, OrderFiling, OrderedKind, order_filing::place},
    problem::{Code, Fault, Problem},
    store::Caller,
};

impl App {
    /// Files the order called `name`, or finds the one an earlier request with the same key has filed. It goes on to its end
    /// whether or not the caller waits for it, so that no half of it stays behind. Gives what a new one asks of the ledger, too.
    pub async fn file_order(
        &self,
        caller: &Caller,
        department: &DepartmentName,
        name: &str,
        filing: OrderFiling,
        asked: &Asked,
    ) -> Result<(Created<Order>, Vec<Wish>), Problem> {
        let names = item_names(caller, department, &filing, asked).await?;
        filing.validate(name, &names)?;
        let (by, at, order, wish) = (caller.clone(), department.clone(), name.to_owned(), asked.clone());
        let work = async move {
            match file(&by, &at, &order, &filing, &names, &wish).await {
                Ok((object, wishes)) => Ok((Created { object, replayed: false }, wishes)),
                Err(problem) if is_about_an_item(&problem) => Err(problem),
                Err(problem) => Ok((once::again(&by, &at, &order, &wish, problem).await?, Vec::new())),
            }
        };
        // Its lines in the log keep the number of the request.
        let filed = tokio::spawn(work.in_current_span());
        filed.await.map_err(|error| Problem::bare(Code::Internal).because(error))?
    }
}

/// Whether the name of an item is taken, which says nothing about the order.
fn is_about_an_item(problem: &Problem) -> bool {
    problem.status == http::StatusCode::CONFLICT
        && problem.fault.field.as_ref().is_some_and(|field| field.starts_with("items["))
}

/// What each item is called. A host without a name takes it from the key.
async fn item_names(
    caller: &Caller,
    department: &DepartmentName,
    filing: &OrderFiling,
    asked: &Asked,
) -> Result<Vec<String>, Problem> {
    let mut names = Vec::with_capacity(filing.items.len());
    let mut user = None;
    for (index, item) in filing.items.iter().enumerate() {
        let name = match (item.given_name(), &asked.key) {
            (Some(name), _) => name.to_owned(),
            (None, Some(key)) if item.host.is_some() => {
                let user = match &user {
                    Some(user) => user,
                    None => user.insert(caller.user().await?.name),
                };
                once::name_of_part::<CloudHost>(department, key, index, user)
            }
            (None, _) => {
                return Err(Problem::field(
                    &item.name_field(index),
                    "请填写名称；云主机的名称也可由 Idempotency-Key 生成 (give a name; that of a host may also be made from Idempotency-Key)",
                ));
            }
        };
        names.push(name);
    }
    Ok(names)
}

async fn file(
    caller: &Caller,
    department: &DepartmentName,
    name: &str,
    filing: &OrderFiling,
    names: &[String],
    asked: &Asked,
) -> Result<(Order, Vec<Wish>), Problem> {
    let is_new = |item: &ItemFiling| item.host.is_some();
    let mut wishes = if filing.items.iter().all(is_new) {
        Vec::new()
    } else {
        check_references(caller, department, filing, names).await?
    };
    let mut order = filing.object(department, name, names);
    once::mark(&mut order, asked);
    if !filing.items.iter().any(is_new) {
        return Ok((create(caller, department, name, &order, asked.run).await?, wishes));
    }
    let drafts = hosts::drafted(caller, department, name, filing, names, asked).await?;
    wishes.extend(drafts.iter().filter_map(|draft| draft.wish.clone()));
    if asked.run.is_dry() {
        let preview = create(caller, department, name, &order, asked.run).await?;
        hosts::create_all(caller, department, drafts, asked, &mut Vec::new()).await?;
        return Ok((preview, wishes));
    }
    // A host that names an order which was decided before would be asked for anew.
    if is_there(caller, department, name).await? {
        return Err(Problem::new(Code::AlreadyExists, [("what", called::<Order>(department, name))]));
    }
    let mut made = Vec::new();
    let filed = match hosts::create_all(caller, department, drafts, asked, &mut made).await {
        Ok(()) => create(caller, department, name, &order, asked.run).await,
        Err(problem) => Err(problem),
    };
    match filed {
        Ok(order) => Ok((order, wishes)),
        Err(problem) if problem.is(Code::OutcomeUnknown) || made.is_empty() => Err(problem),
        // The same was asked twice at once, and the other has filed it: what was made here is what it asks for.
        Err(problem) if is_filed(caller, department, name, &order).await => Err(problem),
        Err(problem) => Err(hosts::take_back(caller, made, problem).await),
    }
}

/// Whether there is an order called `name`. One that was filed a moment ago may be missed; its name is taken all the same,
/// so this request's hosts are taken back.
async fn is_there(caller: &Caller, department: &DepartmentName, name: &str) -> Result<bool, Problem> {
    match caller.glimpse::<Order>(Some(&department.namespace()), name).await {
        Ok(_) => Ok(true),
        Err(error) if error.is_invisible() => Ok(false),
        Err(error) => Err(Problem::from_kubernetes(error, called::<Order>(department, name))),
    }
}

/// Whether there is an order called `name` that asks for what `wanted` does, or nobody can say.
async fn is_filed(caller: &Caller, department: &DepartmentName, name: &str, wanted: &Order) -> bool {
    match caller.get::<Order>(Some(&department.namespace()), name).await {
        Ok(found) => found.spec.items == wanted.spec.items,
        Err(error) => !error.is_invisible(),
    }
}

/// Looks up the objects that are to be there, in the order of the body and with the caller's own rights. Gives what those
/// of them that are to be granted ask of the ledger.
async fn check_references(
    caller: &Caller,
    department: &DepartmentName,
    filing: &OrderFiling,
    names: &[String],
) -> Result<Vec<Wish>, Problem> {
    let namespace = department.namespace();
    let system = caller.find::<InformationSystem>(Some(&namespace), &filing.system).await;
    let (mut faults, mut wishes) = (Vec::new(), Vec::new());
    let system = system_there(caller, department, "system", &filing.system, system, &mut faults).await?;
    for (index, (item, name)) in filing.items.iter().zip(names).enumerate().filter(|(_, (item, _))| item.host.is_none())
    {
        let field = item.name_field(index);
        let other = match item.kind {
            OrderedKind::CloudHost => None,
            OrderedKind::NetworkFlow => {
                let flow = caller.find::<NetworkFlow>(Some(&namespace), name).await;
                Some(there(&field, "NetworkFlow", name, flow, &mut faults)?.map(|flow| flow.spec.system_ref))
            }
            OrderedKind::CloudDatabase => {
                let database = caller.find::<CloudDatabase>(Some(&namespace), name).await;
                let database = there(&field, "CloudDatabase", name, database, &mut faults)?;
                if let Some((database, system)) =
                    database.as_ref().zip(system.as_ref()).filter(|_| item.action == OrderAction::Create)
                {
                    let class = caller.find::<DatabaseClass>(None, &database.spec.class_ref.name).await.ok();
                    wishes.extend(class.and_then(|class| Wish::of_database(database, system, &class)));
                }
                Some(database.map(|database| database.spec.system_ref))
            }
            OrderedKind::CloudVolume => {
                let volume = caller.find::<CloudVolume>(Some(&namespace), name).await;
                let volume = there(&field, "CloudVolume", name, volume, &mut faults)?;
                let created = volume.as_ref().zip(system.as_ref()).filter(|_| item.action == OrderAction::Create);
                wishes.extend(created.and_then(|(volume, system)| Wish::of_volume(volume, system)));
                Some(volume.map(|volume| volume.spec.system_ref))
            }
            OrderedKind::CloudBucket => {
                let bucket = caller.find::<CloudBucket>(Some(&namespace), name).await;
                let bucket = there(&field, "CloudBucket", name, bucket, &mut faults)?;
                let created = bucket.as_ref().zip(system.as_ref()).filter(|_| item.action == OrderAction::Create);
                wishes.extend(created.and_then(|(bucket, system)| Wish::of_bucket(bucket, system)));
                Some(bucket.map(|bucket| bucket.spec.system_ref))
            }
            OrderedKind::CloudSnapshot => {
                let snapshot = caller.find::<CloudSnapshot>(Some(&namespace), name).await;
                let snapshot = there(&field, "CloudSnapshot", name, snapshot, &mut faults)?;
                let created = snapshot.as_ref().zip(system.as_ref()).filter(|_| item.action == OrderAction::Create);
                if let Some((snapshot, system)) = created {
                    let source = Source::find(caller, &namespace, &snapshot.spec.source).await.ok();
                    wishes.extend(source.and_then(|source| Wish::of_snapshot(snapshot, system, &source.disk())));
                }
                Some(snapshot.map(|snapshot| snapshot.spec.system_ref))
            }
        };
        if let Some(system) = other {
            if system.is_some_and(|system| system.name != filing.system) {
                faults.push(of_other_system(index, name, &filing.system, &field));
            }
            continue;
        }
        let host = caller.find::<CloudHost>(Some(&namespace), name).await;
        let host = there(&field, "CloudHost", name, host, &mut faults)?;
        if let Some((host, system)) = host.as_ref().zip(system.as_ref()).filter(|_| item.action == OrderAction::Create)
        {
            let class = caller.find::<HostClass>(None, &host.spec.class_ref.name).await.ok();
            wishes.extend(class.and_then(|class| Wish::new(host, system, &class)));
        }
        if host.is_some_and(|host| host.spec.system_ref.name != filing.system) {
            faults.push(of_other_system(index, name, &filing.system, &field));
        }
    }
    Problem::of_body(faults).map_or(Ok(wishes), Err)
}

/// That the item number `index` is not of the system of the order.
fn of_other_system(index: usize, name: &str, system: &str, field: &str) -> Fault {
    let parameters = jiyun_messages::parameters([("name", name), ("system", system), ("field", field)]);
    Fault { field: Some(place(index)), code: "ItemOfOtherSystem".into(), parameters }
}
