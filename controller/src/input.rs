//! A file that somebody names, or `-` for standard input, for commands that read it more than once: a pod has no files of its
//! operators, and `kubectl exec --stdin` brings them.

use std::{
    fs::File,
    io::{self, BufReader, Seek},
    path::Path,
};

/// What is read, as often as it is wanted.
#[derive(Debug)]
pub struct Input(File);

impl Input {
    /// Opens the file; what comes over standard input is first taken whole, into a file without a name in the folder for
    /// temporary files.
    ///
    /// # Errors
    /// When it cannot be opened, or there is no room for it.
    pub fn open(path: &Path) -> io::Result<Self> {
        if path != Path::new("-") {
            return File::open(path).map(Self);
        }
        let mut file = tempfile::tempfile()?;
        io::copy(&mut io::stdin().lock(), &mut file)?;
        Ok(Self(file))
    }

    /// From its beginning. Only one may be read at a time: they share their place in the file.
    ///
    /// # Errors
    /// When it cannot be read from its beginning, as a pipe cannot.
    pub fn again(&self) -> io::Result<BufReader<File>> {
        let mut file = self.0.try_clone()?;
        file.rewind()?;
        Ok(BufReader::new(file))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn a_file_is_read_from_its_start_as_often_as_wanted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("book.jsonl");
        std::fs::write(&path, "one\ntwo\n").unwrap();
        let input = Input::open(&path).unwrap();
        for _ in 0..2 {
            let mut text = String::new();
            input.again().unwrap().read_to_string(&mut text).unwrap();
            assert_eq!(text, "one\ntwo\n");
        }
        assert!(Input::open(&folder.path().join("missing")).is_err());
    }
}
