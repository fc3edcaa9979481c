//! Why a console ends: one word for the audit trail and the figures, one sentence for the caller.

use std::{borrow::Cow, time::Duration};

use jiyun_messages::{Language, parameters, text};
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, frame::coding::CloseCode};

use super::Limits;

/// Why a console ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr, strum::Display, strum::EnumIter)]
pub enum Ending {
    /// Its caller closed it, or the caller's program ended.
    ClosedByCaller,
    /// Its caller gives no sign of life, or takes nothing any more, or the connection broke.
    CallerLost,
    /// Its caller sent what is no frame or no text, or too much at once.
    NoFrames,
    /// The machine's side closed it: the machine was switched off or moved, or somebody else opened the same console.
    ClosedByMachine,
    /// Nothing was typed for too long.
    Idle,
    /// It was open for as long as it may be.
    TooLong,
    /// The caller may not have it any more, or the host is not what it was.
    Withdrawn,
    /// This program ends; another one takes over.
    Stopping,
    /// This program failed.
    BrokenOff,
}

/// The longest reason in a frame that closes (RFC 6455, 5.5: 125 bytes with the code).
const MAX_REASON: usize = 123;

impl Ending {
    /// What the caller is told; none where nobody listens any more.
    pub fn frame(self, limits: &Limits, language: Language) -> Option<CloseFrame> {
        let code = match self {
            Self::ClosedByCaller | Self::CallerLost | Self::BrokenOff => return None,
            Self::NoFrames => CloseCode::Protocol,
            Self::ClosedByMachine => CloseCode::Normal,
            Self::Idle | Self::TooLong | Self::Withdrawn => CloseCode::Policy,
            Self::Stopping => CloseCode::Away,
        };
        Some(CloseFrame { code, reason: self.sentence(limits, language).into() })
    }

    /// The sentence, cut where a frame has no room for it.
    fn sentence(self, limits: &Limits, language: Language) -> String {
        let facts = [("idle", limits.idle), ("longest", limits.longest)];
        let facts = parameters(facts.map(|(name, time)| (name, words(time, language))));
        let mut sentence = text(&self.code(), &facts, language);
        let mut end = MAX_REASON.min(sentence.len());
        while !sentence.is_char_boundary(end) {
            end -= 1;
        }
        sentence.truncate(end);
        sentence
    }

    /// The code of its sentence in the catalogue.
    fn code(self) -> Cow<'static, str> {
        format!("Console{self}").into()
    }
}

/// A time in the largest unit of which it is a whole number.
fn words(time: Duration, language: Language) -> String {
    let seconds = time.as_secs();
    let units = [(3600, "小时", "hours"), (60, "分钟", "minutes"), (1, "秒", "seconds")];
    let whole = units.into_iter().find(|(size, ..)| seconds.is_multiple_of(*size));
    let (size, chinese, english) = whole.unwrap_or((1, "秒", "seconds"));
    let unit = if language == Language::Chinese { chinese } else { english };
    format!("{} {unit}", seconds / size)
}

#[cfg(test)]
mod tests {
    use strum::IntoEnumIterator;

    use super::*;

    #[test]
    fn every_ending_that_is_told_has_a_whole_sentence_that_fits_into_its_frame() {
        let known: std::collections::BTreeSet<_> = jiyun_messages::codes().collect();
        let week = Duration::from_secs(168 * 3600 - 1);
        let limits = Limits { idle: week, longest: week, review: week };
        for ending in Ending::iter() {
            for language in [Language::Chinese, Language::English] {
                let Some(frame) = ending.frame(&limits, language) else { continue };
                assert!(known.contains(&*ending.code()), "{ending} is missing in messages/catalogue.yaml");
                let whole = frame.reason.ends_with(['.', '。']);
                assert!(whole && frame.reason.len() <= MAX_REASON, "{} bytes: {}", frame.reason.len(), frame.reason);
            }
        }
    }
}
