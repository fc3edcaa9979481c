//! Faults: a system that is killed, frozen, cut off and held up, and whether it is sound afterwards.

pub mod explore;
pub mod grounds;
mod label;
pub mod lead;
mod line;
mod mortal;
mod picture;
pub mod play;
pub mod program;
pub mod rehearse;
pub mod script;
mod sound;
pub mod stage;
pub mod trace;

pub use line::Line;
pub use picture::differences;
pub use sound::{book, settle, sound};
pub use trace::{Cut, Point, Side, Trace};

use crate::WorldError;
use jiyun_lab::{LabError, NotInTime};

/// Why a fault could not be tried, or what it did.
#[derive(Debug, thiserror::Error)]
pub enum FaultError {
    /// The system under test.
    #[error(transparent)]
    World(#[from] Box<WorldError>),
    /// Something did not come in time.
    #[error(transparent)]
    NotInTime(#[from] NotInTime),
    /// The line between a program and a server.
    #[error("the line between a program and a server cannot be laid")]
    Line(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The book cannot be read or does not take what it should.
    #[error("the book does not work: {what}")]
    Book {
        /// What was tried.
        what: &'static str,
        /// Why it failed.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The two stores do not agree, or something was counted twice.
    #[error("the system is not sound: {0}")]
    Unsound(String),
    /// It ended in another way than without the fault.
    #[error("{cut}: {what}")]
    Otherwise {
        /// The fault.
        cut: String,
        /// What differs.
        what: String,
    },
}

impl From<WorldError> for FaultError {
    fn from(source: WorldError) -> Self {
        Self::World(Box::new(source))
    }
}

impl From<LabError> for FaultError {
    fn from(source: LabError) -> Self {
        WorldError::from(source).into()
    }
}

impl FaultError {
    /// For `map_err` at a line.
    pub fn line(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Line(source.into())
    }

    /// For `map_err` at a book.
    pub fn book<E: Into<Box<dyn std::error::Error + Send + Sync>>>(what: &'static str) -> impl FnOnce(E) -> Self {
        move |source| Self::Book { what, source: source.into() }
    }
}

/// An error with all its causes, in one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut told = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        told.push_str(": ");
        told.push_str(&source.to_string());
        cause = source.source();
    }
    told
}
