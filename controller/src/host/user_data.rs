//! User data (自定义数据): what cloud-init does at a host's first start beside what it does for every host. The department writes
//! it into a Secret of its own; the machine reads a copy, which lies where tenants have no rights. It is in no status, no
//! log and no record.

mod copy;

use jiyun_crds::v1alpha1::{
    CloudHost, Reason,
    user_data::{self, FIELD},
};
use jiyun_messages::parameters;
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;

use super::rejection::Rejection;
use crate::{context::Context, database::credentials::read, error::ReconcileError};

pub use copy::{discard, provide};

/// Whether the user data that `host` names is there and can be used. Secrets are not kept in memory: the API server is asked, and
/// only about hosts that were not granted.
///
/// # Errors
/// When it cannot be asked; within, what is wrong with it.
pub async fn check(host: &CloudHost, context: &Context) -> Result<Result<(), Rejection>, ReconcileError> {
    let Some(secret) = &host.spec.user_data_secret_ref else { return Ok(Ok(())) };
    let found = read(&context.client, &host.namespace().unwrap_or_default(), &secret.name).await?;
    Ok(text(found.as_ref(), &secret.name).map(drop))
}

/// The user data in a Secret called `name`.
///
/// # Errors
/// What is wrong with it, and what to do.
fn text<'a>(secret: Option<&'a Secret>, name: &str) -> Result<&'a str, Rejection> {
    let secret = secret.filter(|secret| secret.metadata.deletion_timestamp.is_none());
    let secret = secret.ok_or_else(|| unknown("UserDataUnknown", name))?;
    user_data::text(secret).map_err(Rejection::misfit)
}

fn unknown(code: &'static str, name: &str) -> Rejection {
    let about = [("field", FIELD), ("secret", name)];
    Rejection { reason: Reason::UnknownReference, code, parameters: parameters(about) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use jiyun_crds::names::{USER_DATA_KEY, USER_DATA_TYPE};
    use k8s_openapi::ByteString;
    use kube::core::ObjectMeta;

    use super::*;

    #[test]
    fn what_is_wrong_with_user_data_is_told_with_the_field_and_the_secret() {
        let secret = |kind: &str| Secret {
            metadata: ObjectMeta { name: Some("boot".into()), ..ObjectMeta::default() },
            type_: Some(kind.into()),
            data: Some(BTreeMap::from([(USER_DATA_KEY.into(), ByteString(b"#!/bin/sh\n".to_vec()))])),
            ..Secret::default()
        };
        assert_eq!(text(Some(&secret(USER_DATA_TYPE)), "boot"), Ok("#!/bin/sh\n"));
        let mut leaving = secret(USER_DATA_TYPE);
        leaving.metadata.deletion_timestamp = serde_json::from_str("\"2026-03-01T08:00:00Z\"").unwrap();
        for (secret, reason, code) in [
            (None, Reason::UnknownReference, "UserDataUnknown"),
            (Some(leaving), Reason::UnknownReference, "UserDataUnknown"),
            (Some(secret("Opaque")), Reason::Misconfigured, "UserDataOfOtherType"),
        ] {
            let rejection = text(secret.as_ref(), "boot").unwrap_err();
            assert_eq!((rejection.reason, rejection.code), (reason, code));
            let told = jiyun_messages::bilingual(code, &rejection.parameters);
            assert!(told.contains("boot") && told.contains(FIELD), "{told}");
        }
    }
}
