//! Who attacks: people of other departments in each of their roles and a program with one, to whom the department is not
//! there; and officials, who may look into every department and whose rights end somewhere.

use http::{Method, StatusCode};
use jiyun_lab::wait_for;
use jiyun_tests::{
    Caller, WorldError,
    world::{Bureau, PATIENCE, Quota},
};
use serde_json::json;

use super::{Route, victim::Victim};

/// The roles of a department's people.
pub const ROLES: [&str; 3] = ["operator", "reader", "approver"];

/// A `ServiceAccount` with a role in one department.
pub struct Program {
    pub token: String,
    pub caller: Caller,
}

impl Program {
    /// A new one with `role` in `bureau`; it is let in there by now.
    pub async fn of(bureau: &Bureau<'_>, role: &str) -> Result<Self, WorldError> {
        let lab = &bureau.world.lab;
        let namespace = lab.namespace().await?;
        let account = json!({
            "apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "program", "namespace": namespace},
        });
        let binding = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
            "metadata": {"name": format!("program-{namespace}"), "namespace": format!("dept-{}", bureau.name)},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
            "subjects": [{"kind": "ServiceAccount", "name": "program", "namespace": namespace}],
        });
        for object in [account, binding] {
            lab.apply_text(&object.to_string()).await?;
        }
        let token = lab.user_token(&namespace, "program").await?;
        let caller = bureau.world.stranger()?.with_token(Some(token.clone()));
        wait_for(format!("a program to be {role} in {}", bureau.name), PATIENCE, || async {
            let answer = caller.get(&bureau.hosts_path()).await.map_err(|error| error.to_string())?;
            if answer.status == StatusCode::OK { Ok(()) } else { Err(format!("{answer:?}")) }
        })
        .await?;
        Ok(Self { token, caller })
    }
}

/// Makes `victim` a unit below a new department, which it does not open itself to; gives that department.
pub async fn above<'a>(victim: &Victim<'a>) -> Result<Bureau<'a>, WorldError> {
    let world = victim.bureau().world;
    let above = world.department(Quota::AMPLE).await?;
    let below = json!({"spec": {"parentRef": {"name": above.name}}}).to_string();
    world.lab.kubectl(&["patch", "department", victim.name(), "--type=merge", "-p", &below]).await?;
    Ok(above)
}

/// Everybody to whom `victim` must look like a department that is not there.
pub async fn outsiders(victim: &Victim<'_>, attacker: &Bureau<'_>) -> Result<Vec<(String, Caller)>, WorldError> {
    let world = attacker.world;
    let above = above(victim).await?;
    let mut callers = vec![
        ("nobody".to_owned(), world.stranger()?),
        ("a made-up token".to_owned(), world.stranger()?.with_token(Some("a".repeat(64)))),
    ];
    for (unit, place) in [(&attacker.name, "beside it"), (&above.name, "above it")] {
        for role in ROLES {
            callers.push((format!("{role} of the unit {place}"), world.caller(&format!("{unit}-{role}"))?));
        }
    }
    let program = Program::of(attacker, "jiyun-department-operator").await?;
    callers.push(("a program of the unit beside it".to_owned(), program.caller));
    Ok(callers)
}

/// Somebody who may look at parts of a department that is not theirs.
pub struct Official {
    pub who: &'static str,
    pub caller: Caller,
    /// What they see, in the words of [`Route::about`]. They are told that they may not change it.
    sees: &'static [&'static str],
    /// Those of them that they may change all the same; they make none and end none.
    patches: &'static [&'static str],
}

impl Official {
    /// The answer a route has for them: of what they do not see it says that it is not there.
    pub(super) fn expects(&self, route: &Route) -> StatusCode {
        let is_among = |words: &[&str]| words.contains(&route.about());
        if !is_among(self.sees) {
            return StatusCode::NOT_FOUND;
        }
        if route.path.ends_with("/hosts/{name}/restore") {
            // The victim's host runs: nobody has it restored, and they see that it does.
            return StatusCode::CONFLICT;
        }
        if route.is_console() {
            return StatusCode::FORBIDDEN;
        }
        let may = route.method == Method::GET || route.method == Method::PATCH && is_among(self.patches);
        if may { StatusCode::OK } else { StatusCode::FORBIDDEN }
    }
}

/// The officials, and where their rights end, as `docs/roles.md` says it.
pub async fn officials(victim: &Victim<'_>) -> Result<Vec<Official>, WorldError> {
    let world = victim.bureau().world;
    let official =
        |who: &'static str, caller: Caller, sees: &'static [&'static str]| Official { who, caller, sees, patches: &[] };
    let approver = Program::of(victim.bureau(), "jiyun-platform-approver").await?;
    Ok(vec![
        official("finance", world.caller("finance")?, &["quota", "usage"]),
        official(
            "auditor",
            world.caller("auditor")?,
            &[
                "hosts",
                "databases",
                "volumes",
                "buckets",
                "snapshots",
                "systems",
                "flows",
                "orders",
                "inbox",
                "quota",
                "usage",
                "audit-records",
            ],
        ),
        Official {
            who: "platform operator",
            caller: world.caller("operator")?,
            sees: &[
                "hosts",
                "databases",
                "volumes",
                "buckets",
                "snapshots",
                "systems",
                "flows",
                "orders",
                "inbox",
                "quota",
                "usage",
            ],
            patches: &["systems"],
        },
        // The lab has no person of this role, and one bound everywhere would reach into other tests. That it is a program
        // makes one difference: its right to decide is worth nothing.
        official(
            "platform approver",
            approver.caller,
            &["hosts", "databases", "volumes", "buckets", "snapshots", "systems", "flows", "orders", "inbox", "quota"],
        ),
    ])
}
