//! The table of roles in the documents: it is the chart's, cell by cell.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{charts::rendered, docs::blocks::text};

/// Verbs by (role, resource), as the document has them.
pub type Rights = BTreeMap<(String, String), BTreeSet<String>>;

/// The table of `docs/roles.md`; roles without the `jiyun-` before them.
pub fn documented() -> Rights {
    let guide = text(&jiyun_lab::source_root().join("docs/roles.md"));
    let mut rows = guide.lines().filter_map(|line| line.strip_prefix("| ")).map(cells);
    let header = rows.find(|row| row.first().is_some_and(|first| first == "resource")).expect("the table has a header");
    let mut rights = Rights::new();
    for row in rows.take_while(|row| row[0].starts_with('`')) {
        assert_eq!(row.len(), header.len(), "{row:?}");
        for (role, cell) in header.iter().zip(&row).skip(1).filter(|(_, cell)| !cell.is_empty()) {
            let verbs = cell.split(' ').flat_map(verbs).map(|verb| (*verb).to_owned()).collect();
            rights.insert((role.clone(), row[0].trim_matches('`').to_owned()), verbs);
        }
    }
    rights
}

/// The API group of a resource that the table names: Jiyun's own, but for the Secrets that hold credentials.
pub fn group_of(resource: &str) -> &'static str {
    if resource == "secrets" { "" } else { "jiyun.io" }
}

fn cells(row: &str) -> Vec<String> {
    row.trim_end().trim_end_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()
}

fn verbs(letter: &str) -> &'static [&'static str] {
    match letter {
        "R" => &["get", "list", "watch"],
        "G" => &["get"],
        "C" => &["create"],
        "U" => &["update", "patch"],
        "D" => &["delete"],
        "guard" => &["guard"],
        "approve" => &["approve"],
        other => panic!("what does {other} mean?"),
    }
}

fn words(value: &Value) -> impl Iterator<Item = String> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned)
}

#[test]
fn the_table_of_rights_is_the_charts() {
    let objects = rendered(&["--show-only", "templates/rbac-people.yaml"]);
    let mut rights = Rights::new();
    for role in objects.iter().filter(|object| object["kind"] == "ClusterRole") {
        let name = role["metadata"]["name"].as_str().unwrap().strip_prefix("jiyun-").unwrap();
        for rule in role["rules"].as_array().unwrap() {
            for resource in words(&rule["resources"]) {
                assert_eq!(words(&rule["apiGroups"]).collect::<Vec<_>>(), [group_of(&resource)], "{name}: {resource}");
                rights.entry((name.to_owned(), resource)).or_default().extend(words(&rule["verbs"]));
            }
        }
    }
    assert!(rights.len() > 40, "{rights:?}");
    let documented = documented();
    let of = |rights: &Rights| rights.iter().map(|right| format!("{right:?}")).collect::<BTreeSet<_>>();
    assert_eq!(of(&rights).symmetric_difference(&of(&documented)).collect::<Vec<_>>(), Vec::<&String>::new());
}
