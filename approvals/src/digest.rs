//! The digest of an order: what approvers decide about, so that they cannot be shown one thing and have decided another.

use jiyun_crds::v1alpha1::{AcceptedItem, OrderItem};
use sha2::{Digest, Sha256};

/// Digest of the items as they were accepted: name, action, UID and digest of each wish, in the order's order.
pub fn of(items: &[OrderItem], accepted: &[AcceptedItem]) -> String {
    let mut hash = Sha256::new();
    for (item, found) in items.iter().zip(accepted) {
        let kind: &str = item.kind.into();
        let action: &str = item.action.into();
        // No part can hold a line feed, so no two orders read alike.
        for part in [kind, &item.name, action, &found.uid, &found.spec_digest] {
            hash.update(part.as_bytes());
            hash.update(b"\n");
        }
    }
    format!("sha256:{}", hex::encode(hash.finalize()))
}

/// Name of the order that is filed for one object: the same however often it is filed for the same wish.
pub fn order_name(object: &str, uid: &str, spec_digest: &str) -> String {
    let hash = Sha256::digest(format!("{uid}\n{spec_digest}").as_bytes());
    let short: String = hex::encode(hash).chars().take(8).collect();
    format!("{object}-{short}")
}

#[cfg(test)]
mod tests {
    use jiyun_crds::v1alpha1::{OrderAction, OrderedKind};

    use super::*;

    fn item(name: &str, action: OrderAction) -> OrderItem {
        OrderItem { kind: OrderedKind::CloudHost, name: name.into(), action }
    }

    fn accepted(uid: &str, spec_digest: &str) -> AcceptedItem {
        AcceptedItem { name: "web".into(), uid: uid.into(), spec_digest: spec_digest.into(), summary: Vec::new() }
    }

    #[test]
    fn whatever_is_decided_about_changes_the_digest() {
        let whole = of(&[item("web", OrderAction::Create)], &[accepted("1", "a")]);
        assert_eq!(whole, of(&[item("web", OrderAction::Create)], &[accepted("1", "a")]));
        for (other, found) in [
            (item("db", OrderAction::Create), accepted("1", "a")),
            (item("web", OrderAction::End), accepted("1", "a")),
            (item("web", OrderAction::Create), accepted("2", "a")),
            (item("web", OrderAction::Create), accepted("1", "b")),
        ] {
            assert_ne!(whole, of(&[other], &[found]));
        }
    }

    #[test]
    fn an_order_is_named_after_its_object_and_its_very_wish() {
        let name = order_name("web", "uid", "sha256:1");
        assert_eq!(name, order_name("web", "uid", "sha256:1"));
        assert!(name.starts_with("web-") && name.len() == 12, "{name}");
        assert_ne!(name, order_name("web", "uid", "sha256:2"));
        assert_ne!(name, order_name("web", "other", "sha256:1"));
    }
}
