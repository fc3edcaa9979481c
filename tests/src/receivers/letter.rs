//! A letter as the relay got it, and as a person reads it.

use data_encoding::BASE64;

/// See the module.
#[derive(Clone, Debug)]
pub struct Letter {
    /// Who sent it, of the envelope.
    pub from: String,
    /// Who gets it, of the envelope.
    pub to: Vec<String>,
    /// Headers and body.
    pub data: String,
}

impl Letter {
    /// A header as it was written; folded lines are one.
    pub fn header(&self, name: &str) -> Option<String> {
        let head = self.data.split("\r\n\r\n").next()?.replace("\r\n ", " ");
        let line = head.split("\r\n").find_map(|line| line.strip_prefix(&format!("{name}: ")))?;
        Some(line.to_owned())
    }

    /// Its subject as a person reads it.
    pub fn subject(&self) -> String {
        let written = self.header("Subject").unwrap_or_default();
        let mut read = Vec::new();
        for word in written.split(' ') {
            match word.strip_prefix("=?utf-8?b?").and_then(|word| word.strip_suffix("?=")) {
                Some(encoded) => read.extend(BASE64.decode(encoded.as_bytes()).unwrap_or_default()),
                None => read.extend([b" ", word.as_bytes()].concat()),
            }
        }
        String::from_utf8_lossy(&read).trim().to_owned()
    }

    /// Its text as a person reads it.
    pub fn text(&self) -> String {
        let body = self.data.split_once("\r\n\r\n").map(|(_, body)| body).unwrap_or_default();
        let bytes = match self.header("Content-Transfer-Encoding").as_deref() {
            Some("base64") => BASE64.decode(body.replace("\r\n", "").as_bytes()).unwrap_or_default(),
            Some("quoted-printable") => unquoted(body),
            _ => body.as_bytes().to_vec(),
        };
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

fn unquoted(body: &str) -> Vec<u8> {
    let joined = body.replace("=\r\n", "");
    let mut parts = joined.split('=');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let (code, rest) = part.split_at_checked(2).unwrap_or((part, ""));
        bytes.extend(u8::from_str_radix(code, 16));
        bytes.extend(rest.as_bytes());
    }
    bytes
}
