//! Container images of the programs: the same bytes each time, nothing to log into, not root.

use std::{collections::BTreeSet, io::Read, path::Path};

use jiyun_lab::Lab;
use jiyun_tests::WorldError;
use serde_json::Value;

use super::able;

/// A file of an archive.
fn file(archive: &Path, name: &str) -> Result<Vec<u8>, std::io::Error> {
    let mut archive = tar::Archive::new(std::fs::File::open(archive)?);
    for entry in archive.entries()? {
        let mut entry = entry?;
        if entry.path()?.as_ref() == Path::new(name) {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes)?;
            return Ok(bytes);
        }
    }
    Err(std::io::Error::other(format!("no {name}")))
}

fn blob(archive: &Path, descriptor: &Value) -> Result<Vec<u8>, std::io::Error> {
    let digest = descriptor["digest"].as_str().expect("a digest").replace(':', "/");
    file(archive, &format!("blobs/{digest}"))
}

fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).expect("JSON")
}

#[tokio::test]
async fn images_are_the_same_bytes_again_without_a_shell_and_not_root() -> Result<(), WorldError> {
    let Some(_alone) = able("images_are_the_same_bytes_again_without_a_shell_and_not_root").await else {
        return Ok(());
    };
    let folder = tempfile::tempdir()?;
    let [first, second] = ["first.tar", "second.tar"].map(|name| folder.path().join(name));
    for archive in [&first, &second] {
        let names = Lab::write_images("registry.example/cloud/", "1", archive)?;
        assert_eq!(names, ["registry.example/cloud/jiyun-controller:1", "registry.example/cloud/jiyun-api:1"]);
    }
    assert!(std::fs::read(&first)? == std::fs::read(&second)?, "the same bytes for the same programs");

    let (mut looked, mut programs) = (0, BTreeSet::new());
    for descriptor in json(&file(&first, "index.json")?)["manifests"].as_array().expect("images") {
        let manifest = json(&blob(&first, descriptor)?);
        let config = json(&blob(&first, &manifest["config"])?);
        assert_eq!(config["config"]["User"], "65532:65532");
        assert_eq!(config["config"]["Env"], serde_json::json!(["PATH=/usr/bin"]));
        programs.insert(config["config"]["Entrypoint"].to_string());
        for layer in manifest["layers"].as_array().expect("layers") {
            let layer = blob(&first, layer)?;
            let mut files = tar::Archive::new(layer.as_slice());
            for entry in files.entries()? {
                let path = entry?.path()?.display().to_string();
                let name = path.rsplit('/').next().unwrap_or_default();
                assert!(!["sh", "bash", "dash", "busybox"].contains(&name), "{path} is a shell");
                looked += 1;
            }
        }
    }
    assert!(looked > 10, "{looked} files");
    // As in the recipe for a container daemon (charts.rs).
    let expected = ["jiyun-api", "jiyun-controller"].map(|name| format!("[\"/usr/bin/{name}\"]"));
    assert_eq!(programs, BTreeSet::from(expected));
    Ok(())
}

#[tokio::test]
async fn a_full_disk_is_told_and_keeps_no_half_of_an_archive() -> Result<(), WorldError> {
    let Some(_alone) = able("a_full_disk_is_told_and_keeps_no_half_of_an_archive").await else { return Ok(()) };
    let folder = tempfile::tempdir()?;
    // A file system of eight megabytes, in a mount namespace of its own.
    let script = "mount -t tmpfs -o size=8m none \"$1\"; \"$2\" images --output \"$1/jiyun.tar\"; echo \"status $?\"; ls -A \"$1\"";
    let own = std::env::current_exe()?;
    let lab = own.ancestors().nth(2).expect("a target folder").join("jiyun-lab");
    let output = tokio::process::Command::new("unshare")
        .args(["--mount", "bash", "-euo", "pipefail", "-c", &format!("set +e; {script}"), "full"])
        .args([folder.path(), &lab])
        .stdin(std::process::Stdio::null())
        .output()
        .await?;
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("No space left on device") && said.contains("jiyun"), "{said}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "status 1\n", "{said}");
    Ok(())
}
