//! The house rules of the API, checked on every generated definition: bounds, types, lists, descriptions, columns, and
//! the table of field classes against schemas and immutability rules.

#[cfg(test)]
#[path = "house_rules/schema_walk.rs"]
mod schema_walk;

#[cfg(test)]
mod rules {
    use std::collections::{BTreeMap, BTreeSet};
    use std::str::FromStr;

    use jiyun_crds::names;
    use jiyun_crds::rules::{self, UNCHANGED};
    use jiyun_crds::v1alpha1::fields::{FIELDS, FieldClass};
    use jiyun_crds::v1alpha1::{self, ConditionType};
    use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinitionVersion;

    use crate::schema_walk::{Node, properties, roots, spec_leaves};

    /// Collects what is wrong everywhere before failing, so that one run shows all of it.
    fn assert_none(problems: &[String]) {
        assert!(problems.is_empty(), "{} problems:\n{}", problems.len(), problems.join("\n"));
    }

    fn each_node(check: impl Fn(&Node) -> Option<String>) -> Vec<String> {
        roots()
            .iter()
            .flat_map(properties)
            .filter_map(|node| check(&node).map(|what| format!("{node}: {what}")))
            .collect()
    }

    fn versions() -> Vec<(String, CustomResourceDefinitionVersion)> {
        v1alpha1::definitions()
            .into_iter()
            .map(|definition| (definition.spec.names.kind, definition.spec.versions.into_iter().next().unwrap()))
            .collect()
    }

    #[test]
    fn every_kind_is_of_our_group_and_category_and_has_a_short_name_and_a_status() {
        let mut short = BTreeSet::new();
        for definition in v1alpha1::definitions() {
            let (kind, names) = (&definition.spec.names.kind, &definition.spec.names);
            assert_eq!(definition.spec.group, names::GROUP, "{kind}");
            assert_eq!(names.categories.as_deref(), Some([names::CATEGORY.to_owned()].as_slice()), "{kind}");
            let shorts = names.short_names.clone().unwrap_or_default();
            assert_eq!(shorts.len(), 1, "{kind} has one short name");
            assert!(shorts.into_iter().all(|name| short.insert(name)), "{kind}: short name is taken");
            let [version] = definition.spec.versions.as_slice() else { panic!("{kind} has one version") };
            assert_eq!(version.name, v1alpha1::VERSION, "{kind}");
            assert!(
                version.subresources.as_ref().is_some_and(|s| s.status.is_some()),
                "{kind} has a status subresource"
            );
            let keep = definition.metadata.annotations.unwrap_or_default();
            assert_eq!(keep.get("helm.sh/resource-policy").map(String::as_str), Some("keep"), "{kind}");
        }
    }

    #[test]
    fn strings_are_bounded() {
        assert_none(&each_node(|node| {
            let bounded =
                node.schema.max_length.is_some() || node.schema.enum_.is_some() || node.schema.format.is_some();
            (node.type_of() == "string" && !bounded).then(|| "a string needs maxLength, enum or format".to_owned())
        }));
    }

    #[test]
    fn lists_are_bounded_and_say_how_they_merge() {
        assert_none(&each_node(|node| {
            if node.type_of() != "array" {
                return None;
            }
            if node.schema.max_items.is_none() {
                return Some("a list needs maxItems".to_owned());
            }
            let keys = node.schema.x_kubernetes_list_map_keys.clone().unwrap_or_default();
            match node.schema.x_kubernetes_list_type.as_deref() {
                Some("set" | "atomic") if keys.is_empty() => None,
                Some("map") if !keys.is_empty() => None,
                other => Some(format!("list type {other:?} with keys {keys:?}")),
            }
        }));
    }

    #[test]
    fn integers_are_bounded_by_a_rule_people_can_read() {
        assert_none(&each_node(|node| {
            let ruled = node.rules().iter().any(|rule| rule.rule.starts_with("self >= "));
            (node.path.starts_with("spec.") && node.type_of() == "integer" && !ruled)
                .then(|| "an integer needs rules::between".to_owned())
        }));
    }

