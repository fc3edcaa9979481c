//! One Go module folder: its files, its digest, how it is built (`build.flags`, described in `programs/README.md`).

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use sha2::{Digest as _, Sha256};

/// A module folder is unusable.
#[derive(Debug, thiserror::Error)]
pub enum ModuleError {
    /// A file could not be read.
    #[error(
        "cannot read {path} of the Go module `{module}`; set JIYUN_LAB_PROGRAMS to the folder that holds the modules"
    )]
    Read {
        /// The module's name.
        module: String,
        /// The unreadable path.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// `build.flags` is not what its description says.
    #[error("{path}: not a valid build description (see programs/README.md)")]
    Flags {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: serde_json::Error,
    },
    /// A program is described that is not built.
    #[error("{path}: `cgo` names `{name}`, which `packages` does not")]
    NoSuchProgram {
        /// The file.
        path: PathBuf,
        /// The name.
        name: String,
    },
    /// A file is described without its place.
    #[error("{path}: `files` must name a module and a path in it, with a space between them, for `{name}`")]
    NoSuchFile {
        /// The file.
        path: PathBuf,
        /// The name.
        name: String,
    },
    /// A program's name is not a plain file name.
    #[error("{path}: the program name `{name}` must be a plain file name")]
    ProgramName {
        /// The file.
        path: PathBuf,
        /// The name.
        name: String,
    },
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Flags {
    packages: BTreeMap<String, String>,
    cgo: BTreeSet<String>,
    tags: String,
    files: BTreeMap<String, String>,
    ldflags: String,
}

/// A Go module as read from disk.
#[derive(Debug)]
pub struct Module {
    /// The folder's name.
    pub name: String,
    /// The folder.
    pub folder: PathBuf,
    /// Program name -> package path.
    pub packages: BTreeMap<String, String>,
    /// Programs that call C, and so need a C compiler.
    pub cgo: BTreeSet<String>,
    /// Build tags, separated by commas.
    pub tags: String,
    /// Files that lie beside the code in modules this one is made of: name -> (module, path in it).
    pub files: BTreeMap<String, (String, String)>,
    /// The linker flags.
    pub ldflags: String,
    /// Other names a program is called by: it chooses what it is from the name.
    pub aliases: Vec<String>,
    /// The version on the `go` line of `go.mod`.
    pub go_version: String,
    content: Vec<(String, Vec<u8>)>,
}

impl Module {
    /// Reads the module `name` below `modules`.
    pub fn read(modules: &Path, name: &str) -> Result<Self, ModuleError> {
        let folder = modules.join(name);
        let failed = |path: &Path, source| ModuleError::Read { module: name.to_owned(), path: path.to_owned(), source };
        let mut content = Vec::new();
        collect(&folder, &folder, &mut content).map_err(|(path, source)| failed(&path, source))?;
        content.sort();
        let text = |file: &str| {
            content.iter().find(|(path, _)| path == file).map(|(_, bytes)| String::from_utf8_lossy(bytes).into_owned())
        };
        let go_mod =
            text("go.mod").ok_or_else(|| failed(&folder.join("go.mod"), io::Error::from(io::ErrorKind::NotFound)))?;
        let go_version = go_mod.lines().find_map(|line| line.strip_prefix("go ")).unwrap_or("1.26").trim().to_owned();
        let path = folder.join("build.flags");
        let flags: Flags = match text("build.flags") {
            Some(flags) => {
                serde_json::from_str(&flags).map_err(|source| ModuleError::Flags { path: path.clone(), source })?
            }
            None => Flags::default(),
        };
        let packages = if flags.packages.is_empty() {
            BTreeMap::from([(name.to_owned(), ".".to_owned())])
        } else {
            flags.packages
        };
        if let Some(bad) = packages.keys().find(|program| program.is_empty() || program.contains('/')) {
            return Err(ModuleError::ProgramName { path, name: bad.clone() });
        }
        let aliases = super::aliases(name).iter().map(|alias| (*alias).to_owned()).collect();
        let ldflags = format!("-s -w {}", flags.ldflags).trim_end().to_owned();
        if let Some(bad) = flags.cgo.iter().find(|program| !packages.contains_key(*program)) {
            return Err(ModuleError::NoSuchProgram { path, name: bad.clone() });
        }
        let (cgo, tags) = (flags.cgo, flags.tags);
        let mut files = BTreeMap::new();
        for (file, from) in flags.files {
            let Some((module, inside)) = from.split_once(' ') else {
                return Err(ModuleError::NoSuchFile { path, name: file });
            };
            files.insert(file, (module.to_owned(), inside.to_owned()));
        }
        Ok(Self { name: name.to_owned(), folder, packages, cgo, tags, files, ldflags, aliases, go_version, content })
    }

    /// Sixteen hexadecimal digits over every file's path and content and the compiler's version.
    pub fn digest(&self, compiler: &str) -> String {
        let mut hasher = Sha256::new();
        let mut feed = |part: &[u8]| {
            // Lengths keep the parts apart: moving a byte from one to the next changes the digest.
            hasher.update((part.len() as u64).to_be_bytes());
            hasher.update(part);
        };
        feed(compiler.as_bytes());
        for (path, bytes) in &self.content {
            feed(path.as_bytes());
            feed(bytes);
        }
        hex::encode(hasher.finalize()).chars().take(16).collect()
    }
}

fn collect(root: &Path, folder: &Path, content: &mut Vec<(String, Vec<u8>)>) -> Result<(), (PathBuf, io::Error)> {
    let at = |path: &Path| {
        let path = path.to_owned();
        move |source| (path, source)
    };
    for entry in fs::read_dir(folder).map_err(at(folder))? {
        let path = entry.map_err(at(folder))?.path();
        if path.is_dir() {
            collect(root, &path, content)?;
        } else {
            let relative = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned();
            content.push((relative, fs::read(&path).map_err(at(&path))?));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn module(flags: Option<&str>) -> (tempfile::TempDir, Result<Module, ModuleError>) {
        let folder = tempfile::tempdir().expect("temp dir");
        let own = folder.path().join("tool");
        fs::create_dir_all(own.join("sub")).expect("create");
        fs::write(own.join("go.mod"), "module x\n\ngo 1.26.0\n").expect("write");
        fs::write(own.join("sub/a.go"), "package sub").expect("write");
        if let Some(flags) = flags {
            fs::write(own.join("build.flags"), flags).expect("write");
        }
        let module = Module::read(folder.path(), "tool");
        (folder, module)
    }

    #[test]
    fn without_a_description_the_folder_is_one_program_of_its_name() {
        let (_folder, module) = module(None);
        let module = module.expect("readable");
        assert_eq!(module.packages, BTreeMap::from([("tool".into(), ".".into())]));
        assert_eq!((module.ldflags.as_str(), module.go_version.as_str()), ("-s -w", "1.26.0"));
    }

    #[test]
    fn an_unknown_field_of_the_description_is_refused() {
        assert!(matches!(module(Some(r#"{"ldflag": "-X a=b"}"#)).1, Err(ModuleError::Flags { .. })));
    }

    #[test]
    fn a_program_name_with_a_slash_is_refused() {
        assert!(matches!(module(Some(r#"{"packages": {"a/b": "."}}"#)).1, Err(ModuleError::ProgramName { .. })));
    }

    #[test]
    fn a_program_that_calls_c_must_be_one_that_is_built() {
        assert!(matches!(module(Some(r#"{"cgo": ["other"]}"#)).1, Err(ModuleError::NoSuchProgram { .. })));
        let (_folder, described) = module(Some(r#"{"cgo": ["tool"], "tags": "a,b"}"#));
        let described = described.expect("readable");
        assert!(described.cgo.contains("tool") && described.tags == "a,b");
    }

    #[test]
    fn a_file_is_named_by_its_module_and_its_path_there() {
        assert!(matches!(module(Some(r#"{"files": {"a": "b"}}"#)).1, Err(ModuleError::NoSuchFile { .. })));
        let (_folder, described) = module(Some(r#"{"files": {"a.yaml": "example.org/m x/a.yaml"}}"#));
        let files = described.expect("readable").files;
        assert_eq!(files.get("a.yaml"), Some(&("example.org/m".to_owned(), "x/a.yaml".to_owned())));
    }

    #[test]
    fn the_digest_follows_content_flags_and_compiler() {
        let (folder, first) = module(None);
        let first = first.expect("readable");
        let again = Module::read(folder.path(), "tool").expect("readable");
        assert_eq!(first.digest("go1"), again.digest("go1"));
        assert_ne!(first.digest("go1"), first.digest("go2"));
        fs::write(folder.path().join("tool/sub/a.go"), "package sub // changed").expect("write");
        let changed = Module::read(folder.path(), "tool").expect("readable");
        assert_ne!(first.digest("go1"), changed.digest("go1"));
    }
}
