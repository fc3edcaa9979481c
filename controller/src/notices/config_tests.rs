//! What a configuration may say, and which field is named where it may not.

use super::*;

const SECRET: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// Reads a configuration in which `FOLDER` is a folder with a secret, a name and a certificate that is none.
fn read_text(text: &str) -> Result<Config, String> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("secret"), SECRET).unwrap();
    std::fs::write(folder.path().join("name"), "jiyun\n").unwrap();
    std::fs::write(folder.path().join("no-secret"), "hunter2-hunter2-hunter2").unwrap();
    let path = folder.path().join("notifications.yaml");
    std::fs::write(&path, text.replace("FOLDER", folder.path().to_str().unwrap())).unwrap();
    read(&path).map_err(|error| crate::error::chain(&error))
}

const WHOLE: &str = "
link: https://cloud.example.gov.cn/{department}/{order}
webhooks:
- name: oa
  url: https://oa.example.gov.cn/hooks/jiyun
  secretFiles: [FOLDER/secret, FOLDER/secret]
  events: [order.waiting, order.escalated]
- {name: local, url: 'http://127.0.0.1:9/hook', secretFiles: [FOLDER/secret]}
mail:
  host: smtp.example.gov.cn
  tls: StartTls
  from: 集云 <jiyun@example.gov.cn>
  usernameFile: FOLDER/name
  passwordFile: FOLDER/name
addresses:
  groups: {finance-approvers: [wang@example.gov.cn]}
  users: {'oidc:zhang': [zhang@example.gov.cn]}
";

#[test]
fn a_whole_configuration_is_read() {
    let config = read_text(WHOLE).unwrap();
    let names: Vec<_> = config.channels.iter().map(Channel::name).collect();
    assert_eq!(names, ["oa", "local", "mail"]);
    assert!(!format!("{config:?}").contains("example"), "addresses and secrets are shown to nobody: {config:?}");
}

#[test]
fn what_cannot_be_is_refused_and_the_field_is_named() {
    for (from, to, field) in [
        ("secretFiles: [FOLDER/secret, FOLDER/secret]", "secretFile: FOLDER/secret", "secretFile"),
        ("link:", "links:", "links"),
        ("  host: smtp.example.gov.cn", "  server: x", "server"),
        ("name: oa", "name: OA", "webhooks[0].name"),
        ("name: local", "name: oa", "webhooks[1].name"),
        ("name: local", "name: mail", "webhooks[1].name"),
        ("https://oa.", "http://oa.", "webhooks[0].url"),
        ("https://oa.", "https://me:word@oa.", "webhooks[0].url"),
        ("https://oa.example.gov.cn/hooks/jiyun", "nonsense", "webhooks[0].url"),
        ("[FOLDER/secret, FOLDER/secret]", "[]", "webhooks[0].secretFiles"),
        ("[FOLDER/secret, FOLDER/secret]", "[FOLDER/secret, FOLDER/missing]", "webhooks[0].secretFiles[1]"),
        ("[FOLDER/secret, FOLDER/secret]", "[FOLDER/no-secret]", "webhooks[0].secretFiles[0]"),
        ("order.escalated", "order.exploded", "webhooks[0].events[1]"),
        ("  events:", "  caFile: FOLDER/name\n  events:", "webhooks[0].caFile"),
        ("tls: StartTls", "tls: None", "mail.tls"),
        ("tls: StartTls", "tls: Sometimes", "Sometimes"),
        ("from: 集云 <jiyun@example.gov.cn>", "from: nobody", "mail.from"),
        ("  passwordFile: FOLDER/name\n", "", "mail.passwordFile"),
        ("passwordFile: FOLDER/name", "passwordFile: FOLDER/missing", "mail.passwordFile"),
        ("[wang@example.gov.cn]", "[wang@example.gov.cn, wang]", "addresses.groups.finance-approvers[1]"),
        ("[zhang@example.gov.cn]", "[zhang]", "addresses.users.oidc:zhang[0]"),
    ] {
        assert!(WHOLE.contains(from), "{from}");
        let error = read_text(&WHOLE.replace(from, to)).unwrap_err();
        assert!(error.contains(field) && error.contains("notifications.yaml"), "{to}: {error}");
        assert!(!error.contains("hunter2") && !error.contains("me:word"), "{error}");
    }
}

#[test]
fn a_configuration_that_tells_nobody_is_refused() {
    assert!(read_text("{}").unwrap_err().contains("webhooks"));
    let mail = "mail: {host: 127.0.0.1, tls: None, from: jiyun@example.gov.cn}";
    assert!(read_text(mail).unwrap_err().contains("addresses"));
    assert!(read_text(&format!("{mail}\naddresses: {{groups: {{a: [a@example.gov.cn]}}}}")).is_ok());
}

#[test]
fn the_example_of_the_document_is_read() {
    let document = include_str!("../../../docs/notifications.md");
    let example = document.split_once("```yaml\n").unwrap().1.split_once("```").unwrap().0;
    let example = example.replace("/etc/jiyun/notifications/", "FOLDER/");
    assert!(example.contains("FOLDER/oa.secret"), "{example}");
    let folder_has =
        [("oa.secret", "secret"), ("oa-old.secret", "secret"), ("mail-user", "name"), ("mail-password", "name")];
    let example = folder_has
        .iter()
        .fold(example, |text, (file, there)| text.replace(&format!("FOLDER/{file}"), &format!("FOLDER/{there}")));
    let config = read_text(&example).unwrap();
    assert_eq!(config.channels.iter().map(Channel::name).collect::<Vec<_>>(), ["oa", "mail"]);
}

#[test]
fn this_machine_is_known_by_any_of_its_names() {
    for host in ["localhost", "127.0.0.1", "127.3.2.1", "::1", "[::1]"] {
        assert!(is_loopback(host), "{host}");
    }
    for host in ["localhost.example.gov.cn", "10.0.0.1", "128.0.0.1", ""] {
        assert!(!is_loopback(host), "{host}");
    }
}