    #[test]
    fn there_are_no_floats_booleans_maps_nulls_or_anything_goes() {
        assert_none(&each_node(|node| {
            let schema = node.schema;
            let known = matches!(node.type_of(), "string" | "integer" | "array" | "object");
            let loose = schema.x_kubernetes_int_or_string.is_some()
                || schema.x_kubernetes_preserve_unknown_fields.is_some()
                || schema.additional_properties.is_some()
                || schema.nullable.is_some()
                || schema.any_of.is_some()
                || schema.one_of.is_some()
                || (node.type_of() == "object" && schema.properties.as_ref().is_none_or(BTreeMap::is_empty));
            (!known || loose).then(|| format!("type {:?} is not allowed here", node.type_of()))
        }));
    }

    #[test]
    fn integer_formats_are_those_kubernetes_knows() {
        assert_none(&each_node(|node| {
            let format = node.schema.format.as_deref();
            (node.type_of() == "integer" && !matches!(format, Some("int32" | "int64")))
                .then(|| format!("format {format:?}"))
        }));
    }

    #[test]
    fn every_field_is_described_and_every_enum_value_too() {
        assert_none(&each_node(|node| {
            if node.path.ends_with("[]") && node.type_of() != "object" {
                return None;
            }
            let description = node.schema.description.clone().unwrap_or_default();
            if description.is_empty() {
                return Some("no description".to_owned());
            }
            let values = node.schema.enum_.clone().unwrap_or_default();
            let missing: Vec<String> = values
                .iter()
                .filter_map(|value| value.0.as_str())
                // Architectures say what they are by their names.
                .filter(|value| node.type_of() == "string" && !description.contains(&format!("`{value}`: ")))
                .map(str::to_owned)
                .collect();
            (!missing.is_empty()).then(|| format!("values without a meaning: {missing:?}"))
        }));
    }

    #[test]
    fn conditions_come_first_in_every_status_and_are_a_map_by_type() {
        for root in roots() {
            let status = root.child("status").unwrap_or_else(|| panic!("{} has no status", root.kind));
            let conditions = status.child("conditions").unwrap_or_else(|| panic!("{} has no conditions", root.kind));
            assert_eq!(conditions.schema.x_kubernetes_list_type.as_deref(), Some("map"), "{}", root.kind);
            assert_eq!(conditions.schema.x_kubernetes_list_map_keys, Some(vec!["type".to_owned()]), "{}", root.kind);
            assert!(status.child("observedGeneration").is_some(), "{}", root.kind);
        }
    }

