//! The table of refusals (`refusals.yaml`) fits the types: its valid objects are complete, and the sentences it expects
//! are those of the rules. That the API server answers so is tested against a real one.

#[cfg(test)]
mod table {
    use std::collections::BTreeMap;

    use jiyun_crds::v1alpha1::{self, *};
    use serde::Deserialize;
    use serde::de::DeserializeOwned;
    use serde_json::{Value, json};

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Table {
        valid: BTreeMap<String, Value>,
        cases: Vec<Case>,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Case {
        kind: String,
        #[serde(default)]
        set: BTreeMap<String, Value>,
        #[serde(default)]
        then: BTreeMap<String, Value>,
        status: Option<Value>,
        message: String,
    }

    fn table() -> Table {
        serde_yaml::from_str(include_str!("refusals.yaml")).unwrap()
    }

    fn read<K: DeserializeOwned>(object: Value) {
        serde_json::from_value::<K>(object).unwrap();
    }

    #[test]
    fn there_is_a_valid_object_of_every_kind_and_it_is_complete() {
        let Table { valid, .. } = table();
        for definition in v1alpha1::definitions() {
            let kind = definition.spec.names.kind;
            let mut object = valid.get(&kind).unwrap_or_else(|| panic!("no valid {kind}")).clone();
            object["apiVersion"] = json!("jiyun.io/v1alpha1");
            object["kind"] = json!(kind);
            match kind.as_str() {
                "Approval" => read::<Approval>(object),
                "ApprovalPolicy" => read::<ApprovalPolicy>(object),
                "CloudBucket" => read::<CloudBucket>(object),
                "CloudDatabase" => read::<CloudDatabase>(object),
                "CloudHost" => read::<CloudHost>(object),
                "CloudSnapshot" => read::<CloudSnapshot>(object),
                "CloudVolume" => read::<CloudVolume>(object),
                "ComputePool" => read::<ComputePool>(object),
                "DatabaseClass" => read::<DatabaseClass>(object),
                "Department" => read::<Department>(object),
                "Handover" => read::<Handover>(object),
                "HostClass" => read::<HostClass>(object),
                "HostImage" => read::<HostImage>(object),
                "InformationSystem" => read::<InformationSystem>(object),
                "NetworkFlow" => read::<NetworkFlow>(object),
                "NetworkZone" => read::<NetworkZone>(object),
                "Order" => read::<Order>(object),
                "PriceList" => read::<PriceList>(object),
                "QuotaReport" => read::<QuotaReport>(object),
                "Site" => read::<Site>(object),
                "StoragePool" => read::<StoragePool>(object),
                other => panic!("{other} is not in the test"),
            }
        }
    }

    #[test]
    fn every_case_changes_something_and_expects_a_sentence_of_its_own_kind() {
        let Table { valid, cases } = table();
        let texts: BTreeMap<String, String> = v1alpha1::definitions()
            .into_iter()
            .map(|definition| (definition.spec.names.kind.clone(), serde_json::to_string(&definition).unwrap()))
            .collect();
        for case in cases {
            assert!(valid.contains_key(&case.kind), "{}: {}", case.kind, case.message);
            assert!(case.set.is_empty() != case.then.is_empty(), "{}: {}", case.kind, case.message);
            assert!(case.status.is_none() || case.set.is_empty(), "{}: {}", case.kind, case.message);
            let chinese = case.message.chars().any(|c| c > '\u{4e00}');
            if chinese {
                assert!(texts[&case.kind].contains(&case.message), "no rule of {} says {:?}", case.kind, case.message);
            }
        }
    }

    #[test]
    fn every_rule_is_tried_by_a_case() {
        // Rules that many fields share are tried where they matter most.
        const SHARED: [&str; 4] = ["须为一行文字", "引用的名称", "网络区域至少填写一项", "名称不超过 63 个字符"];
        // There is one currency and one engine only: no other value gets as far as the rule.
        const OUT_OF_REACH: [&str; 2] = ["货币创建后不可修改", "数据库引擎创建后不可修改"];
        let Table { cases, .. } = table();
        let mut untried = Vec::new();
        for definition in v1alpha1::definitions() {
            let kind = definition.spec.names.kind.clone();
            let text = serde_json::to_value(&definition).unwrap();
            let mut messages = Vec::new();
            collect_messages(&text, &mut messages);
            for message in messages {
                let tried = cases.iter().any(|case| case.kind == kind && message.contains(&case.message));
                if !tried && !SHARED.iter().chain(&OUT_OF_REACH).any(|exempt| message.contains(exempt)) {
                    untried.push(format!("{kind}: {message}"));
                }
            }
        }
        assert!(untried.is_empty(), "{}", untried.join("\n"));
    }

    fn collect_messages(value: &Value, into: &mut Vec<String>) {
        match value {
            Value::Object(object) => {
                for rule in object.get("x-kubernetes-validations").and_then(Value::as_array).into_iter().flatten() {
                    into.extend(rule["message"].as_str().map(str::to_owned));
                }
                object.values().for_each(|child| collect_messages(child, into));
            }
            Value::Array(children) => children.iter().for_each(|child| collect_messages(child, into)),
            _ => {}
        }
    }
}
