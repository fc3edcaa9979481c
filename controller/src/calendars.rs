//! Reads the working days (工作日历): those that come with the program, and a file for each further year.

use std::path::{Path, PathBuf};

use jiyun_approvals::{Calendar, CalendarError};
use tracing::info;

/// Why the working days are not known.
#[derive(Debug, thiserror::Error)]
pub enum CalendarsError {
    /// Those that come with the program.
    #[error("the built-in calendars cannot be read")]
    BuiltIn(#[source] Box<CalendarError>),
    /// The folder, or a file in it.
    #[error("{} cannot be read", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// A file that is no calendar.
    #[error("{} is no calendar", path.display())]
    Malformed {
        /// Which.
        path: PathBuf,
        /// The cause.
        #[source]
        source: Box<CalendarError>,
    },
}

/// The built-in years and those of `folder`: each file that ends in `.yaml`.
///
/// # Errors
/// When a file cannot be read: a deadline counted with a year missing would be another one than announced.
pub fn read(folder: Option<&Path>) -> Result<Calendar, CalendarsError> {
    let mut calendar = Calendar::built_in().map_err(|source| CalendarsError::BuiltIn(Box::new(source)))?;
    if let Some(folder) = folder {
        let unreadable = |path: &Path| {
            let path = path.to_owned();
            |source| CalendarsError::Unreadable { path, source }
        };
        for file in std::fs::read_dir(folder).map_err(unreadable(folder))? {
            let path = file.map_err(unreadable(folder))?.path();
            if path.extension().is_none_or(|extension| extension != "yaml") {
                continue;
            }
            let text = std::fs::read_to_string(&path).map_err(unreadable(&path))?;
            let added = calendar.add(&text);
            added.map_err(|source| CalendarsError::Malformed { path, source: Box::new(source) })?;
        }
    }
    info!(years = ?calendar.years().collect::<Vec<_>>(), "working days are known");
    Ok(calendar)
}