    #[test]
    fn columns_find_conditions_by_a_known_type_and_end_with_the_age() {
        let mut problems = Vec::new();
        for (kind, version) in versions() {
            let columns = version.additional_printer_columns.unwrap_or_default();
            let mut shown = columns.iter().filter(|column| column.priority.unwrap_or_default() == 0);
            if shown.next_back().is_none_or(|column| column.name != "Age") {
                problems.push(format!("{kind}: the last column is not Age"));
            }
            for column in columns.iter().filter(|column| column.json_path.contains("conditions")) {
                let found = column
                    .json_path
                    .strip_prefix(r#".status.conditions[?(@.type==""#)
                    .and_then(|rest| rest.split_once(r#"")]"#))
                    .is_some_and(|(name, field)| {
                        ConditionType::from_str(name).is_ok() && [".status", ".reason"].contains(&field)
                    });
                if !found {
                    problems.push(format!("{kind}: column {} reads {}", column.name, column.json_path));
                }
            }
        }
        assert_none(&problems);
    }

    #[test]
    fn columns_and_selectors_read_fields_that_exist() {
        let mut problems = Vec::new();
        let known: BTreeSet<String> =
            roots().iter().flat_map(properties).map(|node| format!("{} .{}", node.kind, node.path)).collect();
        for (kind, version) in versions() {
            let columns = version.additional_printer_columns.unwrap_or_default();
            let selectors = version.selectable_fields.unwrap_or_default();
            let paths = columns.iter().map(|c| &c.json_path).chain(selectors.iter().map(|s| &s.json_path));
            for path in paths.filter(|path| !path.starts_with(".metadata.") && !path.contains("[?")) {
                if !known.contains(&format!("{kind} {}", path.replace("[0]", "[]"))) {
                    problems.push(format!("{kind}: {path}"));
                }
            }
        }
        assert_none(&problems);
    }

    #[test]
    fn every_rule_has_a_message_in_chinese_and_english() {
        assert_none(
            &roots()
                .iter()
                .flat_map(|root| properties(root).into_iter().chain([root.clone()]))
                .flat_map(|node| node.rules().into_iter().map(move |rule| (node.to_string(), rule)))
                .filter_map(|(node, rule)| {
                    let message = rule.message.clone().unwrap_or_default();
                    let starts_chinese =
                        message.split(" (").next().is_some_and(|zh| zh.chars().any(|c| c > '\u{4e00}'));
                    let ends_english =
                        message.split_once(" (").is_some_and(|(_, en)| en.ends_with(')') && en.len() > 10);
                    (!starts_chinese || !ends_english).then(|| format!("{node}: {:?} says {message:?}", rule.rule))
                })
                .collect::<Vec<_>>(),
        );
    }

    #[test]
    fn the_table_of_field_classes_lists_every_leaf_of_every_spec_and_no_other() {
        let table: Vec<(String, String)> =
            FIELDS.iter().map(|field| (field.kind.to_owned(), field.path.to_owned())).collect();
        let listed: BTreeSet<_> = table.iter().cloned().collect();
        assert_eq!(listed.len(), table.len(), "a leaf is listed twice");
        let leaves: BTreeSet<_> =
            roots().iter().flat_map(spec_leaves).map(|leaf| (leaf.kind.clone(), leaf.below_spec())).collect();
        assert_eq!(leaves.difference(&listed).collect::<Vec<_>>(), Vec::<&_>::new(), "leaves without a class");
        assert_eq!(listed.difference(&leaves).collect::<Vec<_>>(), Vec::<&_>::new(), "classes without a leaf");
    }

    #[test]
    fn the_table_agrees_with_the_class_each_description_begins_with() {
        let mut problems = Vec::new();
        for leaf in roots().iter().flat_map(spec_leaves) {
            let class = v1alpha1::fields::class_of(&leaf.kind, &leaf.below_spec()).unwrap();
            // What says nothing itself (the name in a reference) is of the class of the field it belongs to.
            let said = leaf.upwards().into_iter().find_map(|node| {
                let description = node.schema.description.clone()?;
                let (word, _) = description.strip_prefix('[')?.split_once(']')?;
                Some(word.to_owned())
            });
            if said.as_deref() != Some(class.to_string().as_str()) {
                problems.push(format!("{leaf}: the table says {class}, the description {said:?}"));
            }
        }
        assert_none(&problems);
    }

    #[test]
    fn exactly_the_immutable_fields_are_under_a_rule_that_forbids_change() {
        let mut problems = Vec::new();
        for leaf in roots().iter().flat_map(spec_leaves) {
            let class = v1alpha1::fields::class_of(&leaf.kind, &leaf.below_spec()).unwrap();
            let guard = leaf.upwards().into_iter().find(|node| node.rules().iter().any(|rule| rule.rule == UNCHANGED));
            if (class == FieldClass::Immutable) != guard.is_some() {
                problems.push(format!("{leaf}: class {class}, guarded by {:?}", guard.map(|node| node.path)));
            }
        }
        assert_none(&problems);
    }

    /// The API server compares only what both the old and the new object have.
    #[test]
    fn an_immutable_field_cannot_be_left_out_and_added_again() {
        let mut problems = Vec::new();
        for guard in roots().iter().flat_map(properties) {
            if guard.rules().iter().any(|rule| rule.rule == UNCHANGED) {
                for node in guard.upwards().into_iter().filter(|node| node.path != "spec") {
                    let name = node.path.rsplit('.').next().unwrap_or_default();
                    let stays = rules::presence(name);
                    let stays = node.upwards().iter().any(|above| above.rules().iter().any(|rule| rule.rule == stays));
                    if !node.required && node.schema.default.is_none() && !stays {
                        problems.push(format!("{guard}: {} is neither required nor defaulted", node.path));
                    }
                }
            }
        }
        assert_none(&problems);
    }
}
