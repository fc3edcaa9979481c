//! The file of `--notifications`, read again once it has changed: who joins a group is told what waits without a restart.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::config::{self, Config, ConfigError};
use crate::error::chain;

/// The file, and what of it is known.
pub struct Source {
    path: PathBuf,
    /// Of what was last taken.
    taken: Print,
    /// Why what is in the file now was not taken.
    trouble: Option<String>,
}

/// What was found in the file.
#[derive(Debug)]
pub enum Look {
    /// Nothing new.
    Same,
    /// Something else, or the same again after something that could not be used.
    Changed(Config),
    /// Something that cannot be used, for the first time. Nothing of a secret is in it.
    Unusable(String),
}

/// Of the file and of the certificates it names. Secrets and passwords are read each time something is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Print([u8; 32]);

impl Source {
    /// Reads and checks the file at `path`.
    ///
    /// # Errors
    /// When it cannot be used, with the field.
    pub fn open(path: &Path) -> Result<(Self, Config), ConfigError> {
        // Taken first: what changes between the two is seen by the next look.
        let taken = Print::of(path);
        let config = config::read(path)?;
        Ok((Self { path: path.to_owned(), taken, trouble: None }, config))
    }

    /// Reads the file again. What could not be used is tried each time: a secret that it names may be there by now.
    pub fn look(&mut self) -> Look {
        let print = Print::of(&self.path);
        if self.trouble.is_none() && self.taken == print {
            return Look::Same;
        }
        match config::read(&self.path) {
            Ok(config) => {
                (self.taken, self.trouble) = (print, None);
                Look::Changed(config)
            }
            Err(error) => {
                let told = chain(&error);
                let is_known = self.trouble.as_ref() == Some(&told);
                self.trouble = Some(told.clone());
                if is_known { Look::Same } else { Look::Unusable(told) }
            }
        }
    }

    /// Whether what is in the file could not be used, so that what was there before goes on.
    pub const fn is_unusable(&self) -> bool {
        self.trouble.is_some()
    }
}

impl Print {
    fn of(path: &Path) -> Self {
        let mut digest = Sha256::new();
        let mut add = |path: &Path| {
            let read = std::fs::read(path).map_err(|error| error.kind());
            // The length keeps one file's end from passing for the next one's beginning.
            digest.update(format!("{:?} {} ", read.as_ref().err(), read.as_ref().map_or(0, Vec::len)));
            digest.update(read.as_deref().unwrap_or_default());
            read.ok()
        };
        let text = add(path).unwrap_or_default();
        for authority in config::authorities(&text) {
            add(&authority);
        }
        Self(digest.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

    fn text(folder: &Path, name: &str, secret: &str) -> String {
        let secret = folder.join(secret);
        format!("webhooks: [{{name: {name}, url: 'http://127.0.0.1:9/', secretFiles: [{}]}}]", secret.display())
    }

    fn opened(folder: &Path) -> (Source, PathBuf) {
        let path = folder.join("notifications.yaml");
        std::fs::write(folder.join("secret"), SECRET).unwrap();
        std::fs::write(&path, text(folder, "oa", "secret")).unwrap();
        (Source::open(&path).unwrap().0, path)
    }

    fn names(look: Look) -> Vec<String> {
        let Look::Changed(config) = look else { panic!("{look:?}") };
        config.channels.iter().map(|channel| channel.name().to_owned()).collect()
    }

    #[test]
    fn what_is_the_same_is_not_taken_again_and_what_changed_is() {
        let folder = tempfile::tempdir().unwrap();
        let (mut source, path) = opened(folder.path());
        assert!(matches!(source.look(), Look::Same));
        std::fs::write(&path, text(folder.path(), "oa", "secret")).unwrap();
        assert!(matches!(source.look(), Look::Same), "written anew, and the same");
        std::fs::write(&path, text(folder.path(), "sms", "secret")).unwrap();
        assert_eq!(names(source.look()), ["sms"]);
        assert!(matches!(source.look(), Look::Same));
    }

    #[test]
    fn what_cannot_be_used_is_told_once_and_is_over_when_the_file_is_right_again() {
        let folder = tempfile::tempdir().unwrap();
        let (mut source, path) = opened(folder.path());
        let good = std::fs::read(&path).unwrap();
        for bad in [&b"webhooks: ["[..], b"{}", b"\xff\xfe"] {
            std::fs::write(&path, bad).unwrap();
            let Look::Unusable(told) = source.look() else { panic!("{bad:?}") };
            assert!(told.contains("notifications.yaml"), "{told}");
            assert!(matches!(source.look(), Look::Same) && source.is_unusable());
        }
        std::fs::remove_file(&path).unwrap();
        assert!(matches!(source.look(), Look::Unusable(_)));
        std::fs::write(&path, good).unwrap();
        assert_eq!(names(source.look()), ["oa"]);
        assert!(!source.is_unusable());
    }

    #[test]
    fn a_secret_that_comes_later_than_the_file_that_names_it_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let (mut source, path) = opened(folder.path());
        std::fs::write(&path, text(folder.path(), "sms", "later")).unwrap();
        assert!(matches!(source.look(), Look::Unusable(_)));
        std::fs::write(folder.path().join("later"), SECRET).unwrap();
        assert_eq!(names(source.look()), ["sms"]);
    }

    #[test]
    fn another_certificate_is_a_change_though_the_file_is_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let (path, authority) = (folder.path().join("notifications.yaml"), folder.path().join("ca.crt"));
        let hook = format!("{{name: a, url: 'https://h/', secretFiles: [s], caFile: {}}}", authority.display());
        let mail = format!("{{host: h, from: a@b.cn, caFile: {}}}", authority.display());
        for text in [format!("webhooks: [{hook}]"), format!("mail: {mail}")] {
            std::fs::write(&path, text).unwrap();
            let prints = ["one", "two"].map(|certificate| {
                std::fs::write(&authority, certificate).unwrap();
                Print::of(&path)
            });
            assert_ne!(prints[0], prints[1]);
            std::fs::remove_file(&authority).unwrap();
            assert!(!prints.contains(&Print::of(&path)));
        }
    }
}
