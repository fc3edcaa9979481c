//! Random numbers for tokens and marks.

use std::fs::File;
use std::io::{self, Read as _};

/// 128 random bits in hexadecimal: they need no escaping anywhere.
pub fn hexadecimal() -> io::Result<String> {
    let mut bytes = [0_u8; 16];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(hex::encode(bytes))
}
