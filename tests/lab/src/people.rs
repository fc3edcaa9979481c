//! The people of a lab, whose bearer tokens can be used with kubectl and forwarded by the REST API alike. An API server
//! of the lab's own knows the tokens from its start (`--token-auth-file`); in a given cluster each person is a
//! `ServiceAccount`, see `cluster/given/people.rs`.

use std::io;

use crate::random;

/// A user with a bearer token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The name by which the lab knows the person.
    pub name: String,
    /// The user's name as RBAC and the audit log see it: the same, but in a given cluster that of a ServiceAccount.
    pub user: String,
    /// The user's groups; in a given cluster the groups whose roles the person is bound to.
    pub groups: Vec<String>,
    /// The bearer token.
    pub token: String,
}

/// The platform's people: (name, group).
pub const PLATFORM: [(&str, &str); 3] =
    [("operator", "jiyun:operators"), ("finance", "jiyun:finance"), ("auditor", "jiyun:auditors")];

/// A department's people: (ending of the name, ending of the group).
pub const DEPARTMENT: [(&str, &str); 3] = [("operator", "operators"), ("reader", "readers"), ("approver", "approvers")];

/// The names and groups of the platform's people, of three for each department, and of those named in addition.
pub fn named(departments: &[String], others: &[(String, Vec<String>)]) -> Vec<(String, Vec<String>)> {
    let platform = PLATFORM.iter().map(|(name, group)| ((*name).to_owned(), vec![(*group).to_owned()]));
    let department = departments.iter().flat_map(|department| {
        DEPARTMENT
            .iter()
            .map(move |(name, group)| (format!("{department}-{name}"), vec![format!("{department}-{group}")]))
    });
    platform.chain(department).chain(others.iter().cloned()).collect()
}

/// The people of an API server that is told their tokens.
pub fn people(departments: &[String], others: &[(String, Vec<String>)]) -> io::Result<Vec<Person>> {
    let person =
        |(name, groups): (String, _)| Ok(Person { token: random::hexadecimal()?, user: name.clone(), name, groups });
    named(departments, others).into_iter().map(person).collect()
}

/// The API server's token file: `token,user,uid,"group1,group2"` per line.
pub fn token_file(people: &[Person]) -> String {
    let line = |person: &Person| {
        format!("{},{},uid-{},\"{}\"\n", person.token, person.user, person.name, person.groups.join(","))
    };
    people.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_department_has_its_operator_reader_and_approver_with_different_tokens() {
        let people = people(&["culture".into()], &[("mayor".into(), vec!["a".into(), "b".into()])]).expect("random");
        let names: Vec<_> = people.iter().map(|person| person.name.as_str()).collect();
        assert_eq!(
            names,
            ["operator", "finance", "auditor", "culture-operator", "culture-reader", "culture-approver", "mayor"]
        );
        let tokens: std::collections::BTreeSet<_> = people.iter().map(|person| &person.token).collect();
        assert_eq!(tokens.len(), people.len());
        assert!(token_file(&people).lines().last().is_some_and(|line| line.ends_with(",mayor,uid-mayor,\"a,b\"")));
    }
}
