//! Chains to break.

use jiff::Timestamp;
use jiyun_trail::core::{
    action::Action,
    actor::Actor,
    chain::Chain,
    content::Content,
    hash::{Digest, Hash, Sha256},
    head::Head,
    object::Object,
    outcome::Outcome,
    record::Record,
    verify::{Report, Verifier},
    writer::Writer,
};
use serde_json::json;

pub fn writer() -> Writer {
    "api-0".parse().unwrap()
}

pub fn at(second: u64) -> Timestamp {
    Timestamp::from_second(1_793_491_200 + i64::try_from(second).unwrap()).unwrap()
}

pub fn record(n: u64, salt: &str) -> Record {
    let mut record = Record::new(
        at(n),
        Actor::new(format!("wang-{salt}")),
        Action::Change,
        Object::new("CloudHost", format!("web-{n}")).within("dept-finance"),
        if n.is_multiple_of(3) { Outcome::refused("ExceedsLimit") } else { Outcome::Succeeded },
    );
    record.department = Some("finance".to_owned());
    record.before = Some(Content::of(json!({"cores": n})));
    record.after = Some(Content::of(json!({"cores": n + 1})));
    record
}

/// Segments as they would lie in files, with so many records each; all but the last are closed.
pub struct Written {
    pub segments: Vec<Vec<u8>>,
    pub head: Head,
}

pub fn write(sizes: &[u64], salt: &str, hash: &'static dyn Hash) -> Written {
    let mut chain = Chain::after(writer(), hash, 0, Digest::default());
    let mut segments = Vec::new();
    for (n, size) in sizes.iter().enumerate() {
        let mut text = Vec::new();
        chain.open(&mut text, at(chain.sequence())).unwrap();
        for _ in 0..*size {
            let next = chain.sequence() + 1;
            assert_eq!(chain.append(&mut text, record(next, salt)).unwrap(), next);
        }
        if n + 1 < sizes.len() {
            chain.close(&mut text).unwrap();
        }
        segments.push(text);
    }
    Written { segments, head: chain.head().unwrap().clone() }
}

pub fn plain(sizes: &[u64]) -> Written {
    write(sizes, "a", &Sha256)
}

pub fn verify(segments: &[Vec<u8>], head: &Head) -> Report {
    let mut verifier = Verifier::new(writer()).expecting(head.clone());
    for (n, segment) in (1..).zip(segments) {
        verifier.text(&format!("{n}.jsonl"), segment);
    }
    verifier.finish()
}

/// The lines of a segment, each with its line feed.
pub fn lines(segment: &[u8]) -> Vec<Vec<u8>> {
    segment.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
}
