//! The people of a lab: users whose bearer tokens the API server knows from its start (`--token-auth-file`), so that
//! they can be used with kubectl and forwarded by the REST API alike.

use std::fs::File;
use std::io::{self, Read as _};

/// A user with a bearer token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The user's name as RBAC and the audit log see it.
    pub name: String,
    /// The user's groups.
    pub groups: Vec<String>,
    /// The bearer token.
    pub token: String,
}

/// The platform's people: (name, group).
pub const PLATFORM: [(&str, &str); 3] =
    [("operator", "jiyun:operators"), ("finance", "jiyun:finance"), ("auditor", "jiyun:auditors")];

/// A department's people: (ending of the name, ending of the group).
pub const DEPARTMENT: [(&str, &str); 3] = [("operator", "operators"), ("reader", "readers"), ("approver", "approvers")];

/// The platform's people, three for each department, and those named in addition.
pub fn people(departments: &[String], others: &[(String, Vec<String>)]) -> io::Result<Vec<Person>> {
    let platform = PLATFORM.iter().map(|(name, group)| ((*name).to_owned(), vec![(*group).to_owned()]));
    let department = departments.iter().flat_map(|department| {
        DEPARTMENT
            .iter()
            .map(move |(name, group)| (format!("{department}-{name}"), vec![format!("{department}-{group}")]))
    });
    platform
        .chain(department)
        .chain(others.iter().cloned())
        .map(|(name, groups)| Ok(Person { token: token()?, name, groups }))
        .collect()
}

/// The API server's token file: `token,user,uid,"group1,group2"` per line.
pub fn token_file(people: &[Person]) -> String {
    let line = |person: &Person| {
        format!("{},{},uid-{},\"{}\"\n", person.token, person.name, person.name, person.groups.join(","))
    };
    people.iter().map(line).collect()
}

/// 128 random bits in hexadecimal: a token that needs no escaping anywhere.
fn token() -> io::Result<String> {
    let mut bytes = [0_u8; 16];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(hex::encode(bytes))
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
