//! `ledger export`: entries byte for byte, one a line; a file is written whole or not at all.

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::{Path, PathBuf},
};

use super::{BookError, read};
use crate::args::Export;

/// Exports what was asked for.
///
/// # Errors
/// When the book cannot be read or the file cannot be written; a file of that name is then as it was.
pub async fn run(arguments: &Export) -> Result<(), BookError> {
    let store = read::store(&arguments.ledger).await?;
    let mut target = Target::open(&arguments.output)?;
    let read = read::each(&store, arguments.from, arguments.to, |bytes| target.line(bytes)).await;
    let (count, last) = match read {
        Ok((count, Some(last))) => (count, last),
        Ok((_, None)) => {
            target.discard();
            let (_, last) = read::each(&store, 1, None, |_| Ok(())).await?;
            return Err(BookError::NoEntry { from: arguments.from, last: last.unwrap_or(0) });
        }
        Err(error) => {
            target.discard();
            return Err(error);
        }
    };
    target.finish()?;
    eprintln!("{count} entries exported, up to entry {last}");
    Ok(())
}

/// Where lines go.
pub(crate) enum Target {
    Standard(BufWriter<std::io::Stdout>),
    File { writer: BufWriter<File>, beside: PathBuf, path: PathBuf },
}

impl Target {
    pub(crate) fn open(path: &Path) -> Result<Self, BookError> {
        if path == Path::new("-") {
            return Ok(Self::Standard(BufWriter::new(std::io::stdout())));
        }
        let mut beside = path.as_os_str().to_owned();
        beside.push(format!(".part-{}", std::process::id()));
        let beside = PathBuf::from(beside);
        let file = File::create_new(&beside).map_err(|source| written(&beside, source))?;
        Ok(Self::File { writer: BufWriter::new(file), beside, path: path.to_owned() })
    }

    pub(crate) fn line(&mut self, bytes: &[u8]) -> Result<(), BookError> {
        let written_whole = self.write_all(bytes).and_then(|()| self.write_all(b"\n"));
        written_whole.map_err(|source| match self {
            Self::Standard(_) => written(Path::new("standard output"), source),
            Self::File { beside, .. } => written(beside, source),
        })
    }

    /// Gives the file its name, once it is on the disk.
    pub(crate) fn finish(self) -> Result<(), BookError> {
        match self {
            Self::Standard(mut writer) => {
                writer.flush().map_err(|source| written(Path::new("standard output"), source))
            }
            Self::File { writer, beside, path } => {
                let file = writer.into_inner().map_err(|error| written(&beside, error.into_error()))?;
                file.sync_all().map_err(|source| written(&beside, source))?;
                std::fs::rename(&beside, &path).map_err(|source| written(&path, source))
            }
        }
    }

    /// Leaves nothing behind.
    pub(crate) fn discard(self) {
        if let Self::File { beside, .. } = self {
            // It has a name of its own and is in nobody's way.
            drop(std::fs::remove_file(beside));
        }
    }
}

impl Write for Target {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match self {
            Self::Standard(writer) => writer.write(bytes),
            Self::File { writer, .. } => writer.write(bytes),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        match self {
            Self::Standard(writer) => writer.flush(),
            Self::File { writer, .. } => writer.flush(),
        }
    }
}

fn written(path: &Path, source: std::io::Error) -> BookError {
    BookError::File { path: path.to_owned(), what: "written", source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_not_there_before_it_is_complete() {
        let folder = std::env::temp_dir().join(format!("jiyun-export-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("book.jsonl");
        let mut target = Target::open(&path).unwrap();
        target.line(b"{\"seq\":1}").unwrap();
        assert!(!path.exists());
        target.finish().unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "{\"seq\":1}\n");
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1, "nothing is left beside it");
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
