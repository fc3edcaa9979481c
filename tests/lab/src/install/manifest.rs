//! Reading manifests: YAML files with one or more objects.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::InstallError;

/// The objects of a YAML file, or of all YAML files of a folder and its subfolders in the order of their paths.
pub(crate) fn read(path: &Path) -> Result<Vec<Value>, InstallError> {
    let mut files = Vec::new();
    collect(path, &mut files)?;
    let mut objects = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).map_err(|source| InstallError::Read { path: file.clone(), source })?;
        objects.extend(parse(&file, &text)?);
    }
    Ok(objects)
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) -> Result<(), InstallError> {
    if !path.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    let failed = |source| InstallError::Read { path: path.to_owned(), source };
    let entries = fs::read_dir(path).map_err(failed)?.collect::<Result<Vec<_>, _>>().map_err(failed)?;
    let mut paths: Vec<_> = entries.into_iter().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        let is_yaml = path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
        if path.is_dir() || is_yaml {
            collect(&path, files)?;
        }
    }
    Ok(())
}

/// The objects of a YAML text; `path` is for messages. Empty documents are left out, lists are opened.
pub(crate) fn parse(path: &Path, text: &str) -> Result<Vec<Value>, InstallError> {
    let refused = |source| InstallError::Yaml { path: path.to_owned(), source: Box::new(source) };
    let documents: Vec<Value> = serde_yaml::from_multiple(text).map_err(refused)?;
    let mut objects = Vec::new();
    for (index, document) in documents.into_iter().enumerate() {
        if document.is_null() {
            continue;
        }
        let missing = |field| InstallError::Incomplete { path: path.to_owned(), number: index + 1, field };
        for (pointer, field) in [("/apiVersion", "apiVersion"), ("/kind", "kind")] {
            if document.pointer(pointer).and_then(Value::as_str).is_none() {
                return Err(missing(field));
            }
        }
        match document.get("items").and_then(Value::as_array) {
            Some(items) if document["kind"].as_str().is_some_and(|kind| kind.ends_with("List")) => {
                objects.extend(items.iter().cloned());
            }
            _ if document.pointer("/metadata/name").and_then(Value::as_str).is_none() => {
                return Err(missing("metadata.name"));
            }
            _ => objects.push(document),
        }
    }
    Ok(objects)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &str = "apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n---\n# nothing\n---\napiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: b}}\n";

    #[test]
    fn documents_are_separated_empty_ones_left_out_and_lists_opened() {
        let objects = parse(Path::new("x"), TWO).expect("valid");
        let names: Vec<_> = objects.iter().map(|object| object["metadata"]["name"].as_str()).collect();
        assert_eq!(names, [Some("a"), Some("b")]);
    }

    #[test]
    fn a_nameless_object_is_refused_with_its_place() {
        let error = parse(Path::new("x.yaml"), "apiVersion: v1\nkind: Secret\n").expect_err("no name");
        assert_eq!(error.to_string(), "x.yaml: document 1 has no metadata.name");
    }
}
