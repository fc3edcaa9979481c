//! Approvals (审批意见): deciding about an order as it was looked at, once, in the caller's own name.

use jiyun_crds::v1alpha1::{Approval, ApprovalDecision, ApprovalSpec, LocalRef, Order, OrderStatus};
use kube::core::ObjectMeta;

use super::{
    App,
    create::create,
    list::{self, Page, Question},
    noun::{Noun, called},
    once::{Created, name_from},
    order::{not_open, order_state},
};
use crate::{
    extract::{DepartmentName, ObjectPath},
    model::{ApprovalDraft, OrderState},
    problem::{Code, Problem},
    store::{Caller, Run},
};

impl Noun for Approval {
    const LETTER: char = 'a';

    fn state_word(&self) -> &'static str {
        self.spec.decision.into()
    }
}

impl App {
    /// Decides about an order, or finds the same decision that the caller has made before. Gives the order as it was looked
    /// at, too.
    pub async fn decide(
        &self,
        caller: &Caller,
        path: &ObjectPath,
        draft: ApprovalDraft,
        run: Run,
    ) -> Result<(Created<Approval>, Order), Problem> {
        let decision = ApprovalDecision::from(draft.decision);
        if decision == ApprovalDecision::Refuse && draft.reason.trim().is_empty() {
            return Err(Problem::field("reason", "不同意时须填写理由 (a refusal needs a reason)"));
        }
        let order: Order = self.look(caller, path).await?;
        let user = caller.user().await?.name;
        let status = order.status.clone().unwrap_or_default();
        let (Some(level), Some(digest), OrderState::AwaitingApproval) =
            (&status.level, &status.digest, order_state(&order))
        else {
            let before = self.before(caller, path, &status, &user, decision).await?;
            return before.map(|found| (found, order.clone())).ok_or_else(|| not_open(path, order_state(&order)));
        };
        if draft.digest.is_some_and(|looked_at| looked_at != *digest) {
            let what = called::<Order>(&path.department, path.name.as_str());
            return Err(Problem::new(Code::OrderChanged, [("what", what)]));
        }
        if let Some(found) = self.before(caller, path, &status, &user, decision).await? {
            return Ok((found, order));
        }
        let uid = order.metadata.uid.clone().unwrap_or_default();
        let name = name_from::<Approval>(&[&uid, level, &user]);
        let approval = Approval {
            metadata: ObjectMeta {
                name: Some(name.clone()),
                namespace: Some(path.department.namespace()),
                ..ObjectMeta::default()
            },
            spec: ApprovalSpec {
                order_ref: LocalRef::new(path.name.as_str()),
                order_uid: uid,
                digest: digest.clone(),
                level: level.clone(),
                decision,
                reason: draft.reason,
            },
            status: None,
        };
        match create(caller, &path.department, &name, &approval, run).await {
            Ok(object) => Ok((Created { object, replayed: false }, order)),
            Err(problem) if problem.is(Code::AlreadyExists) => {
                Ok((again(caller, &path.department, &name, decision).await?, order))
            }
            Err(problem) => Err(problem),
        }
    }

    /// What the caller has decided about the order before, where it counts: one person decides once.
    async fn before(
        &self,
        caller: &Caller,
        path: &ObjectPath,
        status: &OrderStatus,
        user: &str,
        decision: ApprovalDecision,
    ) -> Result<Option<Created<Approval>>, Problem> {
        let Some(mine) = status.decisions.iter().find(|row| row.user == user) else { return Ok(None) };
        again(caller, &path.department, &mine.approval, decision).await.map(Some)
    }

    /// A page of what was decided about an order, and the order.
    pub async fn approvals(
        &self,
        caller: &Caller,
        path: &ObjectPath,
        limit: u32,
        place: Option<String>,
    ) -> Result<(Page<Approval>, Order), Problem> {
        let order: Order = self.look(caller, path).await?;
        let fields = vec![("spec.orderRef.name", path.name.as_str().to_owned())];
        let question = Question { limit, place, fields, state: None, order: list::Order::Name };
        Ok((self.list(caller, &path.department, &question).await?, order))
    }
}

/// The approval called `name`, if it says `decision`.
async fn again(
    caller: &Caller,
    department: &DepartmentName,
    name: &str,
    decision: ApprovalDecision,
) -> Result<Created<Approval>, Problem> {
    let found = caller.get::<Approval>(Some(&department.namespace()), name).await;
    let object = found.map_err(|error| Problem::from_kubernetes(error, called::<Approval>(department, name)))?;
    if object.spec.decision != decision {
        let what = called::<Order>(department, &object.spec.order_ref.name);
        return Err(Problem::new(Code::AlreadyDecided, [("what", what)]));
    }
    Ok(Created { object, replayed: true })
}
