//! User data (自定义数据): what cloud-init does at a host's first start beside what it does for every host. The department writes
//! it into a Secret of its own; the machine reads a copy, which lies where tenants have no rights. It is in no status, no
//! log and no record.

mod copy;
mod first_boot;

use jiyun_crds::{
    names::{USER_DATA_KEY, USER_DATA_TYPE},
    v1alpha1::CloudHost,
};
use jiyun_ledger::ClaimStage;
use jiyun_messages::parameters;
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;

use super::rejection::Rejection;
use crate::{claims::open_claim, context::Context, database::credentials::read, error::ReconcileError};

pub use copy::{discard, provide};
pub use first_boot::settings;

/// The field that names the Secret.
const FIELD: &str = "spec.userDataSecretRef.name";

/// Most bytes of user data. Base 64 of a MIME part and of a Secret make less than 64 KiB of it, of the 1 MiB that etcd takes; the
/// policy `jiyun-user-data` of the chart says the same.
pub const MOST_BYTES: usize = 32 * 1024;

/// The user data that a host names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Named {
    /// None.
    #[default]
    Nothing,
    /// What it was granted with: whatever has become of its Secret since.
    Granted,
    /// A Secret that is there and can be used.
    Usable,
    /// One that is not there, or cannot be used.
    Rejected(Rejection),
}

/// Looks at the user data that `host` names. Secrets are not kept in memory: the API server is asked, and only about hosts
/// that were not granted.
///
/// # Errors
/// When it cannot be asked.
pub async fn named(host: &CloudHost, context: &Context) -> Result<Named, ReconcileError> {
    let Some(secret) = &host.spec.user_data_secret_ref else { return Ok(Named::Nothing) };
    let granted = |stage| !matches!(stage, ClaimStage::Held | ClaimStage::Ending);
    if open_claim(host, context).is_some_and(|claim| granted(claim.stage())) {
        return Ok(Named::Granted);
    }
    let namespace = host.namespace().unwrap_or_default();
    let found = read(&context.client, &namespace, &secret.name).await?;
    Ok(text(found.as_ref(), &secret.name).map_or_else(Named::Rejected, |_| Named::Usable))
}

/// The user data in a Secret called `name`.
///
/// # Errors
/// What is wrong with it, and what to do.
fn text<'a>(secret: Option<&'a Secret>, name: &str) -> Result<&'a str, Rejection> {
    let Some(secret) = secret.filter(|secret| secret.metadata.deletion_timestamp.is_none()) else {
        return Err(Rejection::unknown_reference(FIELD, "Secret", name));
    };
    let rejected = |code, more: &[(&'static str, &str)]| {
        let about = [("field", FIELD), ("secret", name), ("key", USER_DATA_KEY)];
        Err(Rejection::misconfigured(code, parameters(about.into_iter().chain(more.iter().copied()))))
    };
    // The one type: or whoever may order a host could read in its guest any Secret of the department.
    if secret.type_.as_deref() != Some(USER_DATA_TYPE) {
        return rejected("UserDataOfOtherType", &[("type", USER_DATA_TYPE)]);
    }
    let data = secret.data.as_ref().and_then(|data| data.get(USER_DATA_KEY)).map(|data| data.0.as_slice());
    let Some(data) = data.filter(|data| !data.is_empty()) else { return rejected("UserDataMissing", &[]) };
    if data.len() > MOST_BYTES {
        let (bytes, limit) = (data.len().to_string(), MOST_BYTES.to_string());
        return rejected("UserDataTooLarge", &[("bytes", &bytes), ("limit", &limit)]);
    }
    match std::str::from_utf8(data) {
        Ok(text) if first_boot::is_understood(text) => Ok(text),
        _ => rejected("UserDataNotUnderstood", &[]),
    }
}

#[cfg(test)]
pub mod tests {
    use std::collections::BTreeMap;

    use jiyun_crds::v1alpha1::Reason;
    use k8s_openapi::ByteString;
    use kube::core::ObjectMeta;

    use super::*;

    /// A Secret as a department makes it.
    pub fn secret(kind: &str, key: &str, data: &[u8]) -> Secret {
        Secret {
            metadata: ObjectMeta { name: Some("boot".into()), ..ObjectMeta::default() },
            type_: Some(kind.into()),
            data: Some(BTreeMap::from([(key.into(), ByteString(data.to_vec()))])),
            ..Secret::default()
        }
    }

    #[test]
    fn only_what_cloud_init_understands_in_a_secret_of_its_type_is_taken() {
        let good = secret(USER_DATA_TYPE, USER_DATA_KEY, b"#cloud-config\nruncmd: [[true]]\n");
        assert_eq!(text(Some(&good), "boot"), Ok("#cloud-config\nruncmd: [[true]]\n"));
        let mut leaving = good.clone();
        leaving.metadata.deletion_timestamp = serde_json::from_str("\"2026-03-01T08:00:00Z\"").unwrap();
        let longest = [b"#!/bin/sh\n".to_vec(), vec![b'#'; MOST_BYTES - 10]].concat();
        assert!(text(Some(&secret(USER_DATA_TYPE, USER_DATA_KEY, &longest)), "boot").is_ok());
        for (secret, reason, code) in [
            (None, Reason::UnknownReference, "UnknownReference"),
            (Some(leaving), Reason::UnknownReference, "UnknownReference"),
            (Some(secret("Opaque", USER_DATA_KEY, b"#!/bin/sh\n")), Reason::Misconfigured, "UserDataOfOtherType"),
            (Some(secret(USER_DATA_TYPE, "userdata", b"#!/bin/sh\n")), Reason::Misconfigured, "UserDataMissing"),
            (Some(secret(USER_DATA_TYPE, USER_DATA_KEY, b"")), Reason::Misconfigured, "UserDataMissing"),
            (
                Some(secret(USER_DATA_TYPE, USER_DATA_KEY, &[longest.clone(), vec![b'#']].concat())),
                Reason::Misconfigured,
                "UserDataTooLarge",
            ),
            (
                Some(secret(USER_DATA_TYPE, USER_DATA_KEY, b"runcmd: []\n")),
                Reason::Misconfigured,
                "UserDataNotUnderstood",
            ),
            (
                Some(secret(USER_DATA_TYPE, USER_DATA_KEY, &[0x1f, 0x8b, 8, 0])),
                Reason::Misconfigured,
                "UserDataNotUnderstood",
            ),
        ] {
            let rejection = text(secret.as_ref(), "boot").unwrap_err();
            assert_eq!((rejection.reason, rejection.code), (reason, code));
            assert_eq!(rejection.parameters["field"], FIELD);
            let told = jiyun_messages::bilingual(code, &rejection.parameters);
            assert!(told.contains("boot"), "{told}");
        }
    }
}
