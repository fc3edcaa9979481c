//! Who has to agree to an order: all policies that apply, combined to the strictest.

use std::collections::BTreeSet;

use jiyun_crds::{
    quantity::InvalidQuantity,
    v1alpha1::{
        ApprovalMode, ApprovalPolicy, ApproverRole, AutomaticLimits, Evidence, FlowReach, OrderAction, PolicyLevel,
        PolicyScope, QuotaScope, RequiredLevel,
    },
};

/// Name that stands for the platform's own policy: where none applies, the department's approvers decide.
pub const DEFAULT_POLICY: &str = "default";
/// The level it asks for.
const DEFAULT_LEVEL: &str = "department";
/// Working days that level has.
const DEFAULT_DAYS: u32 = 5;
/// Its place among others' levels.
const DEFAULT_RANK: u32 = 50;

/// What an order asks for, all items together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// vCPUs.
    pub vcpu: u64,
    /// Memory in MiB.
    pub memory_mebibytes: u64,
    /// Block storage in MiB.
    pub storage_mebibytes: u64,
    /// Object storage in MiB.
    pub object_mebibytes: u64,
}

impl std::ops::Add for Size {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            vcpu: self.vcpu.saturating_add(other.vcpu),
            memory_mebibytes: self.memory_mebibytes.saturating_add(other.memory_mebibytes),
            storage_mebibytes: self.storage_mebibytes.saturating_add(other.storage_mebibytes),
            object_mebibytes: self.object_mebibytes.saturating_add(other.object_mebibytes),
        }
    }
}

/// What an item of an order is about. Each is covered by policies of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum About {
    /// Something that takes amounts: a host.
    Resources,
    /// A network flow that reaches so far.
    Flow(FlowReach),
}

/// What policies look at.
#[derive(Clone, Debug)]
pub struct Facts<'a> {
    /// The department that asks, then the units above it.
    pub path: Vec<&'a str>,
    /// What its items are about.
    pub about: BTreeSet<About>,
    /// What is to happen.
    pub actions: BTreeSet<OrderAction>,
    /// Network zones of the system, and of those at the other end of a flow.
    pub zones: BTreeSet<String>,
    /// Protection level (等保级别) of the system, 1..=4; the highest, where there are several.
    pub protection_level: u8,
    /// How much.
    pub size: Size,
    /// Whether it takes a meter beyond what the department is guaranteed.
    pub beyond_guaranteed: bool,
}

/// Whom the roles of policies stand for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Approvers<'a> {
    /// Groups of approvers of the department.
    pub department: &'a [String],
    /// Those of the unit above; of the root itself, where there is none above.
    pub parent: &'a [String],
}

/// What has to happen before an order is approved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// The policies that apply.
    pub policies: Vec<String>,
    /// Who has to agree, in this order; nobody: it goes through by itself.
    pub levels: Vec<RequiredLevel>,
    /// What it has to carry.
    pub evidence: BTreeSet<Evidence>,
    /// Whether more would be asked if it went beyond what is guaranteed to the department: then it may be granted or held
    /// only if it does not, on the very state of the book that this is decided on.
    pub only_within_guaranteed: bool,
}

impl Requirement {
    /// Whether nobody has to agree.
    pub fn is_automatic(&self) -> bool {
        self.levels.is_empty()
    }

    /// The first level behind which nobody is.
    pub fn without_people(&self) -> Option<&RequiredLevel> {
        let deserted = |level: &&RequiredLevel| level.groups.is_empty();
        self.levels.iter().find(deserted)
    }
}

/// What the policies ask of an order. A policy whose limits cannot be read lets nothing through.
pub fn required(policies: &[ApprovalPolicy], facts: &Facts<'_>, approvers: Approvers<'_>) -> Requirement {
    let asked = asked_of(policies, facts, approvers);
    if facts.beyond_guaranteed {
        return asked;
    }
    let beyond = asked_of(policies, &Facts { beyond_guaranteed: true, ..facts.clone() }, approvers);
    let only_within_guaranteed = (&beyond.levels, &beyond.evidence) != (&asked.levels, &asked.evidence);
    Requirement { only_within_guaranteed, ..asked }
}

fn asked_of(policies: &[ApprovalPolicy], facts: &Facts<'_>, approvers: Approvers<'_>) -> Requirement {
    let mut applying: Vec<&ApprovalPolicy> =
        policies.iter().filter(|policy| applies(&policy.spec.applies_to, facts)).collect();
    applying.sort_by(|a, b| a.metadata.name.cmp(&b.metadata.name));
    let mut evidence = BTreeSet::new();
    let mut asked: Vec<(u32, RequiredLevel, String)> = Vec::new();
    for policy in &applying {
        evidence.extend(policy.spec.evidence.iter().copied());
        if policy.spec.automatic.as_ref().is_some_and(|limits| lets(limits, facts.size).unwrap_or(false)) {
            continue;
        }
        let name = policy.metadata.name.clone().unwrap_or_default();
        if policy.spec.levels.is_empty() {
            asked.push((DEFAULT_RANK, default_level(approvers), name));
        } else {
            let levels = policy.spec.levels.iter();
            asked.extend(levels.map(|level| (level.rank, resolved(level, approvers), name.clone())));
        }
    }
    let mut names: Vec<String> = applying.iter().filter_map(|policy| policy.metadata.name.clone()).collect();
    // What no policy is about is not let through by one that is about something else.
    let covered = |about: &About| applying.iter().any(|policy| is_about(&policy.spec.applies_to, *about));
    if applying.is_empty() || !facts.about.iter().all(covered) {
        names.push(DEFAULT_POLICY.to_owned());
        asked.push((DEFAULT_RANK, default_level(approvers), DEFAULT_POLICY.to_owned()));
    }
    Requirement { policies: names, levels: combined(asked), evidence, only_within_guaranteed: false }
}

