//! How far a reader has come.

use std::collections::BTreeMap;

use crate::core::writer::Writer;

/// The last record read of each writer; as text `api-0:120,controller-0:7`, empty before the first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cursor(BTreeMap<Writer, u64>);

/// A text that is no cursor.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{text:?} is no place in the trail; take the one that came with the page before")]
pub struct CursorError {
    text: String,
}

impl Cursor {
    /// The last record read of this writer; 0 before the first.
    pub fn of(&self, writer: &Writer) -> u64 {
        self.0.get(writer).copied().unwrap_or(0)
    }

    pub(crate) fn advance(&mut self, writer: &Writer, sequence: u64) {
        match self.0.get_mut(writer) {
            Some(last) => *last = sequence,
            None => drop(self.0.insert(writer.clone(), sequence)),
        }
    }
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (n, (writer, sequence)) in self.0.iter().enumerate() {
            let comma = if n == 0 { "" } else { "," };
            write!(f, "{comma}{writer}:{sequence}")?;
        }
        Ok(())
    }
}

impl std::str::FromStr for Cursor {
    type Err = CursorError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let part = |part: &str| {
            let (writer, sequence) = part.split_once(':')?;
            Some((writer.parse().ok()?, sequence.parse().ok()?))
        };
        let parts: Option<BTreeMap<_, _>> = text.split(',').filter(|text| !text.is_empty()).map(part).collect();
        parts.map(Self).ok_or_else(|| CursorError { text: text.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_it_was_written() {
        for text in ["", "api-0:120", "api-0:120,controller-0:7"] {
            assert_eq!(text.parse::<Cursor>().unwrap().to_string(), text);
        }
        assert!("api-0".parse::<Cursor>().is_err() && "../x:1".parse::<Cursor>().is_err());
    }
}
