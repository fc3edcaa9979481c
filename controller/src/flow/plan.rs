//! What is left to do to the walls: a function from what should be and what is there to steps with their reason. What is
//! open beyond what should be is closed first.

use serde_json::Value;

use crate::engines::{
    applied,
    network::{PolicyView, name_of, namespace_of, stands},
};

/// One thing to do.
#[derive(Debug)]
pub enum Step<'a> {
    /// Delete a policy that should not be.
    Delete(&'a PolicyView),
    /// Apply a policy.
    Apply(&'a Value, Why),
}

/// Why a policy is applied; logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It does not exist.
    Missing,
    /// What was approved, or who is at its ends, differs from what was applied last.
    Changed,
    /// Somebody changed it past us.
    Drifted,
}

/// Steps from `observed` to `desired`; none when they agree.
pub fn plan<'a>(desired: &'a [Value], observed: &'a [PolicyView]) -> Vec<Step<'a>> {
    let is = |policy: &PolicyView, wanted: &Value| {
        policy.metadata.name.as_deref() == Some(name_of(wanted))
            && policy.metadata.namespace.as_deref() == Some(namespace_of(wanted))
    };
    let unwanted = observed.iter().filter(|policy| {
        policy.metadata.deletion_timestamp.is_none() && !desired.iter().any(|wanted| is(policy, wanted))
    });
    let mut steps: Vec<Step<'a>> = unwanted.map(Step::Delete).collect();
    for wanted in desired {
        let why = match observed.iter().find(|policy| is(policy, wanted)) {
            None => Why::Missing,
            Some(policy) if !applied::is_applied(&policy.metadata, wanted) => Why::Changed,
            Some(policy) if !stands(policy, wanted) => Why::Drifted,
            Some(_) => continue,
        };
        steps.push(Step::Apply(wanted, why));
    }
    steps
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn desired(port: u32) -> Value {
        applied::stamped(json!({
            "metadata": {"name": "flow-claim-1.book-out", "namespace": "engine-tax"},
            "spec": {"podSelector": {}, "policyTypes": ["Egress"],
                     "egress": [{"to": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": []}}],
                                 "ports": [{"protocol": "TCP", "port": port, "endPort": port}]}]},
        }))
    }

    fn observed(of: &Value) -> PolicyView {
        let mut object = of.clone();
        // As the API server gives it back: what is empty is left out.
        object["spec"]["egress"][0]["to"][0]["ipBlock"].as_object_mut().unwrap().remove("except");
        serde_json::from_value(object).unwrap()
    }

    fn words(steps: &[Step<'_>]) -> Vec<String> {
        let word = |step: &Step<'_>| match step {
            Step::Delete(policy) => format!("delete {}", policy.metadata.name.as_deref().unwrap()),
            Step::Apply(_, why) => format!("{why:?}"),
        };
        steps.iter().map(word).collect()
    }

    #[test]
    fn nothing_is_sent_where_nothing_changed() {
        assert!(plan(&[desired(80)], &[observed(&desired(80))]).is_empty());
    }

    #[test]
    fn what_is_missing_changed_or_edited_past_us_is_put_right() {
        assert_eq!(words(&plan(&[desired(80)], &[])), ["Missing"]);
        assert_eq!(words(&plan(&[desired(80)], &[observed(&desired(81))])), ["Changed"]);
        for (path, value) in [
            ("/spec/egress/0/ports/0/endPort", json!(65535)),
            ("/spec/egress", json!([{}])),
            ("/spec/policyTypes", json!(["Egress", "Ingress"])),
            ("/spec/podSelector", json!({"matchLabels": {"a": "b"}})),
        ] {
            let mut edited = desired(80);
            *edited.pointer_mut(path).unwrap() = value;
            let edited: PolicyView = serde_json::from_value(edited).unwrap();
            assert_eq!(words(&plan(&[desired(80)], &[edited])), ["Drifted"], "{path}");
        }
        let mut opened = desired(80);
        opened["spec"]["ingress"] = json!([{}]);
        let opened: PolicyView = serde_json::from_value(opened).unwrap();
        assert_eq!(words(&plan(&[desired(80)], &[opened])), ["Drifted"], "a field we never set");
    }

    #[test]
    fn what_should_not_be_open_is_closed_before_anything_is_opened() {
        let mut other = desired(80);
        other["metadata"]["namespace"] = json!("engine-court");
        let wanted = [desired(80)];
        let there = [observed(&other)];
        assert_eq!(words(&plan(&wanted, &there)), ["delete flow-claim-1.book-out", "Missing"]);
    }
}