fn is_about(scope: &PolicyScope, about: About) -> bool {
    match about {
        About::Resources => scope.flows.is_empty(),
        About::Flow(reach) => scope.flows.contains(&reach),
    }
}

fn applies(scope: &PolicyScope, facts: &Facts<'_>) -> bool {
    let PolicyScope { departments: _, actions, zones, min_protection_level, quota, flows: _ } = scope;
    let of_kind = facts.about.iter().any(|about| is_about(scope, *about));
    let of_department = is_of(scope, &facts.path);
    let of_action = actions.is_empty() || actions.iter().any(|action| facts.actions.contains(action));
    let of_zone = zones.is_empty() || zones.iter().any(|zone| facts.zones.contains(zone));
    let of_level = u32::from(facts.protection_level) >= *min_protection_level;
    let of_quota = match quota {
        QuotaScope::Any => true,
        QuotaScope::BeyondGuaranteed => facts.beyond_guaranteed,
    };
    of_kind && of_department && of_action && of_zone && of_level && of_quota
}

/// Whether a policy is for the department that `path` begins with, units above it following.
pub(crate) fn is_of(scope: &PolicyScope, path: &[&str]) -> bool {
    scope.departments.is_empty() || scope.departments.iter().any(|name| path.contains(&name.as_str()))
}

/// The first level of `policy` behind which nobody is, whichever department asks. `units` are the departments there are: each
/// with those above it, and whom roles stand for there. A policy that is for none of them has no such level.
pub fn without_people<'a>(policy: &'a ApprovalPolicy, units: &[(Vec<&str>, Approvers<'_>)]) -> Option<&'a PolicyLevel> {
    let asking = units.iter().filter(|(path, _)| is_of(&policy.spec.applies_to, path));
    let asking: Vec<Approvers<'_>> = asking.map(|(_, approvers)| *approvers).collect();
    let deserted = |level: &&PolicyLevel| asking.iter().all(|people| resolved(level, *people).groups.is_empty());
    if asking.is_empty() { None } else { policy.spec.levels.iter().find(deserted) }
}

fn lets(limits: &AutomaticLimits, size: Size) -> Result<bool, InvalidQuantity> {
    Ok(size.vcpu <= u64::from(limits.vcpu)
        && size.memory_mebibytes <= limits.memory.mebibytes()?
        && size.storage_mebibytes <= limits.block_storage.mebibytes()?
        && size.object_mebibytes <= limits.object_storage.mebibytes()?)
}

fn default_level(approvers: Approvers<'_>) -> RequiredLevel {
    RequiredLevel {
        name: DEFAULT_LEVEL.to_owned(),
        groups: approvers.department.to_vec(),
        mode: ApprovalMode::Any,
        working_days: DEFAULT_DAYS,
        remind_after: None,
        escalate_to: Vec::new(),
    }
}

/// A level with the groups that its roles stand for.
pub(crate) fn resolved(level: &PolicyLevel, approvers: Approvers<'_>) -> RequiredLevel {
    let of_role = |role: &ApproverRole| match role {
        ApproverRole::DepartmentApprovers => approvers.department,
        ApproverRole::ParentApprovers => approvers.parent,
    };
    let groups: BTreeSet<String> = level.roles.iter().flat_map(of_role).chain(&level.groups).cloned().collect();
    RequiredLevel {
        name: level.name.clone(),
        groups: groups.into_iter().collect(),
        mode: level.mode,
        working_days: level.working_days,
        remind_after: level.remind_after,
        escalate_to: level.escalate_to.clone(),
    }
}

/// All levels in their order. The same people asked by two policies are asked once, with the shorter time; asked twice
/// by one policy, they are two. Others of the same name are told apart by their policy.
fn combined(mut asked: Vec<(u32, RequiredLevel, String)>) -> Vec<RequiredLevel> {
    asked.sort_by(|(rank, level, policy), (other, beside, its)| {
        (rank, &level.name, policy).cmp(&(other, &beside.name, its))
    });
    let mut levels: Vec<(RequiredLevel, BTreeSet<String>)> = Vec::new();
    for (_, level, policy) in asked {
        let same = |(known, by): &&mut (RequiredLevel, BTreeSet<String>)| {
            known.groups == level.groups && known.mode == level.mode && !by.contains(&policy)
        };
        if let Some((known, by)) = levels.iter_mut().find(same) {
            known.working_days = known.working_days.min(level.working_days);
            known.remind_after = [known.remind_after, level.remind_after].into_iter().flatten().min();
            // Whoever may step in has to be named by every policy.
            known.escalate_to.retain(|group| level.escalate_to.contains(group));
            by.insert(policy);
            continue;
        }
        let taken = levels.iter().any(|(known, _)| known.name == level.name);
        let name = if taken { fitting(&format!("{}-{policy}", level.name)) } else { level.name.clone() };
        levels.push((RequiredLevel { name, ..level }, BTreeSet::from([policy])));
    }
    levels.into_iter().map(|(level, _)| level).collect()
}

/// At most 63 characters, ending in none that a label may not end in.
fn fitting(name: &str) -> String {
    let plain = name.replace('.', "-");
    plain.chars().take(63).collect::<String>().trim_end_matches('-').to_owned()
}

#[cfg(test)]
#[path = "requirement_tests.rs"]
mod tests;
