//! Who writes a chain: the name is a folder and a part of a key.

use serde::{Deserialize, Serialize};

/// The name of a process that writes one chain and keeps it over its restarts, such as `controller-0`: 1 to 63 letters
/// `a` to `z`, digits, `-` and `.`, beginning and ending with a letter or digit.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Writer(String);

/// A text that names no writer.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{text:?} names no writer of a trail: 1 to 63 of a-z, 0-9, '-' and '.', with a letter or digit at both ends")]
pub struct WriterError {
    text: String,
}

impl Writer {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::str::FromStr for Writer {
    type Err = WriterError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let bytes = text.as_bytes();
        let ends = bytes.first().is_some_and(|byte| plain(*byte)) && bytes.last().is_some_and(|byte| plain(*byte));
        let fits = bytes.len() <= 63 && bytes.iter().all(|byte| plain(*byte) || matches!(byte, b'-' | b'.'));
        if ends && fits { Ok(Self(text.to_owned())) } else { Err(WriterError { text: text.to_owned() }) }
    }
}

impl TryFrom<String> for Writer {
    type Error = WriterError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Writer> for String {
    fn from(writer: Writer) -> Self {
        writer.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_writer_can_be_a_folder_and_never_leads_out_of_it() {
        for good in ["api-1", "c", "controller-7d4f.b"] {
            assert_eq!(good.parse::<Writer>().unwrap().as_str(), good);
        }
        for bad in ["", "..", ".a", "a/b", "A", "a-", &"a".repeat(64)] {
            assert!(bad.parse::<Writer>().is_err(), "{bad}");
        }
    }
}
