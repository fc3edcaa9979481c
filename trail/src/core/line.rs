//! A line of a segment: something said, the hash of the line before, and the hash of both.
//!
//! A line is one JSON object without spaces. It ends with `,"previous":"<64 hex>","hash":"<64 hex>"}`, and its hash is
//! that of all its bytes before `,"hash":`. So anybody can recompute it from the file, without knowing what JSON is.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    hash::{DIGITS, Digest, Hash},
    record::Record,
    writer::Writer,
};

/// The version of the format, in each header.
pub const FORMAT: u32 = 1;

/// The most bytes of a line: far above what a bounded record takes. What is longer is no line.
pub const MOST_BYTES: usize = 64 * 1024;

/// The first line of a segment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Header {
    /// [`FORMAT`].
    pub format: u32,
    /// The name of the hash all lines of this segment are made with, this one included.
    pub algorithm: String,
    /// Who writes it.
    pub writer: Writer,
    /// The number of its first record.
    pub first: u64,
    /// When it was begun, UTC.
    pub opened: Timestamp,
}

/// The last line of a segment that is complete.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Closing {
    /// The number of its last record.
    pub last: u64,
    /// The earliest time of a record in it.
    pub from: Timestamp,
    /// The latest time of a record in it.
    pub until: Timestamp,
}

/// What a line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// A segment begins.
    Header(Header),
    /// A record, with its number.
    Record(u64, Box<Record>),
    /// A segment is complete.
    Closing(Closing),
}

/// A line that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// What it says.
    pub said: Said,
    /// The hash it names of the line before it.
    pub previous: Digest,
    /// Its own hash, as it names it; whether it is right is asked with [`fits`].
    pub hash: Digest,
}

/// Bytes that are no line of a trail.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// Not JSON, or other JSON.
    #[error("not a line of a trail")]
    Json(#[from] serde_json::Error),
    /// Says nothing, or several things.
    #[error("not exactly one of header, record and closing line")]
    Kind,
    /// Too long.
    #[error("longer than {MOST_BYTES} bytes")]
    Long,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    segment: Option<Header>,
    sequence: Option<u64>,
    record: Option<Record>,
    closing: Option<Closing>,
    previous: Digest,
    hash: Digest,
}

impl Line {
    /// Reads a line, without its line feed.
    pub fn parse(bytes: &[u8]) -> Result<Self, LineError> {
        if bytes.len() > MOST_BYTES {
            return Err(LineError::Long);
        }
        let Fields { segment, sequence, record, closing, previous, hash } = serde_json::from_slice(bytes)?;
        let said = match (segment, sequence, record, closing) {
            (Some(header), None, None, None) => Said::Header(header),
            (None, Some(sequence), Some(record), None) => Said::Record(sequence, Box::new(record)),
            (None, None, None, Some(closing)) => Said::Closing(closing),
            _ => return Err(LineError::Kind),
        };
        Ok(Self { said, previous, hash })
    }

    /// The number of its record, if it is one.
    pub fn sequence(&self) -> Option<u64> {
        match &self.said {
            Said::Record(sequence, _) => Some(*sequence),
            _ => None,
        }
    }
}

/// Appends the line that says this after the line with hash `previous`, with a line feed; gives its hash.
pub(crate) fn seal(
    out: &mut Vec<u8>,
    said: &Said,
    previous: Digest,
    hash: &dyn Hash,
) -> Result<Digest, serde_json::Error> {
    let start = out.len();
    let (name, json) = match said {
        Said::Header(header) => ("\"segment\":".to_owned(), serde_json::to_vec(header)?),
        Said::Record(sequence, record) => (format!("\"sequence\":{sequence},\"record\":"), serde_json::to_vec(record)?),
        Said::Closing(closing) => ("\"closing\":".to_owned(), serde_json::to_vec(closing)?),
    };
    out.push(b'{');
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(&json);
    out.extend_from_slice(format!(",\"previous\":\"{previous}\"").as_bytes());
    let digest = hash.of(&out[start..]);
    out.extend_from_slice(format!(",\"hash\":\"{digest}\"}}\n").as_bytes());
    Ok(digest)
}

/// Whether the hash at the end of a line, without its line feed, is that of what stands before it.
pub fn fits(bytes: &[u8], hash: &dyn Hash) -> bool {
    const TAIL: usize = ",\"hash\":\"".len() + DIGITS + "\"}".len();
    let Some(end) = bytes.len().checked_sub(TAIL) else { return false };
    let (body, tail) = bytes.split_at(end);
    tail == format!(",\"hash\":\"{}\"}}", hash.of(body)).as_bytes()
}
