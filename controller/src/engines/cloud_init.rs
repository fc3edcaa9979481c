//! cloud-init: first-boot data as the machine of a host reads it. With user data that is what the department wrote, and after it
//! what every host has: cloud-init takes both as parts of one MIME message
//! (`cloudinit/user_data.py`; <https://cloudinit.readthedocs.io/en/latest/explanation/format.html>).

use data_encoding::BASE64_MIME;
use jiyun_crds::v1alpha1::user_data::is_message;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// What every host has: its name and the keys that may sign in. JSON is YAML, and quoting it keeps a key's comment from becoming
/// another setting.
pub fn settings(hostname: &str, ssh_authorized_keys: &[String]) -> Value {
    json!({"hostname": hostname, "ssh_authorized_keys": ssh_authorized_keys})
}

/// One message of the department's data, if there is any left, and of the `settings` that every host has.
///
/// Those come last, and add to what is there: a department may name its host otherwise, and cannot lose by a list of its own
/// the keys that were asked for.
pub fn message(text: Option<&str>, settings: &Value) -> String {
    let mut settings = settings.clone();
    settings["merge_how"] = json!([
        {"name": "list", "settings": ["append"]},
        {"name": "dict", "settings": ["no_replace", "recurse_list"]},
    ]);
    let settings = part("text/cloud-config", &format!("#cloud-config\n{settings}\n"));
    let department = text.map(|text| {
        if is_message(text) {
            // A part is headers, an empty line and a body, as a message is.
            format!("{}\n", text.trim_end())
        } else {
            // cloud-init finds out by its beginning what a plain text is.
            part("text/plain", text)
        }
    });
    // No text can contain the digest of itself.
    let boundary = format!("jiyun-{}", hex::encode(Sha256::digest(text.unwrap_or_default().as_bytes())));
    let parts: Vec<String> =
        department.into_iter().chain([settings]).map(|part| format!("--{boundary}\n{part}")).collect();
    let head = format!("MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=\"{boundary}\"");
    format!("{head}\n\n{}--{boundary}--\n", parts.concat())
}

/// One part, in base 64: Python reads a letter that is not ASCII as something else where a part is plain
/// (`email/message.py`, `get_payload`).
fn part(media_type: &str, text: &str) -> String {
    let encoded = BASE64_MIME.encode(text.as_bytes()).replace('\r', "");
    format!(
        "Content-Type: {media_type}; charset=\"utf-8\"\nContent-Transfer-Encoding: base64\n\n{}\n",
        encoded.trim_end()
    )
}

#[cfg(test)]
mod tests {
    use data_encoding::BASE64;

    use super::*;

    fn decoded(body: &str) -> String {
        let body: String = body.split_whitespace().collect();
        String::from_utf8(BASE64.decode(body.as_bytes()).unwrap()).unwrap()
    }

    /// Head and body of each part of a message.
    fn parts(message: &str) -> Vec<(String, String)> {
        let (head, body) = message.split_once("\n\n").unwrap();
        let boundary = head.split_once("boundary=\"").unwrap().1.trim_end_matches('"');
        let mut parts: Vec<_> = body.split(&format!("--{boundary}")).collect();
        assert_eq!((parts.remove(0), parts.pop()), ("", Some("--\n")));
        let part = |part: &str| {
            let (head, body) = part.trim_start().split_once("\n\n").unwrap();
            (head.to_owned(), body.to_owned())
        };
        parts.into_iter().map(part).collect()
    }

    #[test]
    fn what_a_department_wrote_comes_first_and_what_every_host_has_adds_to_it() {
        let text = "#cloud-config\nssh_authorized_keys: [ssh-ed25519 AAAA 运维]\n";
        let keys = ["ssh-ed25519 AAAA x: y # {".to_owned()];
        let message = message(Some(text), &settings("web", &keys));
        assert!(message.starts_with("MIME-Version: 1.0\n"), "cloud-init looks for it in the first 4096 bytes");
        let [(first, theirs), (second, ours)] = <[_; 2]>::try_from(parts(&message)).unwrap();
        assert!(first.starts_with("Content-Type: text/plain;"), "{first}");
        assert_eq!(decoded(&theirs), text);
        assert!(second.starts_with("Content-Type: text/cloud-config;"), "{second}");
        let ours = decoded(&ours);
        let ours: Value = serde_json::from_str(ours.strip_prefix("#cloud-config\n").unwrap()).unwrap();
        assert_eq!(ours["ssh_authorized_keys"], json!(keys));
        assert_eq!(ours["hostname"], "web");
        assert_eq!(ours["merge_how"][0], json!({"name": "list", "settings": ["append"]}));
        assert!(message.lines().all(|line| line.len() <= 120), "lines of mail are short");
    }

    #[test]
    fn a_message_is_a_part_as_it_is_and_without_one_there_are_the_settings_alone() {
        let text = "Content-Type: multipart/mixed; boundary=\"==B==\"\nMIME-Version: 1.0\n\n--==B==\nContent-Type: text/x-shellscript\n\n#!/bin/sh\n--==B==--\n";
        let whole = message(Some(text), &settings("web", &[]));
        let parts_of = parts(&whole);
        assert_eq!(parts_of.len(), 2);
        assert_eq!(parts_of[0].0, "Content-Type: multipart/mixed; boundary=\"==B==\"\nMIME-Version: 1.0");
        assert!(parts_of[0].1.starts_with("--==B==\nContent-Type: text/x-shellscript"));
        assert_eq!(parts(&message(None, &settings("web", &[]))).len(), 1);
    }
}
