//! The API server's 422: its rules (schema, CEL, admission policies) in the words of our own fields.

use jiyun_messages::parameters;
use kube::core::{Status, response::StatusCause};

use super::{Code, Fault, Problem};

/// The most faults told at once.
const MAX_FAULTS: usize = 32;

/// The problem of an object that breaks rules: the first fault leads, all are listed.
pub(super) fn problem(status: &Status) -> Problem {
    let causes = status.details.as_ref().map(|details| details.causes.as_slice()).unwrap_or_default();
    let faults: Vec<_> = causes.iter().take(MAX_FAULTS).map(fault).collect();
    let whole = || Problem::new(Code::RefusedByRule, [("problem", sentence(&status.message))]);
    Problem::of_body(faults).unwrap_or_else(whole)
}

fn fault(cause: &StatusCause) -> Fault {
    let problem = sentence(&cause.message);
    match our_field(&cause.field) {
        Some(field) => Fault::new(Code::InvalidField, &field, [("problem", problem)]),
        None => Fault {
            field: None,
            code: <&str>::from(Code::RefusedByRule).into(),
            parameters: parameters([("problem", problem)]),
        },
    }
}

/// The field of our request behind a field of the object; none for the object as a whole.
///
/// `spec.systemDisk.size` is `systemDisk.size`, `spec.classRef.name` is `class`, `spec.sshAuthorizedKeys[0]` keeps its
/// index.
pub fn our_field(path: &str) -> Option<String> {
    let field = match path {
        "" | "<nil>" | "spec" | "metadata" | "." => return None,
        "metadata.name" => "name",
        "spec.systemRef" | "spec.systemRef.name" => "system",
        "spec.classRef" | "spec.classRef.name" => "class",
        "spec.imageRef" | "spec.imageRef.name" => "image",
        "spec.zoneRef" | "spec.zoneRef.name" => "zone",
        "spec.hostRef" | "spec.hostRef.name" => "host",
        "spec.userDataSecretRef" | "spec.userDataSecretRef.name" => "userDataSecret",
        "spec.snapshotRef" | "spec.snapshotRef.name" => "snapshot",
        "spec.restore.snapshotRef" | "spec.restore.snapshotRef.name" => "restore.snapshot",
        other => other.strip_prefix("spec.").unwrap_or(other),
    };
    Some(field.to_owned())
}

/// The sentence inside the API server's wrapping: `Invalid value: "string": <sentence>` for rules of a kind
/// (`k8s.io/apimachinery/pkg/util/validation/field/errors.go`), without the value for a rule of the whole object, `... denied request: <sentence>` for admission policies
/// (`k8s.io/apiserver/pkg/admission/plugin/policy/validating/dispatcher.go`). Where there is no such wrapping, all of it.
fn sentence(message: &str) -> String {
    if let Some((_, sentence)) = message.split_once("denied request: ") {
        return sentence.to_owned();
    }
    // Our sentences begin in Chinese; a value that the API server shows is quoted or a number.
    let is_sentence = |rest: &str| rest.starts_with(|letter: char| !letter.is_ascii());
    let rest = message.strip_prefix("Invalid value: ");
    let unwrapped = rest.and_then(|rest| if is_sentence(rest) { Some(rest) } else { after_value(rest) });
    unwrapped.unwrap_or(message).to_owned()
}

/// What follows the quoted or bare value and its colon.
fn after_value(rest: &str) -> Option<&str> {
    let Some(quoted) = rest.strip_prefix('"') else {
        return rest.split_once(": ").map(|(_, sentence)| sentence);
    };
    let mut escaped = false;
    let end = quoted.char_indices().find_map(|(at, letter)| match letter {
        _ if escaped => {
            escaped = false;
            None
        }
        '\\' => {
            escaped = true;
            None
        }
        '"' => Some(at),
        _ => None,
    })?;
    quoted.get(end..)?.strip_prefix("\": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_the_object_become_fields_of_the_request() {
        for (theirs, ours) in [
            ("spec.systemDisk.size", Some("systemDisk.size")),
            ("spec.classRef.name", Some("class")),
            ("spec.hostRef.name", Some("host")),
            ("spec.snapshotRef.name", Some("snapshot")),
            ("spec.restore.snapshotRef.name", Some("restore.snapshot")),
            ("spec.source.name", Some("source.name")),
            ("spec.sshAuthorizedKeys[3]", Some("sshAuthorizedKeys[3]")),
            ("metadata.name", Some("name")),
            ("spec", None),
            ("", None),
        ] {
            assert_eq!(our_field(theirs).as_deref(), ours, "{theirs}");
        }
    }

    #[test]
    fn the_wrapping_of_the_api_server_is_taken_off() {
        for (wrapped, plain) in [
            (r#"Invalid value: "string": too small (size)"#, "too small (size)"),
            (r#"Invalid value: "a\"b: c": wrong: really"#, "wrong: really"),
            ("Invalid value: 7: too many", "too many"),
            ("Invalid value: 不能缩小 (never: no)", "不能缩小 (never: no)"),
            (r#"Unsupported value: "x": supported values: "y""#, r#"Unsupported value: "x": supported values: "y""#),
            ("ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no: never", "no: never"),
            ("Invalid value: odd", "Invalid value: odd"),
        ] {
            assert_eq!(sentence(wrapped), plain);
        }
    }
}
