//! The engines' own resource definitions, written by programs linked with the engines' own code and kept beside them.

use std::path::{Path, PathBuf};

use super::InstallError;
use crate::pki::Authority;
use crate::programs;

/// A folder with definitions to be used instead of the generated ones.
const GIVEN: &str = "JIYUN_LAB_ENGINE_CRDS";

/// Name of the folder beside the programs.
const FOLDER: &str = "definitions";

/// Folders with the definitions, written first where they are not in the cache. Blocks.
pub(super) fn definitions() -> Result<Vec<PathBuf>, InstallError> {
    if let Some(given) = std::env::var_os(GIVEN) {
        return Ok(vec![given.into()]);
    }
    let simulated = programs::provide("engine-crds")?;
    let kubevirt = programs::provide("kubevirt")?;
    Ok(vec![
        programs::keep(&simulated, FOLDER, |target| {
            super::output_blocking(&simulated.join("engine-crds"), &[&text(target)]).map(drop)
        })?,
        programs::keep(&kubevirt, FOLDER, |target| write_kubevirt(&kubevirt.join("kubevirt-objects"), target))?,
    ])
}

/// KubeVirt's writer makes registrations of virt-api too, which name an address and an authority; only the definitions
/// are kept, so any will do. (The profile `real` calls the writer again with its own.)
fn write_kubevirt(writer: &Path, target: &Path) -> Result<(), InstallError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| InstallError::Read { path, source }
    };
    let scratch = tempfile::tempdir().map_err(failed(target))?;
    let authority = Authority::create(scratch.path())?;
    let ca = text(authority.certificate());
    let written = scratch.path().join("kubevirt");
    super::output_blocking(writer, &[&text(&written), "--ca-bundle", &ca, "--api-url", "https://127.0.0.1:1"])?;
    let source = written.join("definitions");
    for entry in std::fs::read_dir(&source).map_err(failed(&source))? {
        let entry = entry.map_err(failed(&source))?;
        std::fs::copy(entry.path(), target.join(entry.file_name())).map_err(failed(target))?;
    }
    Ok(())
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
