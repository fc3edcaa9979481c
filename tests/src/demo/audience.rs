//! Whom the story is told: somebody before a terminal, or nobody, its text being kept for whoever looks into a failure.

use std::{
    io::IsTerminal,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Where the story's lines go.
#[derive(Debug)]
pub enum Audience {
    /// Standard output, in colour on a terminal.
    Hall {
        /// Whether it takes colours.
        colour: bool,
    },
    /// Nobody; the lines are collected.
    Minutes(Mutex<String>),
}

impl Default for Audience {
    fn default() -> Self {
        Self::Hall { colour: std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none() }
    }
}

impl Audience {
    /// Collects the lines and prints none.
    pub fn minutes() -> Self {
        Self::Minutes(Mutex::default())
    }

    /// One line.
    pub(super) fn line(&self, text: &str) {
        match self {
            Self::Hall { .. } => println!("{text}"),
            Self::Minutes(lines) => {
                let mut lines = locked(lines);
                lines.push_str(text);
                lines.push('\n');
            }
        }
    }

    /// Text in a colour of the terminal's (`ECMA-48`), where there is one.
    pub(super) fn painted(&self, code: &str, text: &str) -> String {
        match self {
            Self::Hall { colour: true } => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
            Self::Hall { colour: false } | Self::Minutes(_) => text.to_owned(),
        }
    }

    /// What was collected so far; nothing of what was printed.
    pub fn collected(&self) -> String {
        match self {
            Self::Hall { .. } => String::new(),
            Self::Minutes(lines) => locked(lines).clone(),
        }
    }
}

fn locked(lines: &Mutex<String>) -> MutexGuard<'_, String> {
    lines.lock().unwrap_or_else(PoisonError::into_inner)
}
