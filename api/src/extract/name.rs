//! Names that may become part of an address at the API server: checked before anything is built from them.

use jiyun_crds::names::{MAX_NAME_LENGTH, department_namespace};

/// The longest DNS label (RFC 1123).
const MAX_LABEL: usize = 63;

/// The longest name of an object (DNS subdomain).
const MAX_SUBDOMAIN: usize = 253;

/// A department's name, valid as part of a namespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DepartmentName(String);

impl DepartmentName {
    /// The name, if it can be one.
    pub fn parse(text: &str) -> Option<Self> {
        (is_label(text) && text.len() <= MAX_NAME_LENGTH).then(|| Self(text.to_owned()))
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The namespace its objects live in.
    pub fn namespace(&self) -> String {
        department_namespace(&self.0)
    }
}

impl std::fmt::Display for DepartmentName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// The longest name of an order: it is made of that of a host and a digest.
const MAX_ORDER_NAME: usize = 63;

/// The name of a cloud host, an information system or an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectName(String);

impl ObjectName {
    /// The name, if it can be one.
    pub fn parse(text: &str) -> Option<Self> {
        (is_label(text) && text.len() <= MAX_NAME_LENGTH).then(|| Self(text.to_owned()))
    }

    /// The name of an order, if it can be one: longer, and with dots.
    pub fn parse_order(text: &str) -> Option<Self> {
        is_order_name(text).then(|| Self(text.to_owned()))
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for ObjectName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether `text` is a DNS label: 1..=63 of `a-z`, `0-9` and `-`, with a letter or digit at both ends.
pub fn is_label(text: &str) -> bool {
    let edge = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let bytes = text.as_bytes();
    bytes.len() <= MAX_LABEL
        && edge(bytes.first())
        && edge(bytes.last())
        && bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-')
}

/// Whether `text` may name an object: labels joined by dots, 253 bytes in all.
pub fn is_subdomain(text: &str) -> bool {
    text.len() <= MAX_SUBDOMAIN && text.split('.').all(is_label)
}

/// Whether `text` may name an order: as above, 63 bytes in all.
pub fn is_order_name(text: &str) -> bool {
    is_subdomain(text) && text.len() <= MAX_ORDER_NAME
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_labels_become_part_of_an_address() {
        for good in ["a", "web-1", "0a"] {
            assert!(ObjectName::parse(good).is_some(), "{good}");
        }
        for bad in ["", "-a", "a-", "A", "a.b", "a/b", "..", "a%2fb", "a?x", "a#", "名称", "a\n", &"a".repeat(41)] {
            assert!(ObjectName::parse(bad).is_none(), "{bad}");
            assert!(DepartmentName::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn orders_have_longer_names() {
        for good in ["rollout.2026", &"a".repeat(63)] {
            assert!(ObjectName::parse_order(good).is_some(), "{good}");
        }
        for bad in ["", "a/b", "..", "a..b", ".a", "A", &"a".repeat(64)] {
            assert!(ObjectName::parse_order(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn the_longest_name_of_a_department_makes_a_namespace_that_is_a_label() {
        let name = DepartmentName::parse(&"d".repeat(MAX_NAME_LENGTH)).unwrap();
        assert!(is_label(&name.namespace()));
    }
}
