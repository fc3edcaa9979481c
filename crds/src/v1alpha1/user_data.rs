//! Whether a Secret holds user data (自定义数据) that a host can have: the same answer at the API, before anything is created,
//! and at the controller, which sees what came by kubectl.

use k8s_openapi::api::core::v1::Secret;

use super::misfit::Misfit;
use crate::names::{USER_DATA_KEY, USER_DATA_TYPE};

/// The field that names the Secret.
pub const FIELD: &str = "spec.userDataSecretRef.name";

/// Most bytes of user data. In base 64, of a MIME part and of a Secret, they come to less than 64 KiB of the 1 MiB that etcd
/// takes; the policy `jiyun-user-data` of the chart says the same.
pub const MOST_BYTES: usize = 32 * 1024;

/// How data begins that cloud-init knows what to do with (`cloudinit/handlers/__init__.py`, `INCLUSION_TYPES_MAP`). It passes
/// over anything else with a warning in a log that nobody reads.
const BEGINNINGS: [&str; 6] =
    ["#cloud-config", "#!", "#include", "#cloud-boothook", "#part-handler", "## template: jinja"];

/// The user data in a Secret.
///
/// # Errors
/// What is wrong with it: code `UserDataOfOtherType`, `UserDataMissing`, `UserDataTooLarge` or `UserDataNotUnderstood`.
pub fn text(secret: &Secret) -> Result<&str, Misfit> {
    let unfit = |code, more: Vec<(&'static str, String)>| {
        let name = secret.metadata.name.clone().unwrap_or_default();
        let parameters = vec![("secret", name), ("key", USER_DATA_KEY.to_owned()), ("type", USER_DATA_TYPE.to_owned())];
        Err(Misfit { field: FIELD, code, parameters: parameters.into_iter().chain(more).collect() })
    };
    // The one type: or whoever may order a host could read in its guest any Secret of the department.
    if secret.type_.as_deref() != Some(USER_DATA_TYPE) {
        return unfit("UserDataOfOtherType", Vec::new());
    }
    let data = secret.data.as_ref().and_then(|data| data.get(USER_DATA_KEY)).map(|data| data.0.as_slice());
    let Some(data) = data.filter(|data| !data.is_empty()) else { return unfit("UserDataMissing", Vec::new()) };
    if data.len() > MOST_BYTES {
        let sizes = vec![("bytes", data.len().to_string()), ("limit", MOST_BYTES.to_string())];
        return unfit("UserDataTooLarge", sizes);
    }
    match std::str::from_utf8(data) {
        Ok(text) if is_message(text) || BEGINNINGS.iter().any(|beginning| text.starts_with(beginning)) => Ok(text),
        _ => unfit("UserDataNotUnderstood", Vec::new()),
    }
}

/// Whether user data is a MIME message by itself.
pub fn is_message(text: &str) -> bool {
    let begins = |with: &str| text.get(..with.len()).is_some_and(|begins| begins.eq_ignore_ascii_case(with));
    begins("MIME-Version:") || begins("Content-Type: multipart/")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use k8s_openapi::ByteString;

    use super::*;

    fn code(kind: &str, key: &str, data: &[u8]) -> Result<(), &'static str> {
        let data = Some(BTreeMap::from([(key.to_owned(), ByteString(data.to_vec()))]));
        let secret = Secret { type_: Some(kind.to_owned()), data, ..Secret::default() };
        text(&secret).map(drop).map_err(|misfit| misfit.code)
    }

    #[test]
    fn only_text_of_a_size_in_a_secret_of_its_type_and_under_its_key_is_taken() {
        let longest = [b"#!/bin/sh\n".to_vec(), vec![b'#'; MOST_BYTES - 10]].concat();
        let longer = [longest.clone(), vec![b'#']].concat();
        for (kind, key, data, expected) in [
            (USER_DATA_TYPE, USER_DATA_KEY, &longest[..], Ok(())),
            ("Opaque", USER_DATA_KEY, b"#!/bin/sh\n", Err("UserDataOfOtherType")),
            (USER_DATA_TYPE, "userdata", b"#!/bin/sh\n", Err("UserDataMissing")),
            (USER_DATA_TYPE, USER_DATA_KEY, b"", Err("UserDataMissing")),
            (USER_DATA_TYPE, USER_DATA_KEY, &longer, Err("UserDataTooLarge")),
            // gzip
            (USER_DATA_TYPE, USER_DATA_KEY, &[0x1f, 0x8b, 8, 0], Err("UserDataNotUnderstood")),
        ] {
            assert_eq!(code(kind, key, data), expected, "{kind} {key} {} bytes", data.len());
        }
    }

    #[test]
    fn data_is_told_by_its_beginning() {
        for text in [
            "#cloud-config\n{}",
            "#cloud-config-archive\n",
            "#!/bin/bash\n",
            "#include\nhttps://x",
            "#include-once\n",
            "#cloud-boothook\n",
            "#part-handler\n",
            "## template: jinja\n#cloud-config",
            "mime-version: 1.0\n",
            "Content-Type: Multipart/mixed; boundary=a\n",
        ] {
            assert_eq!(code(USER_DATA_TYPE, USER_DATA_KEY, text.as_bytes()), Ok(()), "{text}");
        }
        for text in
            ["runcmd: []", "\u{feff}#cloud-config\n", " #cloud-config", "# cloud-config", "Content-Type: text/html\n"]
        {
            assert_eq!(code(USER_DATA_TYPE, USER_DATA_KEY, text.as_bytes()), Err("UserDataNotUnderstood"), "{text}");
        }
    }
}
